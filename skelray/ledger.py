"""The ledger of the test side, a JSON line an opening, as whoever opened it wrote it down: its lines again, checked."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skelray.errors import BadInput

FILE = "test_ledger.jsonl"  # in the folder of whoever reads the test side
LATEST = 253_402_300_799  # unix seconds of the last day that has four digits of a year


class Opening(BaseModel):
    """What a line must say, and what it may; of more there is nothing that a reader relies on."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    who: str
    when: float | None = Field(None, ge=0, le=LATEST)  # unix seconds
    split: str | None = None
    clips: int | None = Field(None, ge=0)  # of the test side
    clean: int | None = Field(None, ge=0)  # of them, those without an exact copy on the training side
    protocols: list[str] = []
    config: str | None = None


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a ledger; [] where there is none. Raises BadInput, naming the line, on one that is no opening.

    A last line without its end is left out: who wrote it was killed before reading anything.
    """
    if not path.exists():
        return []
    try:
        whole, _, rest = path.read_bytes().rpartition(b"\n")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    found = [_opening(line, f"{path}:{number}") for number, line in enumerate(whole.split(b"\n") if whole else [], 1)]
    try:
        return [*found, _opening(rest, "")] if rest else found  # whole, but for its end: an editor's doing
    except BadInput:
        return found


def _opening(line: bytes, where: str) -> dict[str, Any]:
    try:
        entry: dict[str, Any] = json.loads(line)
        Opening.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
    except (ValueError, RecursionError) as error:
        problem = str(error)
    else:
        return entry
    raise BadInput(f"{where}: not an opening of the test side ({problem}); who, when and clips are due")

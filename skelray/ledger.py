"""The ledger of the test side, a JSON line an opening: written before anything is read, and read again, checked."""

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skelray import atomic
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


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a line, which the disk holds when this returns; finals that run at once take turns. Raises OSError.

    A last line that a kill cut short is no opening and would spoil every later one: it goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("ab+") as file:
        with suppress(OSError):  # a file system without locks; a line is one write
            fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        whole, end, rest = file.read().rpartition(b"\n")
        if rest and _is_opening(rest):  # whole, but for its end
            file.write(b"\n")
        elif rest:
            file.truncate(len(whole) + len(end))
        file.write(json.dumps(dict(entry)).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        atomic.flush(path.parent)


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
    return [*found, _opening(rest, "")] if _is_opening(rest) else found  # whole, but for its end


def _is_opening(line: bytes) -> bool:
    try:
        _opening(line, "")
    except BadInput:
        return False
    return True


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

"""The file that a picture goes to: named before anything is computed, and there whole or not at all."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from skelray import atomic
from skelray.errors import BadInput


def place(out: Path | None, name: str, endings: Sequence[str] = (".html", ".gif")) -> Path:
    """Where it goes: `out`, or `name` with the first ending in this folder. Raises BadInput where no file can lie."""
    path = out or Path(f"{name}{endings[0]}")
    if path.suffix not in endings:
        raise BadInput(f"--out {path}: a name ending in {' or '.join(endings)} is due")
    if path.is_dir() or not path.parent.is_dir():
        raise BadInput(f"--out {path}: " + ("it is a folder" if path.is_dir() else f"there is no folder {path.parent}"))
    return path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name to write to; what was written becomes `path`, whose name is printed. Raises BadInput."""
    try:
        with atomic.whole(path) as unfinished:
            yield unfinished
    except OSError as error:
        raise BadInput(f"--out {path} cannot be written: {error.strerror}") from error
    print(path)

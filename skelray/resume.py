"""Work that may be stopped at any moment: one process at a time does it, and what it found is taken over by the next.

Nothing of it has to be tidied up: the system takes a lock from a dead process, and a line that a kill cut off is none.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skelray.errors import BadInput


@contextmanager
def alone(place: Path, busy: str) -> Iterator[None]:
    """Hold a folder, or a file that is made if need be, for this process. Raises BadInput(busy) when another one does,
    OSError where it cannot be opened."""
    handle = os.open(place, os.O_RDONLY if place.is_dir() else os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(busy) from None
        except OSError:
            if not place.is_dir():  # some network disks lock files alone
                raise BadInput(busy) from None
        yield
    finally:
        os.close(handle)


UNFINISHED = "unfinished.jsonl"  # in a folder of findings: what a stopped command had found


def unwritten(out: Path, error: OSError) -> BadInput:
    """What to tell of a full disk when everything is found and kept."""
    return BadInput(
        f"--out {out} cannot be written: {error.strerror or error}; the same command goes on from {UNFINISHED}"
    )


class Kept:
    """What was found so far for a folder, as JSON lines of a key and what belongs to it.

    The key says all that a finding depends on, so that findings of another command are never taken for this one's.
    """

    def __init__(self, out: Path):
        self.path = out / UNFINISHED

    def known(self) -> dict[str, Any]:
        """Key -> what was found; a line that was cut short, or is none of ours, says nothing."""
        found = dict[str, Any]()
        if not self.path.is_file():
            return found
        for line in self.path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
                found[entry["key"]] = entry["found"]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
        return found

    def add(self, key: str, found: Any) -> None:
        """Keep a finding. Raises BadInput on a full disk."""
        try:
            torn = self.path.is_file() and self.path.read_bytes()[-1:] not in (b"", b"\n")
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * torn + json.dumps({"key": key, "found": found}) + "\n")
        except OSError as error:
            raise BadInput(f"--out {self.path.parent} cannot be written: {error.strerror}") from None

    def forget(self) -> None:
        """Everything is where it belongs: nothing is left to take over."""
        self.path.unlink(missing_ok=True)

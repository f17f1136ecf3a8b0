"""The folder of an import that runs: raw coordinates, a journal of finished parts, and a lock.

It lies beside the store under a hidden name and is no store: nothing opens it. A journal line is written when its
coordinates are on the disk, so that whatever is killed, the journal never promises more than there is.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from skelray.data.arrow import Row, Writer
from skelray.data.source import DataSet, Loaded
from skelray.errors import BadInput

SYNC = 2.0  # seconds of reading that a power cut may cost; a killed process costs nothing that was written


class Unfinished:
    """What an import of `found` to `path` has so far. A context manager: leaving it keeps all, `finish` ends it."""

    def __init__(self, path: Path, found: DataSet, plan: Mapping[str, Any], *, half: bool, fresh: bool):
        """`plan`: everything that decides the store but the files themselves; another plan begins anew."""
        self.path, self.found, self.fresh, self.half = path, found, fresh, half
        self.plan = json.dumps({**plan, "path": str(path)}, sort_keys=True)
        self.folder = path.with_name(f".{path.name}.importing")
        self.left = list(found.parts)
        self._rows: dict[str, int] = {}
        self._waiting: list[str] = []
        self._synced = time.monotonic()

    def __enter__(self) -> "Unfinished":
        self.folder.mkdir(exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a dead process holds nothing
        except OSError as error:
            self._lock.close()
            raise BadInput(f"{self.path} is being imported by another process; wait for it, or end it") from error
        known = self.folder / "plan.json"
        if self.fresh or not known.is_file() or known.read_text() != self.plan:
            for name in ("coordinates", "journal.jsonl"):
                (self.folder / name).unlink(missing_ok=True)
            known.write_text(self.plan)
        self._raw = (self.folder / "coordinates").open("a+b")
        self._journal = (self.folder / "journal.jsonl").open("a+b")
        self._writer = Writer(self._raw, self.found.skeleton, self.half)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._raw.closed:
            self._sync()
            empty = not self._rows and not self._writer.rows
            self._close()
            if empty:  # nothing worth keeping
                shutil.rmtree(self.folder)

    def restored(self, stop: bool) -> Iterator[tuple[str, Loaded]]:
        """The parts that are done, in order, without their clips; to be consumed before anything is added.

        `stop`: a part that could not be read is not done.
        """
        self._journal.seek(0)
        good, end = 0, 0
        held = self._raw.seek(0, os.SEEK_END)
        for part, line in zip(self.found.parts, self._journal, strict=False):
            told = _parsed(line)
            if told is None or told["part"] != part or told["end"] > held or (stop and told["error"]):
                break
            if told["stamp"] != self.found.stamped(part):
                break
            good, end = good + len(line), told["end"]
            self._rows[part] = len(told["rows"])
            self._writer.rows += told["rows"]
            yield part, Loaded(counts=told["counts"], dropped=told["dropped"], error=told["error"])
        self.left = list(self.found.parts[len(self._rows) :])
        self._journal.truncate(good)
        self._raw.truncate(end)
        self._journal.seek(0, os.SEEK_END)
        self._raw.seek(0, os.SEEK_END)

    def clips_of(self, part: str) -> int:
        """How many clips a restored part has."""
        return self._rows[part]

    def add(self, part: str, loaded: Loaded) -> None:
        """Keep a part that was read. Raises BadInput for a clip that float16 cannot hold."""
        rows: list[Row] = [self._writer.add(clip) for clip in loaded.clips]
        entry = {"part": part, "stamp": loaded.stamp, "end": self._raw.tell(), "rows": rows}
        entry |= {"counts": dict(loaded.counts), "dropped": list(loaded.dropped), "error": loaded.error}
        self._waiting.append(json.dumps(entry) + "\n")
        if time.monotonic() - self._synced > SYNC:
            self._sync()

    def hint(self) -> str:
        """What to do about a part that cannot be read, to append to its sentence."""
        done = len(self._writer.rows)
        kept = f"; the {done:,} clips before it are kept, and the same command goes on from there" if done else ""
        return f" (--on-error skip leaves such parts out{kept})"

    def finish(self, header: Mapping[str, Any]) -> None:
        """Make the store, and leave nothing else behind."""
        self._writer.finish(self.path, header)
        self._close()
        shutil.rmtree(self.folder)

    def _sync(self) -> None:
        self._raw.flush()
        os.fdatasync(self._raw.fileno())
        self._journal.write("".join(self._waiting).encode())
        self._journal.flush()
        self._waiting, self._synced = [], time.monotonic()

    def _close(self) -> None:
        for file in (self._raw, self._journal, self._lock):
            file.close()


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A whole line of the journal, or None for one that a kill cut off."""
    try:
        return dict(json.loads(line)) if line.endswith(b"\n") else None
    except (ValueError, TypeError):
        return None

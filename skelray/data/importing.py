"""From a source to a store: parts read side by side, in bounded memory, and taken up again after a kill.

While an import runs, coordinates and a journal lie in a folder beside the store; a part is journaled once its
coordinates are on the disk. The same command goes on behind the last journaled part, unless that part's file, the
settings, the order of parts or this code changed. The store appears whole, at the end.
"""

import errno
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from skelray import atomic
from skelray.data import store
from skelray.data.arrow import refuse_half
from skelray.data.source import DataSet, Loaded
from skelray.data.unfinished import Unfinished
from skelray.data.workers import read_aside
from skelray.errors import BadInput

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # there is no room
OnError = Literal["stop", "skip"]


@dataclass
class Report:
    """What an import did, for the user and for the file beside the store."""

    source: str
    parts: int
    clips: int = 0
    kept: int = 0  # parts that an earlier, interrupted import had read already
    counts: Counter[str] = field(default_factory=Counter)  # rule -> how often it changed something
    dropped: list[tuple[str, str]] = field(default_factory=list)  # (clip, the rule that left it out)
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (part, why it cannot be read)

    def add(self, part: str, loaded: Loaded) -> None:
        """Count one part."""
        self.clips += len(loaded.clips)
        self.counts.update(loaded.counts)
        self.dropped += [(clip, rule) for clip, rule in loaded.dropped]
        self.skipped += [(part, loaded.error)] if loaded.error else []

    def sentences(self, most: int = 5) -> list[str]:
        """What a user should know of it, at most so many clips or parts by name."""
        told = [f"{self.kept:,} of {self.parts:,} parts were read before"] if self.kept else []
        told += [f"{rule}: {count:,}" for rule, count in sorted(self.counts.items())]
        for rule, count in Counter(rule for _, rule in self.dropped).most_common():
            names = [clip for clip, why in self.dropped if why == rule]
            told.append(f"left out, {rule}: {count:,} ({', '.join(names[:most])}{', ...' * (count > most)})")
        told += [f"skipped: {why}" for _, why in self.skipped[:most]]
        more = len(self.skipped) - most
        return told + ([f"skipped: {more:,} more, named in the report"] if more > 0 else [])

    def write(self, path: Path, **more: Any) -> None:
        """Keep it as JSON, with whatever else is to be kept. Raises BadInput when it cannot be written."""
        try:
            with atomic.whole(path) as unfinished:
                unfinished.write_text(json.dumps({**vars(self), **more}, indent=1, sort_keys=True))
        except OSError as error:
            why = error.strerror or error
            raise BadInput(f"{path}, the report, cannot be written: {why}; the store itself is whole") from error


def report_of(path: Path) -> Path:
    """Where the report of the import that made a store lies."""
    return path.with_suffix(".import.json")


def run(
    found: DataSet,
    path: Path,
    *,
    source: str,
    about: dict[str, Any],
    jobs: int = 1,
    on_error: OnError = "stop",
    half: bool = False,
    fresh: bool = False,
    advance: Callable[[int], None] = lambda parts: None,
) -> Report:
    """Make the store of a data set at `path`; `advance` hears how many more parts are done.

    `jobs`: processes that read; `half`: float16 coordinates; `fresh`: forget what an interrupted import had read.
    Raises BadInput for a part that cannot be read (on_error="stop"; what was read before it is kept), for a source
    without a clip, and when another import makes the same store.
    """
    told = {"units": found.units, "frame_rate": found.frame_rate, "licence": found.licence}
    header: dict[str, Any] = {"name": found.name, "classes": list(found.classes), "transforms": list(found.transforms)}
    header["about"] = {**{key: value for key, value in told.items() if value}, **about}
    plan = {**header, "source": source, "half": half, "skeleton": found.skeleton.model_dump(mode="json")}
    plan["code"] = _code()
    report = Report(source, len(found.parts))
    try:
        store.prepare(path)
        with Unfinished(path, found, plan, half=half, fresh=fresh) as work:
            for part, loaded in work.restored(stop=on_error == "stop"):
                report.add(part, loaded)
                report.clips += work.clips_of(part)
                report.kept += 1
            advance(report.kept)
            for part, loaded in _read(found, work.left, jobs, half):
                if loaded.error and on_error == "stop":
                    raise BadInput(loaded.error + work.hint())
                report.add(part, loaded)
                work.add(part, loaded)
                advance(1)
            if not report.clips:
                raise BadInput(f"{source}: no clip to store{_first(report)}")
            work.finish(header)
    except OSError as error:
        more = "; make room, and the same command goes on" if error.errno in FULL else ""
        raise BadInput(f"{path} cannot be written: {error.strerror or error}{more}") from error
    return report


def _read(found: DataSet, parts: list[str], jobs: int, half: bool) -> Iterator[tuple[str, Loaded]]:
    aside = jobs > 1 and not found.together
    read = read_aside(found, parts, jobs) if aside else found.read(parts)
    return zip(parts, map(_held_by_half, read) if half else read, strict=True)


def _held_by_half(loaded: Loaded) -> Loaded:
    """As it was read, or an error where float16 cannot hold one of its clips."""
    try:
        for clip in loaded.clips:
            refuse_half(clip)
    except BadInput as error:
        return Loaded(error=str(error), stamp=loaded.stamp)
    return loaded


def _code() -> str:
    """Changes with the code and the tables that read sources: what two versions read must not lie in one store."""
    folder = Path(__file__).parent
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".json", ".yaml"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def _first(report: Report) -> str:
    if report.skipped:
        return f" (none of its {report.parts} parts can be read; the first: {report.skipped[0][1]})"
    return f" (all were left out; the first, {report.dropped[0][0]}: {report.dropped[0][1]})" if report.dropped else ""

"""A file fetched from the web so that it is whole and right, or not there at all; a stopped download goes on.

Unfinished bytes lie in `NAME.part`; the final name appears when size and checksums agree. `NAME.sha256` beside it, in
the form that `sha256sum -c` reads, is what a later download is held to where nobody publishes a checksum.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skelray import atomic
from skelray.data.part import Part, Told
from skelray.data.web import Passing, Patience, Stale, ask
from skelray.errors import BadInput

RESERVE = 1 << 26  # bytes that a download leaves free on the disk: 64 MiB
PROGRESS = 1 << 20  # bytes that a try must bring to count as one that brought something
LARGEST = 1 << 36  # bytes of a file that nobody gives a size of: 64 GiB


@dataclass(frozen=True)
class Wanted:
    """A file on the web, and what is known of it beforehand."""

    url: str
    name: str  # under which it is kept; never what a server says
    size: int | None = None  # bytes
    sha256: str | None = None


def folder() -> Path:
    """Where downloads lie: $SKELRAY_DOWNLOADS, by default ~/.cache/skelray/downloads."""
    return Path(os.environ.get("SKELRAY_DOWNLOADS") or "~/.cache/skelray/downloads").expanduser()


def present(wanted: Wanted, where: Path) -> str | None:
    """The sha256 of the file when it is there, whole and right; None when it is not there.

    Raises BadInput when a file of that name is there which is not the one that is wanted.
    """
    path = where / wanted.name
    if not path.exists():
        return None
    expected = wanted.sha256 or recorded(path)
    if expected is None:
        raise BadInput(
            f"{path}: is there, but was not fetched by this command, and nothing tells whether it is whole; "
            "import it as it is, or move it away and repeat the command"
        )
    found = _sha256(path)
    if found != expected:
        raise BadInput(f"{path}: has the sha256 {found}, not {expected}; move it away and repeat the command")
    return found


def recorded(path: Path) -> str | None:
    """The sha256 that an earlier download noted beside the file. Raises BadInput when the note cannot be read."""
    note = _note(path)
    try:
        words = note.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{note}: cannot be read ({error})") from error
    if not words or not re.fullmatch(r"[0-9a-f]{64}", words[0]):
        raise BadInput(f"{note}:1: a sha256 of 64 digits is due; remove the file to trust the next download")
    return words[0]


def fetch(
    wanted: Wanted,
    where: Path,
    patience: Patience | None = None,
    progress: Callable[[int, int | None], object] = lambda have, total: None,
    say: Callable[[str], object] = lambda sentence: None,
) -> str:
    """Fetch the file into the folder `where`, or continue to, and return its sha256; a right one is not fetched again.

    `progress` hears bytes and the total, `say` why a try was not the last. Raises BadInput when it cannot be had.
    """
    patience = patience or Patience()
    path = where / wanted.name
    with _alone(path):
        found = present(wanted, where)
        if found is not None:
            return found
        try:
            with Part(path, wanted.url) as part:
                _until_complete(wanted, part, patience, progress, say)
                _check(wanted, part, path)
                _write_note(path, part.sha256)
                part.become(path)
                return part.sha256
        except OSError as error:  # a full disk, most often
            raise BadInput(
                f"{path}: cannot be written ({error.strerror or error}); the same command continues"
            ) from error


def _until_complete(
    wanted: Wanted,
    part: Part,
    patience: Patience,
    progress: Callable[[int, int | None], object],
    say: Callable[[str], object],
) -> None:
    failures, furthest = 0, part.have
    while not part.complete:
        try:
            _once(wanted, part, patience, progress)
        except Passing as reason:
            if isinstance(reason, Stale):
                part.drop()
            failures = 1 if part.have >= furthest + PROGRESS else failures + 1
            furthest = max(furthest, part.have)
            if failures >= patience.tries:
                often = f", {failures} times in a row" if failures > 1 else ""
                kept = f"; {part.have:,} bytes are kept and the same command continues" if part.have else ""
                raise BadInput(f"{wanted.url}: {reason}{often}{kept}") from reason
            pause = patience.before(failures, reason.after)
            say(f"{reason}; {part.have:,} bytes are here, trying again in {pause:g} s")
            patience.wait(pause)


def _once(wanted: Wanted, part: Part, patience: Patience, progress: Callable[[int, int | None], object]) -> None:
    url = wanted.url
    part.drop_if_useless()
    with ask(url, part.have, part.told.validator, patience) as answer:
        if wanted.size is not None and answer.total not in (None, wanted.size):
            part.drop()
            raise BadInput(f"{url}: the server offers {answer.total:,} bytes, but the file has {wanted.size:,}")
        known = wanted.size if answer.whole else part.told.total
        total = known if answer.total is None else answer.total
        if answer.whole:
            part.begin(Told(url=url, validator=answer.validator, total=total, md5=answer.md5))
        elif total != part.told.total or _another(answer.validator, part.told.validator):
            raise Stale(f"the file at {url} is not the one that was begun", 0.0)
        if total is None and not answer.ended:
            raise BadInput(f"{url}: the server does not say how long the file is; a cut one would look whole")
        limit = _limit(part, total)
        for piece in answer.pieces:
            if part.have + len(piece) > limit:
                part.drop()
                raise BadInput(f"{url}: more than {limit:,} bytes come, which no such file has; stopped reading")
            part.append(piece)
            progress(part.have, total)
    if total is not None and part.have < total:
        raise Passing(f"the answer ended at {part.have:,} of {total:,} bytes")
    part.ends_here()


def _another(validator: str, before: str) -> bool:
    """Two ETags, or two times of change, that differ; one of each says nothing."""
    alike = validator.startswith('"') == before.startswith('"')
    return bool(validator) and alike and validator != before


def _limit(part: Part, total: int | None) -> int:
    """Bytes that may come. Raises BadInput when the disk has no room for them."""
    free = shutil.disk_usage(part.path.parent).free - RESERVE
    if total is None:
        return min(LARGEST, part.have + max(0, free))
    if total - part.have > free:
        raise BadInput(
            f"{part.path.parent}: {total - part.have:,} bytes are still to come and {max(0, free):,} are free; "
            "make room, or choose another folder with --out"
        )
    return total


def _check(wanted: Wanted, part: Part, path: Path) -> None:
    """Raises BadInput, and keeps nothing, when what came is not what is wanted."""
    if wanted.size is not None and part.have != wanted.size:
        have = part.have
        part.drop()
        raise BadInput(f"{wanted.url}: {have:,} bytes came, but the file has {wanted.size:,}; they were thrown away")
    expected = wanted.sha256 or recorded(path)
    if expected is not None and part.sha256 != expected:
        found, hint = part.sha256, ""
        if wanted.sha256 is None:
            hint = f"; if the file was renewed on purpose, remove {_note(path)} and repeat the command"
        part.drop()
        raise BadInput(f"{wanted.url}: what came has the sha256 {found}, not {expected}; it was thrown away{hint}")
    if part.told.md5 and part.md5 != part.told.md5:
        found, told = part.md5, part.told.md5
        part.drop()
        raise BadInput(f"{wanted.url}: what came has the MD5 {found}, the server says {told}; it was thrown away")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the right to write `path`. Raises BadInput when another process holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f".{path.name}.lock").open("w")
    except OSError as error:
        raise BadInput(
            f"{path.parent}: cannot be written ({error.strerror}); set SKELRAY_DOWNLOADS or --out to a folder of yours"
        ) from error
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a dead process holds nothing
        except BlockingIOError:
            raise BadInput(f"{path}: another skelray is fetching it; wait for that one, or stop it") from None
        yield


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _write_note(path: Path, digest: str) -> None:
    with atomic.whole(_note(path)) as unfinished:
        unfinished.write_text(f"{digest}  {path.name}\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error

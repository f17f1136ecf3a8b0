"""A source as named files: a folder, a zip archive, or a folder with archives in it. Nothing is ever unpacked to disk.

A name is the path below the source, with "!" between an archive and what lies in it: `a/b.txt`, `raw.zip!a/b.txt`.
"""

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NoReturn

from skelray.errors import BadInput

LARGEST = 1 << 28  # bytes of a file that is read at once: 256 MiB
TIGHTEST = 1000  # times that a packed file may grow; deflate itself cannot do more than 1,032
BETWEEN = "!"
# What reading a damaged, encrypted or vanished file raises.
DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, KeyError)


@dataclass(frozen=True)
class Files:
    """The files of a source, by name. Cheap to send to another process."""

    root: Path  # a folder, or one archive or file

    def names(self, ending: str) -> list[str]:
        """The names that end so, archives looked into, in alphabetical order. Raises BadInput for a bad archive, or
        a folder that may not be looked into."""
        if not self.root.is_dir():
            if not zipfile.is_zipfile(self.root):
                raise BadInput(f"{self.root}: neither a folder nor a whole zip archive")
            return _members(self.root, ending)
        found = []
        for path in _below(self.root):
            name = path.relative_to(self.root).as_posix()
            if path.name.endswith(ending):
                found.append(name)
            elif path.suffix == ".zip":
                found += [f"{name}{BETWEEN}{member}" for member in _members(path, ending)]
        return sorted(found)

    def once(self, names: Iterable[str]) -> list[str]:
        """The names in the order of what the files themselves are called. Raises BadInput for two of one name."""
        found = sorted(names, key=lambda name: (stem(name), name))
        for one, following in pairwise(found):
            if stem(one) == stem(following):
                raise BadInput(f"{self.root}: {stem(one)} is there twice, as {one} and {following}; one has to go")
        return found

    def where(self, name: str) -> str:
        """The file as a user finds it, for messages."""
        return str(self.root / name) if self.root.is_dir() else f"{self.root}{BETWEEN}{name}"

    def stamp(self, name: str) -> str:
        """Size and time of change of the file, or of the archive that it lies in."""
        path = self._outer(name)
        try:
            known = path.stat()
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}") from error
        return f"{known.st_size} {known.st_mtime_ns}"

    def read(self, name: str, largest: int = LARGEST) -> bytes:
        """The contents. Raises BadInput for a file that is gone, damaged, outside the source, or larger than `largest`
        bytes, however well it is packed."""
        where = self.where(name)
        try:
            if self.root.is_dir() and BETWEEN not in name:
                return _read_plain(self.inside(name), where, largest)
            member = name.partition(BETWEEN)[2] if self.root.is_dir() else name
            return _read_packed(_archive(self._outer(name), self.stamp(name)), member, where, largest)
        except DAMAGE as error:
            raise BadInput(f"{where}: cannot be read ({error})") from error

    def inside(self, name: str) -> Path:
        """The path of a plain file of a folder. Raises BadInput when it leads out of the source."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            raise BadInput(f"{self.root}: {name!r} leads out of the folder; a file lies in it or below it")
        return self.root / path

    def _outer(self, name: str) -> Path:
        if not self.root.is_dir():
            return self.root
        return self.inside(name.partition(BETWEEN)[0])


def stem(name: str) -> str:
    """What a file is called, without folders, archive and ending."""
    return PurePosixPath(name.rpartition(BETWEEN)[2]).stem


def text(content: bytes, where: str) -> str:
    """Plain text. Raises BadInput, with the line, for anything that is not."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{where}:{line}: not text (byte {error.start} is 0x{content[error.start]:02x})") from error


def _below(folder: Path) -> Iterator[Path]:
    """Every file that is not hidden, in linked folders, too."""
    seen = {os.path.realpath(folder)}

    def refuse(error: OSError) -> NoReturn:
        raise BadInput(f"{error.filename}: {error.strerror}") from error

    try:
        for place, below, names in os.walk(folder, onerror=refuse, followlinks=True):
            # Each folder once, however many links lead to it: a link to a folder above it ends there.
            real = {os.path.realpath(Path(place, name)): name for name in sorted(below)}
            below[:] = [name for path, name in real.items() if path not in seen]
            seen.update(real)
            for path in (Path(place, name) for name in names if not name.startswith(".")):
                if path.is_file():
                    yield path
    except OSError as error:
        refuse(error)


@lru_cache(maxsize=64)
def _archive(path: Path, stamp: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)  # of this stamp: an archive that was replaced is opened anew


def _members(path: Path, ending: str) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BadInput(f"{path}: not a whole zip archive ({error})") from error
    found = []
    for entry in entries:
        place = PurePosixPath(entry.filename)
        if entry.is_dir() or place.name.startswith(".") or not place.name.endswith(ending):
            continue
        if place.is_absolute() or ".." in place.parts or "\\" in entry.filename:
            raise BadInput(f"{path}: holds {entry.filename!r}, which leads out of the archive")
        found.append(entry.filename)
    if len(found) != len(set(found)):
        twice = next(name for name in found if found.count(name) > 1)
        raise BadInput(f"{path}: holds {twice!r} twice")
    return sorted(found)


def _read_plain(path: Path, where: str, largest: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise BadInput(f"{where}: larger than {largest:,} bytes, which no such file is")
    return content


def _read_packed(archive: zipfile.ZipFile, member: str, where: str, largest: int) -> bytes:
    entry = archive.getinfo(member)
    if entry.file_size > largest or entry.file_size > TIGHTEST * max(1, entry.compress_size):
        raise BadInput(f"{where}: would unpack to {entry.file_size:,} bytes, which no such file does; not read")
    with archive.open(entry) as file:
        content = file.read(largest + 1)  # never more than this, whatever the archive says of its size
    if len(content) > largest:
        raise BadInput(f"{where}: larger than {largest:,} bytes, which no such file is")
    return content

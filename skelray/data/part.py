"""The unfinished file of a download: its bytes, what the server said of them, and their checksums so far."""

import hashlib
import os
from io import FileIO
from pathlib import Path
from types import TracebackType

from pydantic import Field, ValidationError

from skelray import atomic
from skelray.schema import Strict

PIECE = 1 << 20


class Told(Strict):
    """What is kept beside the unfinished file, so that the same command can continue it."""

    url: str
    validator: str = ""  # the version that the bytes are of
    total: int | None = Field(None, ge=0)
    md5: str = ""


class Part:
    """`NAME.part` and `NAME.part.json` beside the file that they become. A context manager; leaving it keeps both."""

    def __init__(self, path: Path, url: str) -> None:
        """Raises OSError when it cannot be read and written."""
        self.path = path.with_name(f"{path.name}.part")
        self._about = path.with_name(f"{path.name}.part.json")
        self.told = self._kept(url)
        self._file = FileIO(self.path, "a+")  # nothing is held back: what is counted survives a killed process
        self._count_from_disk()
        self.drop_if_useless()

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    @property
    def complete(self) -> bool:
        """Every byte that the server announced is there."""
        return self.told.total is not None and self.have == self.told.total

    @property
    def sha256(self) -> str:
        """Of what is there, in hexadecimal digits."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str:
        """Of what is there, in hexadecimal digits."""
        return self._md5.hexdigest()

    def begin(self, told: Told) -> None:
        """Start over, with what the server says of the bytes to come."""
        self.drop()
        self._write(told)

    def drop(self) -> None:
        """Throw the bytes away."""
        # the bytes go before what is known of them: whatever is killed between leaves nothing to continue wrongly
        self._file.truncate(0)
        self._about.unlink(missing_ok=True)
        self.told = Told(url=self.told.url)
        self._count_from_disk()

    def drop_if_useless(self) -> None:
        """Throw bytes away that cannot be continued: too many, or of a version that the server gave no name."""
        total = self.told.total
        nameless = not self.told.validator and not self.complete
        if self.have and (nameless or (total is not None and self.have > total)):
            self.drop()

    def append(self, piece: bytes) -> None:
        """Raises OSError when the disk is full."""
        rest = memoryview(piece)
        while rest:
            written = rest[: self._file.write(rest)]
            self._sha256.update(written)
            self._md5.update(written)
            self.have += len(written)
            rest = rest[len(written) :]

    def ends_here(self) -> None:
        """The server ended the file: its size is known now."""
        self._write(self.told.model_copy(update={"total": self.have}))

    def become(self, path: Path) -> None:
        """Take the final name."""
        atomic.flush(self.path)
        os.replace(self.path, path)
        self._about.unlink(missing_ok=True)

    def _kept(self, url: str) -> Told:
        try:
            told = Told.model_validate_json(self._about.read_bytes())
        except (OSError, ValidationError):
            return Told(url=url)
        return told if told.url == url else Told(url=url)

    def _write(self, told: Told) -> None:
        with atomic.whole(self._about) as unfinished:
            unfinished.write_text(told.model_dump_json(), encoding="utf-8")
        self.told = told

    def _count_from_disk(self) -> None:
        self.have = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            self._sha256.update(piece)
            self._md5.update(piece)
            self.have += len(piece)

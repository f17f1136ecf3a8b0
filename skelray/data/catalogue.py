"""What is known of the field's data sets: which files can be fetched, and whom to ask for the others.

The facts, each with the page that states it, lie in catalogue.yaml beside this module.
"""

from functools import lru_cache
from pathlib import Path

from pydantic import Field, model_validator

from skelray import yaml_file
from skelray.data.download import Wanted
from skelray.errors import BadInput, near
from skelray.schema import Strict

FILE = Path(__file__).with_suffix(".yaml")
ADDRESS = r"^https?://[^\s/]+/\S*$"
SHA256, MD5 = r"^[0-9a-f]{64}$", r"^([0-9a-f]{32})?$"


class Terms(Strict):
    """What the owner of the data allows."""

    sentence: str
    page: str = Field(pattern=ADDRESS)  # where the owner says so, or where to ask
    source: str = Field(pattern=ADDRESS)  # what the sentence rests on


class Copy(Strict):
    """A copy of the file that somebody else keeps."""

    size: int = Field(ge=1)  # bytes
    sha256: str = Field(pattern=SHA256)
    page: str = Field(pattern=ADDRESS)


class File(Strict):
    """A file that can be fetched without a form."""

    what: str
    url: str = Field(pattern=ADDRESS)
    name: str = Field(pattern=r"^[\w-][\w.-]*$")  # under which it is kept: no path
    size: int | None = Field(None, ge=1)  # bytes, as its owner publishes them
    sha256: str | None = Field(None, pattern=SHA256)
    copy_: Copy | None = Field(None, alias="copy")
    terms: str
    source: str = Field(pattern=ADDRESS)  # the page that links the file
    reader: str
    store: str

    @property
    def wanted(self) -> Wanted:
        """What a download is held to."""
        return Wanted(self.url, self.name, self.size, self.sha256)


class Needed(Strict):
    """A file to ask for."""

    name: str
    what: str
    md5: str = Field("", pattern=MD5)


class Page(Strict):
    """How to come by a data set that cannot simply be fetched."""

    what: str
    ask: str = Field(pattern=ADDRESS)
    how: str
    needed: tuple[Needed, ...]
    terms: str
    sources: tuple[str, ...]
    commands: tuple[str, ...]  # that make a store of it
    notes: tuple[str, ...]


class Catalogue(Strict):
    """Everything that `skelray data get` knows, by name."""

    terms: dict[str, Terms]
    files: dict[str, File]
    pages: dict[str, Page]

    @model_validator(mode="after")
    def _consistent(self) -> "Catalogue":
        for name, entry in self.entries.items():
            if entry.terms not in self.terms:
                raise ValueError(f"{name}: no terms named {entry.terms!r}{near(entry.terms, self.terms)}")
        if twice := set(self.files) & set(self.pages):
            raise ValueError(f"{', '.join(sorted(twice))}: both a file and a page")
        return self

    @property
    def entries(self) -> dict[str, File | Page]:
        """Files and pages, by name."""
        return {**self.files, **self.pages}

    def find(self, name: str) -> File | Page:
        """What is known under that name. Raises BadInput for a name nobody knows."""
        if name not in self.entries:
            hint = near(name, self.entries)
            raise BadInput(f"no data set {name!r}{hint} (`skelray data get` lists all {len(self.entries)})")
        return self.entries[name]

    def terms_of(self, entry: File | Page) -> Terms:
        """What its owner allows."""
        return self.terms[entry.terms]


@lru_cache
def read(path: Path = FILE) -> Catalogue:
    """The catalogue that comes with skelray, or another one. Raises BadInput when it is not as it should be."""
    return yaml_file.read(path).whole(Catalogue)

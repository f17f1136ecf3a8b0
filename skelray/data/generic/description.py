"""What a `skeletons.yaml` may say: its keys, their types and ranges, and which of them go together."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from skelray.errors import BadInput
from skelray.schema import Strict
from skelray.yaml_file import Document

FILE = "skeletons.yaml"
FIELDS = ("label", "subject", "camera", "setup", "replication", "recording", "side")  # what is known of a clip
TEXTS = (".csv",)
ARRAYS = (".npz", ".npy")
ENDINGS = (*ARRAYS, *TEXTS)


def _text(value: Any) -> Any:
    return str(value) if type(value) is int else value


Word = Annotated[str, BeforeValidator(_text), Field(max_length=300)]  # text; a whole number counts as its digits
Pattern = Annotated[str, Field(max_length=300)]  # a regular expression
Up = Literal["y", "-y", "z", "-z", "x", "-x"]


class Array(Strict):
    """How a clip lies in an .npz or .npy file."""

    key: str = Field("", description="the array of an .npz file; empty: its only one")
    axes: str = Field("T V C", description="M bodies, T frames, V joints, C coordinates; VC is one axis for both; 1")
    pick: tuple[Annotated[int, Field(ge=0, le=99)], ...] = Field(
        (), description="which numbers of a joint are its coordinates, counted from 0; empty: all"
    )


class Csv(Strict):
    """How a clip lies in a .csv file."""

    header: bool = Field(True, description="whether the first line names the columns")
    separator: str = Field(",", min_length=1, max_length=1, description="what stands between two cells")
    columns: str = Field(
        "", description="name of a coordinate's column, as {joint}_{axis}, {number}{AXIS}; empty: all others in order"
    )
    frame: Word = Field("", description="column of the frame number; empty: one line a frame")
    body: Word = Field("", description="column that tells bodies apart; it needs frame")
    timestamp: Word = Field("", description="column of the time; it must grow")
    timestamp_unit: Literal["seconds", "milliseconds", "microseconds"] = "seconds"


class FromNames(Strict):
    """What file names tell. A name is the path below the folder without its ending."""

    pattern: Pattern = Field("", description="a regular expression for the whole name, its groups named after fields")
    label: Pattern = Field("", description="a regular expression found anywhere in the name; its group is the field")
    subject: Pattern = ""
    camera: Pattern = ""
    setup: Pattern = ""
    replication: Pattern = ""
    recording: Pattern = ""
    side: Pattern = ""


class FromTable(Strict):
    """What a table tells: a .csv file with a header and one line a clip."""

    path: str = Field(description="the table, below the folder")
    separator: str = Field(",", min_length=1, max_length=1, description="what stands between two cells")
    file: str = Field("file", description="the column that names the clip's file, with or without its ending")
    label: str = Field("", description="the column of the label")
    subject: str = ""
    camera: str = ""
    setup: str = ""
    replication: str = ""
    recording: str = ""
    side: str = ""


class Split(Strict):
    """Which clips train and which test."""

    by: Literal["", "clip", "subject", "camera", "setup", "replication", "recording"] = Field(
        "", description="what stays together on one side"
    )
    column: str = Field("", description="a column of the table, in place of by")
    train: tuple[Word, ...] = Field((), description="the values that train; all others test")
    test_share: float | None = Field(None, gt=0, lt=1, description="share of the clips that tests, drawn by the seed")
    seed: int = Field(0, ge=0)


class Description(Strict):
    """A whole `skeletons.yaml`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="what the set is called")
    licence: str = Field("", max_length=1000, description="what may be done with the data, in a sentence")
    files: str = Field(min_length=1, max_length=300, description="which files are clips: *.npz, *.npy or *.csv")
    array: Array = Array()
    csv: Csv = Csv()

    layout: str = Field("", description="a layout that skelray knows, in place of joints, bones, mirror and parts")
    joints: tuple[Word, ...] = Field((), max_length=300, description="names, in the order of the data")
    bones: tuple[tuple[Word, Word], ...] = Field((), description="[child, parent] of every joint but the root")
    mirror: tuple[tuple[Word, Word], ...] = Field((), description="[left, right]")
    parts: dict[str, tuple[Word, ...]] = Field({}, description="body part: its joints")
    dimensions: Literal[2, 3] | None = Field(None, description="coordinates of a joint; none: the layout's, or 3")

    units: Literal["metres", "centimetres", "millimetres", "pixels", "other"]
    factor: float | None = Field(None, gt=0, description="metres in one unit; with units: other")
    image: tuple[Annotated[int, Field(ge=1, le=1_000_000)], Annotated[int, Field(ge=1, le=1_000_000)]] | None = Field(
        None, description="[width, height] of the image; with units: pixels"
    )
    up: Up | None = Field(None, description="the axis that points up; none: y, and -y for pixels")
    frame_rate: float | None = Field(None, gt=0, le=100_000, description="frames a second")
    missing: Literal["refuse", "interpolate", "zero"] = Field(
        "refuse", description="what to do where a value is missing"
    )
    zeros_are_missing: bool = Field(False, description="whether a joint at 0 in every coordinate was not found")
    trim: bool = Field(True, description="whether frames at both ends in which nobody is seen are cut off")

    classes: tuple[Word, ...] = Field(min_length=1, max_length=100_000)
    first_label: int | None = Field(None, ge=0, le=1_000_000, description="the number of the first class, for numbers")
    from_names: FromNames = FromNames()
    from_table: FromTable | None = None
    splits: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")], Split] = {}
    steps: tuple[str, ...] = Field((), description="alignment, done at import")

    @property
    def upward(self) -> Up:
        """The axis that points up. The rows of an image are counted downwards."""
        return self.up or ("-y" if self.units == "pixels" else "y")


def described(document: Document) -> Description:
    """What the file says. Raises BadInput, with line and key, for every mistake that needs no look at a clip."""
    told = document.whole(Description)
    _units_agree(document, told)
    kind = next((ending for ending in ENDINGS if told.files.endswith(ending)), None)
    if kind is None:
        raise document.error("files", f"{told.files!r} must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    unused = "array" if kind in TEXTS else "csv"
    if unused in document.data:
        raise document.error(unused, f"does not go with the files {told.files!r}; take it out")
    if told.array.key and kind != ".npz":
        raise document.error("array.key", "only an .npz file has named arrays; take it out")
    _fields_agree(document, told)
    for number, name in enumerate(told.classes):
        if name in told.classes[:number]:
            raise document.error(f"classes.{number}", f"{name!r} is named twice")
    for name, split in told.splits.items():
        _split_agrees(document, told, f"splits.{name}", split)
    return told


def _units_agree(document: Document, told: Description) -> None:
    for key, units, example in (("factor", "other", "0.0254 for inches"), ("image", "pixels", "[1920, 1080]")):
        given = getattr(told, key) is not None
        if given and told.units != units:
            raise document.error(key, f"goes with units: {units}, not {told.units}; take it out")
        if not given and told.units == units:
            raise document.error("units", f"{units} needs {key}, such as {example}")


def _fields_agree(document: Document, told: Description) -> None:
    if not told.csv.header:
        for key in ("frame", "body", "timestamp"):
            if (column := getattr(told.csv, key)) and not column.isdecimal():
                raise document.error(f"csv.{key}", f"without a header a column is a number from 0 on, not {column!r}")
        if told.csv.columns:
            raise document.error("csv.columns", "without a header columns have no names; take it out")
    columns = told.csv.columns
    if columns and not (re.search(r"\{(axis|AXIS)\}", columns) and re.search(r"\{(joint|number)\}", columns)):
        raise document.error("csv.columns", "needs {axis} and {joint} or {number}, as in {joint}_{axis}")
    if told.csv.body and not told.csv.frame:
        raise document.error("csv.body", "needs csv.frame: which lines belong to the same moment?")
    for key in ("separator", "from_table.separator"):
        owner = told.from_table if "." in key else told.csv
        if owner and owner.separator in '"\r\n\0':
            raise document.error(key if "." in key else f"csv.{key}", f"{owner.separator!r} cannot separate cells")


def _split_agrees(document: Document, told: Description, key: str, split: Split) -> None:
    if bool(split.by) == bool(split.column):
        raise document.error(key, "exactly one of by and column is due, such as by: subject")
    if split.column and told.from_table is None:
        raise document.error(f"{key}.column", "there is no table to have a column; say from_table, or by")
    if bool(split.train) == (split.test_share is not None):
        raise document.error(key, "exactly one of train (a list of values) and test_share (such as 0.25) is due")


def refusal(document: Document, key: str, error: BadInput) -> BadInput:
    """The same sentence, told at a key of the file."""
    return document.error(key, str(error))

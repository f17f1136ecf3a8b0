"""What is known of each clip before it is read: from file names and from a table, checked against each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from skelray.data.clip import TEST, TRAIN, UNKNOWN
from skelray.data.files import Files
from skelray.data.generic import cells, reading_names
from skelray.data.generic.description import FIELDS, Description, refusal
from skelray.errors import BadInput, near
from skelray.yaml_file import Document

NUMBERED = ("subject", "camera", "setup", "replication", "recording")
LARGEST_NUMBER = (1 << 31) - 1
SIDES = {"train": TRAIN, "test": TEST}

Facts = dict[str, str]


@dataclass(frozen=True)
class Row:
    """One clip's line of the table."""

    where: str  # file:line
    cells: Facts  # column -> cell


@dataclass(frozen=True)
class Listing:
    """The clips of a source, in order, and what is written about each."""

    names: list[str]  # of clips: paths below the description's folder, without their ending
    written: list[Facts]  # field -> as it is written; a field that is not known of a clip is not there
    where: list[str]  # whom to blame: the clip's file, or its line of the table
    rows: list[Row]  # of the table, one a clip; none without a table


def listing(document: Document, told: Description, files: Files, base: str, parts: Sequence[str]) -> Listing:
    """What is written about each part. `base` is the folder of the description within the source, "" or "a/b/"."""
    paths = [part.removeprefix(base) for part in parts]
    names = [path[: -len(PurePosixPath(path).suffix)] for path in paths]
    written = reading_names.facts(document, told, names)
    where = [files.where(part) for part in parts]
    rows: list[Row] = []
    if told.from_table is not None:
        columns = {field: name for field in FIELDS if (name := getattr(told.from_table, field))}
        for field in columns:
            if any(field in facts for facts in written):
                raise document.error(
                    f"from_table.{field}", f"from_names tells the {field} too; take out one of the two"
                )
        rows = _rows(document, told, files, base, paths, names)
        where = [row.where for row in rows]
        written = [
            facts | {field: row.cells[name] for field, name in columns.items() if row.cells[name]}
            for facts, row in zip(written, rows, strict=True)
        ]
    for facts, place in zip(written, where, strict=True):
        if not facts.get("label"):
            raise BadInput(f"{place}: no label; from_names or from_table must tell the label of every clip")
    return Listing(names, written, where, rows)


def labels(document: Document, told: Description, found: Listing) -> list[int]:
    """The class of each clip. Raises BadInput for a label that is no class, and for a class without a clip."""
    known = [_label(told, facts["label"], where) for facts, where in zip(found.written, found.where, strict=True)]
    present = set(known)
    for number, name in enumerate(told.classes):
        if number not in present:
            raise document.error(
                f"classes.{number}", f"no clip has the class {name!r}; take it out, or look for its clips"
            )
    return known


def numbers(found: Listing, field: str) -> tuple[list[int], str]:
    """A field as numbers, and what to note about them: text is numbered from 0 on in alphabetical order."""
    written = [facts.get(field) for facts in found.written]
    present = {each for each in written if each is not None}
    if all(_is_number(each) for each in present):
        return [UNKNOWN if each is None else int(each) for each in written], ""
    place = {each: number for number, each in enumerate(sorted(present))}
    listed = ", ".join(f"{number} {each}" for each, number in place.items())
    return [UNKNOWN if each is None else place[each] for each in written], f"{field} numbers: {listed}"


def given_sides(found: Listing) -> list[int] | None:
    """The side that the source names for each clip, if it does. Raises BadInput for another word than train or test."""
    if not any("side" in facts for facts in found.written):
        return None
    sides = []
    for facts, where in zip(found.written, found.where, strict=True):
        word = facts.get("side", "")
        if word.lower() not in SIDES:
            raise BadInput(f"{where}: the side {word!r} is neither train nor test")
        sides.append(SIDES[word.lower()])
    return sides


def _is_number(written: str) -> bool:
    return written.isascii() and written.isdecimal() and len(written) < 11 and int(written) <= LARGEST_NUMBER


def _label(told: Description, written: str, where: str) -> int:
    count, first = len(told.classes), told.first_label
    if first is None:
        if written in told.classes:
            return told.classes.index(written)
        numbers = "; say first_label: 0 or 1 where labels are numbers" if written.isdecimal() else ""
        listed = ", ".join(told.classes[:20]) + (", ..." if count > 20 else "")
        raise BadInput(f"{where}: no class {written!r}{near(written, told.classes)} (there are {listed}){numbers}")
    if not _is_number(written) or not first <= int(written) < first + count:
        raise BadInput(f"{where}: the label {written!r} is not one of {first}..{first + count - 1}")
    return int(written) - first


def _rows(
    document: Document, told: Description, files: Files, base: str, paths: Sequence[str], names: Sequence[str]
) -> list[Row]:
    """The line of each clip. Raises BadInput for a line without a file, a file without a line, and a file in two."""
    asked = told.from_table
    assert asked is not None
    table_at = files.where(base + asked.path)
    try:
        content = files.read(base + asked.path, cells.LARGEST)
    except BadInput as error:
        raise refusal(document, "from_table.path", error) from None
    lines = cells.rows(content, asked.separator, table_at)
    _, header = next(lines, (1, []))
    places = {field: getattr(asked, field) for field in ("file", *FIELDS)}
    places |= {f"splits.{name}.column": split.column for name, split in told.splits.items()}
    for key, name in places.items():
        try:
            cells.column(header, name) if name else None
        except BadInput as error:
            raise refusal(document, key if "." in key else f"from_table.{key}", error) from None
    number_of = {path: number for number, path in enumerate(paths)} | {name: n for n, name in enumerate(names)}
    found: dict[int, Row] = {}
    for line, written in lines:
        where = f"{table_at}:{line}"
        if len(written) != len(header):
            raise BadInput(f"{where}: {len(written)} cells, but the header has {len(header)}")
        row = Row(where, dict(zip(header, written, strict=True)))
        number = _number(row.cells[asked.file], number_of, where, told.files)
        if number in found:
            raise BadInput(f"{where}: {paths[number]!r} has a line already, at {found[number].where}")
        found[number] = row
    lacking = [path for number, path in enumerate(paths) if number not in found]
    if lacking:
        others = f" and {len(lacking) - 1} other files" if len(lacking) > 1 else ""
        raise document.error("from_table.path", f"{asked.path} has no line for {lacking[0]!r}{others}")
    return [found[number] for number in range(len(paths))]


def _number(path: str, number_of: dict[str, int], where: str, wanted: str) -> int:
    if path in number_of:
        return number_of[path]
    if not path:
        raise BadInput(f"{where}: names no file")
    if path.startswith("/") or "\\" in path or ".." in PurePosixPath(path).parts:
        raise BadInput(f"{where}: {path!r} leads out of the folder; a file lies in it or below it")
    hint = near(path, islice(number_of, 2000))
    raise BadInput(f"{where}: no file {path!r} among {wanted}{hint}; take the line out, or add the file")

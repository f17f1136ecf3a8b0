"""Cells of a .csv file, each with its line: for tables of clips and for clips that are tables."""

import csv
import io
from collections.abc import Iterator

from skelray.data.files import text
from skelray.errors import BadInput, near

LARGEST = 1 << 26  # bytes of a .csv file: an hour of a body at 30 frames a second


def rows(content: bytes, separator: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """(line number from 1, cells) of every line but empty ones at the end. Raises BadInput, with the line."""
    reader = csv.reader(io.StringIO(text(content, where), newline=""), delimiter=separator, strict=True)
    empty = 0  # the line of an empty line that something may follow
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadInput(f"{where}:{reader.line_num}: not a line of cells ({error})") from error
        if not row:
            empty = empty or reader.line_num
            continue
        if empty:
            raise BadInput(f"{where}:{empty}: an empty line between others; a line is due, or none")
        yield reader.line_num, [cell.strip() for cell in row]


def column(names: list[str], name: str) -> int:
    """The place of a column. Raises BadInput, without file and line, for one that is not there or there twice."""
    if names.count(name) > 1:
        raise BadInput(f"the column {name!r} is there {names.count(name)} times")
    if name not in names:
        listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise BadInput(f"no column {name!r}{near(name, names)} (there are {listed})")
    return names.index(name)

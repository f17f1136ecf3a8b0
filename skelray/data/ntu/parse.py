"""The text of one raw NTU `.skeleton` file, read exactly or refused with the line of the mistake.

A file is: the number of frames; per frame the number of bodies (0..6); per body a line of ten fields that begins with
the body's number (17 digits, so never a float), a line "25", and 25 lines of twelve numbers of which the first three
are x, y, z in metres (camera frame, y up, z away). Only these three are kept and must be finite: the Kinect could not
place every joint on the colour and depth pictures, and says nan or inf there.

There are two readers. `quickly` takes a file whose shape is beyond doubt, with Arrow's number parser, and gives up on
any doubt; `exactly` goes line by line, allows what `quickly` does not mind missing (tabs, blanks at the ends of lines,
other spellings of nan), and knows the line of a mistake. What both take, they read alike.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int
from pyarrow import csv

from skelray.errors import BadInput

JOINTS, MOST_BODIES = 25, 6
MOST_FRAMES = 100_000  # the longest real file has 300; a claim beyond this is damage, and memory is not given to it
NUMBERS, BODY_FIELDS = 12, 10  # of a joint's line, of a body's
BODY_LINES = JOINTS + 2
COUNT = re.compile(rb"\d{1,9}")
BODY = re.compile(rb"\d{1,20}")
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
NOT_PLACED = re.compile(rb"[+-]?(nan(\(\w*\))?|inf(inity)?|\d\.#\w+)", re.IGNORECASE)  # as different C libraries say it
SHAPE = np.array([BODY_FIELDS, 1] + [NUMBERS] * JOINTS)  # fields in the lines of one body
LARGEST = float(np.finfo(np.float32).max)
LINE_ENDS = np.frombuffer(b"\r\n", np.uint8)
COLUMNS = [str(number) for number in range(NUMBERS)]


@dataclass(frozen=True, slots=True)
class Recording:
    """What a file holds: one row for every body in every frame, in the order of the file."""

    frames: int  # of the file, those without a body included
    frame: Int[np.ndarray, "rows"]
    body: list[bytes]  # the body's number, as written
    joints: Float32[np.ndarray, "rows 25 3"]  # metres

    def line(self, row: int) -> int:
        """Where a body stands in the file: the line of its ten fields, counted from 1."""
        return 3 + int(self.frame[row]) + BODY_LINES * row


def parse(content: bytes, where: str) -> Recording:
    """The recording in a file's content. Raises BadInput with `where` and the line for anything that is not one."""
    return quickly(content) or exactly(content, where)


def quickly(content: bytes) -> Recording | None:
    """The recording, or None when a line has any unusual form: then `exactly` has to look."""
    text = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    if not len(text) or b"_" in content:  # which Python allows within a number
        return None
    if not np.isin(text[text < ord(" ")], LINE_ENDS).all():  # what stands in for a blank here need not be one elsewhere
        return None
    if not len(ends) or ends[-1] != len(text) - 1:
        ends = np.append(ends, len(text))
    begins = np.append(0, ends[:-1] + 1)
    try:
        frame, firsts, frames = _bodies(content, begins, ends)
    except ValueError:
        return None
    filled = text > ord(" ")
    words = np.flatnonzero(np.append(filled[0], filled[1:] > filled[:-1]))
    fields = np.diff(np.searchsorted(words, ends), prepend=0)
    if fields[0] != 1 or (fields[firsts[:, None] + np.arange(BODY_LINES)] != SHAPE).any():
        return None
    heads = [content[begins[line] : ends[line]].split() for line in firsts]
    counts = {content[begins[line] : ends[line]].strip() for line in firsts + 1}
    if counts - {b"%d" % JOINTS} or not all(BODY.fullmatch(head[0]) for head in heads):
        return None
    try:
        [float(word) for word in {word for head in heads for word in head[1:]}]
        joints = _numbers(content, len(firsts))
    except (ValueError, pa.ArrowInvalid):
        return None
    return None if joints is None else Recording(frames, frame, [head[0] for head in heads], joints)


def _bodies(
    content: bytes, begins: Int[np.ndarray, "lines"], ends: Int[np.ndarray, "lines"]
) -> tuple[Int[np.ndarray, "rows"], Int[np.ndarray, "rows"], int]:
    """Frame and first line of each body, and the number of frames. Raises ValueError when the counts do not add up."""

    def count(line: int) -> int:
        if line >= len(begins) or not COUNT.fullmatch(found := content[begins[line] : ends[line]].strip()):
            raise ValueError
        return int(found)

    frame: list[int] = []
    firsts: list[int] = []
    line = 1
    if (frames := count(0)) > MOST_FRAMES:
        raise ValueError
    for number in range(frames):
        bodies = count(line)
        if bodies > MOST_BODIES:
            raise ValueError
        firsts += range(line + 1, line + 1 + bodies * BODY_LINES, BODY_LINES)
        frame += [number] * bodies
        line += 1 + bodies * BODY_LINES
    if line > len(begins) or (line < len(begins) and content[begins[line] :].strip()):
        raise ValueError
    return np.array(frame, np.int64), np.array(firsts, np.int64), frames


def _numbers(content: bytes, rows: int) -> Float32[np.ndarray, "rows 25 3"] | None:
    """The first three of each line of twelve numbers; None when these are not finite or not all there."""
    if not rows:
        return np.zeros((0, JOINTS, 3), np.float32)
    table = csv.read_csv(
        pa.py_buffer(content),
        csv.ReadOptions(use_threads=False, column_names=COLUMNS, block_size=len(content) + 1),
        csv.ParseOptions(delimiter=" ", quote_char=False, invalid_row_handler=lambda row: "skip"),
        csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.float64()), null_values=[]),
    )
    if table.num_rows != rows * JOINTS:
        return None
    with np.errstate(over="ignore"):
        joints = np.stack([table.column(axis).to_numpy() for axis in range(3)], 1).astype(np.float32)
    return joints.reshape(rows, JOINTS, 3) if np.isfinite(joints).all() else None


class _Lines:
    """The lines of a file, taken one after the other; it knows where it is, to say so."""

    def __init__(self, content: bytes, where: str) -> None:
        self.lines = content.rstrip().split(b"\n")
        self.number, self.where = 0, where

    def wrong(self, sentence: str) -> BadInput:
        """The mistake in the line that was taken last."""
        return BadInput(f"{self.where}:{self.number}: {sentence}")

    def take(self, due: str) -> list[bytes]:
        """The fields of the next line. Raises BadInput when there is none, though `due` has yet to come."""
        self.number += 1
        if self.number > len(self.lines):
            raise self.wrong(f"the file ends before {due}; it is cut off, or its counts are wrong")
        return self.lines[self.number - 1].split()

    def count(self, what: str, most: int) -> int:
        """The one whole number of the next line."""
        fields = self.take(what)
        if len(fields) != 1 or not COUNT.fullmatch(fields[0]) or int(fields[0]) > most:
            raise self.wrong(f"{what} must be a number from 0 to {most:,}, not {shown(b' '.join(fields))}")
        return int(fields[0])


def shown(word: bytes) -> str:
    """A piece of a file as it can be printed."""
    return ascii(word[:40].decode("latin-1")) + ("..." if len(word) > 40 else "")


def exactly(content: bytes, where: str) -> Recording:
    """The recording, line by line. Raises BadInput with the line of the first mistake."""
    lines = _Lines(content, where)
    frames = lines.count("the number of frames", MOST_FRAMES)
    frame: list[int] = []
    body: list[bytes] = []
    joints: list[list[float]] = []
    for number in range(frames):
        place = f"frame {number + 1:,} of {frames:,}"
        for _ in range(lines.count(f"the number of bodies in {place}", MOST_BODIES)):
            body.append(_head(lines, place))
            frame.append(number)
            joints += [_joint(lines, place) for _ in range(JOINTS)]
    if lines.number < len(lines.lines):
        lines.number += 1
        raise lines.wrong(f"the file goes on after the {frames:,} frames that its first line counts")
    rows = np.array(joints, np.float32).reshape(len(body), JOINTS, 3)
    return Recording(frames, np.array(frame, np.int64), body, rows)


def _head(lines: _Lines, place: str) -> bytes:
    fields = lines.take(f"the end of {place}")
    if len(fields) != BODY_FIELDS:
        raise lines.wrong(f"a body's first line has {BODY_FIELDS} fields, not {len(fields)}")
    if not BODY.fullmatch(fields[0]):
        raise lines.wrong(f"a body's number is up to 20 digits, not {shown(fields[0])}")
    _plain(lines, fields, 1)
    if (joints := lines.take(f"the end of {place}")) != [b"%d" % JOINTS]:
        raise lines.wrong(f"a body has {JOINTS} joints, not {shown(b' '.join(joints))}")
    return fields[0]


def _joint(lines: _Lines, place: str) -> list[float]:
    fields = lines.take(f"the end of {place}")
    if len(fields) != NUMBERS:
        raise lines.wrong(f"a joint's line has {NUMBERS} numbers, not {len(fields)}")
    _plain(lines, fields, 3)
    for axis, field in zip("xyz", fields, strict=False):
        if not NUMBER.fullmatch(field) or abs(float(field)) > LARGEST:
            raise lines.wrong(f"{axis} must be a finite number of metres, not {shown(field)}")
    return [float(field) for field in fields[:3]]


def _plain(lines: _Lines, fields: list[bytes], first: int) -> None:
    """Raise BadInput unless the fields from `first` on are numbers, or say that there is none."""
    for field in fields[first:]:
        if not NUMBER.fullmatch(field) and not NOT_PLACED.fullmatch(field):
            raise lines.wrong(f"{shown(field)} stands where a number should")

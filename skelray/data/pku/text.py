"""The three kinds of text files of PKU-MMD. Every sentence of an error begins with file:line.

- skeleton: one line a frame, 150 numbers: two people x 25 joints x (x, y, z) in metres; zeros for who is not there;
- label: one line an action, `action,start,end,confidence`, frames counted as the skeleton's lines are;
- split: a heading, the names of the training videos in one line, a heading, those of the test videos.
"""

import io
import re
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from skelray.data.files import text
from skelray.errors import BadInput

WIDTH = 150  # 2 people x 25 joints x 3 coordinates
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
LABEL = re.compile(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*(,\s*[-+.\deE]+\s*)?", re.ASCII)


class Segment(NamedTuple):
    """One action in a video: frames start to end, the end excluded."""

    action: int  # from 1 on
    start: int
    end: int
    line: int  # of the label file


class Split(NamedTuple):
    """The videos that a split file names."""

    where: str
    train: frozenset[str]
    test: frozenset[str]  # empty where the file names the training side only


def video(content: bytes, where: str) -> Float32[np.ndarray, "2 T 25 3"]:
    """Both people in every frame of a video, in metres."""
    lines = _lines(content, where)
    if not lines:
        raise BadInput(f"{where}:1: empty; a video has a line of {WIDTH} numbers a frame")
    try:
        numbers = np.loadtxt(io.StringIO("\n".join(lines)), np.float64, comments=None, ndmin=2)
    except (ValueError, OverflowError) as error:
        raise _mistake(lines, where, str(error)) from error
    with np.errstate(over="ignore", invalid="ignore"):
        short = numbers.astype(np.float32)
    if short.shape != (len(lines), WIDTH) or not np.isfinite(short).all():
        raise _mistake(lines, where, f"{short.shape[0]} lines of {short.shape[1]} numbers")
    return short.reshape(-1, 2, 25, 3).transpose(1, 0, 2, 3)


def segments(content: bytes, where: str, actions: int, empty: bool = False) -> list[Segment]:
    """The actions of a video, in the order of the file; `empty`: also such as end before they begin."""
    found = []
    for number, line in enumerate(_lines(content, where), start=1):
        if not line.strip():
            continue
        match = LABEL.fullmatch(line)
        if match is None:
            raise BadInput(f"{where}:{number}: {line.strip()[:60]!r} is not action,start,end,confidence")
        action, start, end = map(int, match.groups()[:3])
        if not 1 <= action <= actions:
            raise BadInput(f"{where}:{number}: no action {action} (there are 1 to {actions})")
        if start >= end and not empty:
            raise BadInput(
                f"{where}:{number}: the action starts at frame {start}, but ends at {end}; it must end later, "
                "or be left out with --set beyond=cut"
            )
        found.append(Segment(action, start, end, number))
    if not found:
        raise BadInput(f"{where}:1: names no action; a line is action,start,end,confidence")
    return found


def split(content: bytes, where: str, name: re.Pattern[str]) -> Split:
    """The training videos and, if the file names them, the test videos; `name` is the form of a video's name."""
    lines = _lines(content, where)
    if len(lines) < 2 or not lines[1].strip():
        raise BadInput(f"{where}:2: no names; a split file has a heading, and the training videos in its second line")
    sides = []
    for number in (2, 4):
        line = lines[number - 1] if number <= len(lines) else ""
        names = [word for part in line.split(",") if (word := part.strip())]
        for word in names:
            if not name.fullmatch(word):
                raise BadInput(f"{where}:{number}: {word[:60]!r} is not the name of a video of this phase")
        sides.append(frozenset(names))
    if both := sides[0] & sides[1]:
        raise BadInput(f"{where}:4: {min(both)} is named for training in line 2 and for testing here")
    return Split(where, *sides)


def _lines(content: bytes, where: str) -> list[str]:
    """Without blank lines at the end. Line ends as any system writes them."""
    plain = text(content, where).replace("\r\n", "\n").replace("\r", "\n").rstrip()
    return plain.split("\n") if plain else []


def _mistake(lines: list[str], where: str, why: str) -> BadInput:
    """What is wrong with the first bad line of a skeleton file."""
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if "," in line:
            return BadInput(f"{where}:{number}: {line.strip()[:60]!r} looks like a label, not like {WIDTH} coordinates")
        if len(words) != WIDTH:
            return BadInput(f"{where}:{number}: {len(words)} numbers, not {WIDTH} (2 people x 25 joints x 3)")
        for word in words:
            if not NUMBER.fullmatch(word):
                return BadInput(f"{where}:{number}: {word[:60]!r} is not a number")
            if abs(float(word)) > float(np.finfo(np.float32).max):
                return BadInput(f"{where}:{number}: {word[:60]} is not finite as float32")
    return BadInput(f"{where}: not lines of {WIDTH} numbers ({why})")

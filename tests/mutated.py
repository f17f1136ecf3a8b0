"""Damaged copies of a file, from a fixed seed: cut, with bytes changed, with pieces lost, doubled, moved or odd."""

import random
from collections.abc import Callable, Iterator

from skelray.data.source import DataSet
from skelray.errors import BadInput

ODD = (
    b"nan",
    b"inf",
    b"-Infinity",
    b"1e39",
    b"-1",
    b"1e999",
    b"9" * 5000,
    b"0x10",
    b"1_0",
    "\u0663".encode(),
    b"true",
    b"null",
    b'"1.5"',
    b"",
    b"[" * 3000,
    b"\xff\xfe",
    b"\0",
)


def copies(
    content: bytes, count: int = 200, seed: int = 0, separators: tuple[bytes, ...] = (b"\n",)
) -> Iterator[bytes]:
    """`count` damaged copies; pieces of a text lie between one of the separators."""
    draw = random.Random(seed)
    for number in range(count):
        damage = (_cut, _flipped, _reordered, _odd)[number % 4]
        yield damage(content, draw, draw.choice(separators))


def survivors(read_source: Callable[[], DataSet]) -> int:
    """Read everything; only BadInput may come of it, or clips that a store takes. How many clips there were."""
    read, sentence = 0, ""
    try:
        read = sum(1 for _ in read_source().clips)  # checks each: shape, finite, label
    except BadInput as error:
        sentence = str(error)
    assert "\n" not in sentence, "an error is one sentence"
    return read


def _cut(content: bytes, draw: random.Random, _separator: bytes) -> bytes:
    return content[: draw.randrange(len(content))]


def _flipped(content: bytes, draw: random.Random, _separator: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.randint(1, 5)):
        changed[draw.randrange(len(changed))] ^= draw.randint(1, 255)
    return bytes(changed)


def _reordered(content: bytes, draw: random.Random, separator: bytes) -> bytes:
    pieces = content.split(separator)
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(pieces))
        piece = pieces.pop(place)
        if draw.random() < 0.7:  # else it is lost
            pieces.insert(draw.randint(0, len(pieces)), piece)
        if draw.random() < 0.4 or not pieces:
            pieces.insert(draw.randint(0, len(pieces)), piece)
    return separator.join(pieces)


def _odd(content: bytes, draw: random.Random, separator: bytes) -> bytes:
    pieces = content.split(separator)
    pieces[draw.randrange(len(pieces))] = draw.choice(ODD)
    return separator.join(pieces)

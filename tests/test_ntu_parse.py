"""The text of raw NTU files: read exactly, whatever the line ends; every mistake is told with its line."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from written_ntu import FIRST, person, text, tracks

from skelray.data.ntu.parse import exactly, parse, quickly
from skelray.errors import BadInput

COORDINATE = st.floats(-20, 20, width=32)
POSE = arrays.arrays(np.float32, (25, 3), elements=COORDINATE, fill=COORDINATE)
BODY = st.tuples(st.integers(FIRST, FIRST + 9), POSE)
FRAMES = st.lists(st.lists(BODY, max_size=6), max_size=4)
TWO = text(tracks(3, one=(range(3), person(3)), two=([1], person(1, 1))))  # lines: 1, then 28, 55 and 28 of them


def same(one, other):
    assert (one.frames, one.body) == (other.frames, other.body)
    np.testing.assert_array_equal(one.frame, other.frame)
    np.testing.assert_array_equal(one.joints, other.joints)


@settings(max_examples=50, deadline=None)
@given(FRAMES, st.sampled_from(["\n", "\r\n"]), st.sampled_from([None, "", "\n\n \n"]))
def test_whatever_is_written_is_read(frames, newline, end):
    content = text(frames, newline, end=end)
    found = parse(content, "a.skeleton")
    same(found, exactly(content, "a.skeleton"))
    assert found.frames == len(frames)
    assert found.frame.tolist() == [number for number, bodies in enumerate(frames) for _ in bodies]
    assert found.body == [b"%d" % body for bodies in frames for body, _ in bodies]
    for joints, pose in zip(found.joints, [pose for bodies in frames for _, pose in bodies], strict=True):
        np.testing.assert_array_equal(joints, pose)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_as_the_real_ones_are_is_read_the_quick_way(newline):
    assert quickly(text(tracks(2, one=([0, 1], person(2))), newline)) is not None


@pytest.mark.parametrize(
    "content",
    [
        text(tracks(2, one=([0, 1], person(2))), blank=" \t"),
        text(tracks(2, one=([0, 1], person(2)))).replace(b" ", b"\t"),
        text(tracks(2, one=([0, 1], person(2)))).replace(b" ", b"  "),
        text(tracks(2, one=([0, 1], person(2))), unseen="-1.#IND"),
    ],
)
def test_unusual_blanks_and_spellings_change_nothing(content):
    assert quickly(content) is None
    same(parse(content, "a"), parse(text(tracks(2, one=([0, 1], person(2)))), "a"))


@pytest.mark.parametrize("unseen", ["nan", "NaN", "-inf", "Infinity", "-nan(ind)", "1e400"])
def test_only_coordinates_must_be_finite(unseen):
    content = text(tracks(1, one=([0], person())), unseen=unseen)
    np.testing.assert_array_equal(parse(content, "a").joints, person())


def test_numbers_of_bodies_are_never_floats():
    assert float(FIRST) == float(FIRST + 1)
    frames = [[(FIRST, person()[0]), (FIRST + 1, person(seed=1)[0])]]
    assert parse(text(frames), "a").body == [b"%d" % FIRST, b"%d" % (FIRST + 1)]


def test_a_row_knows_its_line():
    frames = tracks(4, one=([0, 2, 3], person(3)), two=([2, 3], person(2, 1)))
    content = text(frames)
    found, lines = parse(content, "a"), content.split(b"\n")
    assert [lines[found.line(row) - 1].split()[0] for row in range(5)] == found.body


def at_line(number, old, new):
    """The two-body file with `old` replaced in one line; `old` None replaces the line, `new` None takes it out."""
    lines = TWO.split(b"\n")
    line = lines[number - 1]
    lines[number - 1 : number] = [] if new is None else [new if old is None else line.replace(old, new, 1)]
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "the number of frames must be a number from 0"),
        (b"\x00\x00\x00", 1, r"not '\\x00\\x00\\x00'"),
        (at_line(1, b"3", b"4"), 113, "the file ends before the number of bodies in frame 4 of 4"),
        (at_line(1, b"3", b"100000"), 113, "frame 4 of 100,000; it is cut off, or its counts are wrong"),
        (at_line(1, b"3", b"100001"), 1, "the number of frames must be a number from 0 to 100,000, not '100001'"),
        (at_line(1, b"3", b"9" * 5000), 1, "must be a number from 0 to 100,000, not '9{40}'..."),
        (at_line(1, b"3", b"2"), 85, "the file goes on after the 2 frames that its first line counts"),
        (at_line(1, b"3", b"-3"), 1, "not '-3'"),
        (at_line(2, b"1", b"7"), 2, "the number of bodies in frame 1 of 3 must be a number from 0 to 6, not '7'"),
        (at_line(2, b"1", b"2"), 30, "a body's first line has 10 fields, not 1"),
        (at_line(2, b"1", b"0"), 3, "the number of bodies in frame 2 of 3 must"),
        (at_line(3, b" 2", b""), 3, "a body's first line has 10 fields, not 9"),
        (at_line(3, b"%d" % FIRST, b"7.2e16"), 3, "a body's number is up to 20 digits, not '7.2e16'"),
        (at_line(3, b"0.02764709", b"left"), 3, "'left' stands where a number should"),
        (at_line(4, b"25", b"20"), 4, "a body has 25 joints, not '20'"),
        (at_line(9, b" 0", b""), 9, "a joint's line has 12 numbers, not 11"),
        (at_line(9, b" 0", b" 0 0"), 9, "a joint's line has 12 numbers, not 13"),
        (TWO.replace(b" 0 2\n", b" 0 2\r\0\n", 1), 5, "a joint's line has 12 numbers, not 13"),
        (at_line(9, b" 0", b" abc"), 9, "'abc' stands where a number should"),
        (at_line(9, b" 0", b" 1_0"), 9, "'1_0' stands where a number should"),
        (at_line(9, None, b"nan" + b" 0" * 11), 9, "x must be a finite number of metres, not 'nan'"),
        (at_line(9, None, b"0 1e39" + b" 0" * 10), 9, "y must be a finite number of metres, not '1e39'"),
        (at_line(9, None, b"0 0 -1.2.3" + b" 0" * 9), 9, "'-1.2.3'"),
        (at_line(9, None, None), 29, "a joint's line has 12 numbers, not 1"),
        (at_line(29, None, b""), 29, "a joint's line has 12 numbers, not 0"),
        (TWO + b"1\n", 113, "the file goes on"),
        (TWO[: len(TWO) // 2], 57, "a joint's line has 12 numbers, not 7"),
        (TWO[: TWO.index(b"\n", len(TWO) // 2)], 58, "the file ends before the end of frame 2 of 3"),
    ],
)
def test_a_mistake_is_told_with_its_line(content, line, message):
    with pytest.raises(BadInput, match=rf"^a\.skeleton:{line}: .*{message}"):
        parse(content, "a.skeleton")


def test_every_way_of_cutting_a_file_is_a_sentence():
    for length in range(0, len(TWO) - 2, 97):
        with pytest.raises(BadInput, match=r"^a\.skeleton:\d+: "):
            parse(TWO[:length], "a.skeleton")


def test_a_message_is_printable():
    with pytest.raises(BadInput) as caught:
        parse(at_line(9, None, b"\xff\x1b[2J\xe2\x80\xae" + b" 0" * 11), "a")
    assert re.fullmatch(r"[ -~]+", str(caught.value))

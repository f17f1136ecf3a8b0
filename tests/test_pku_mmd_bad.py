"""PKU-MMD files that are damaged or say nonsense: each is told with file and line, and none gives a wrong clip."""

from functools import partial

import numpy as np
import pytest
from mutated import copies, survivors
from written_pku import label_text, pku_folder, skeleton_text, split_text, walking

from skelray.data import readers
from skelray.errors import BadInput

PKU = readers.load("pku_mmd")
FRAMES = 12
LINES = skeleton_text(walking(FRAMES, bodies=2)).splitlines()


@pytest.fixture
def folder(tmp_path):
    videos = {"0002-L": (walking(FRAMES, bodies=2), [(8, 0, 5), (9, 5, FRAMES)])}
    return pku_folder(tmp_path, videos, train=["0002-L"], test=["0003-L"])


def line(number, text):
    """The skeleton file with another text in one line, counted from 1."""
    return "\n".join([*LINES[: number - 1], text, *LINES[number:]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "1: empty; a video has a line of 150 numbers a frame"),
        ("\n \n", "1: empty"),
        (line(3, " ".join(["0.5"] * 149)), r"3: 149 numbers, not 150 \(2 people x 25 joints x 3\)"),
        (line(4, " ".join(["0.5"] * 75)), "4: 75 numbers, not 150"),
        (line(5, ""), "5: 0 numbers, not 150"),
        (line(1, " ".join(["0.5"] * 149 + ["x"])), "1: 'x' is not a number"),
        (line(12, " ".join(["0.5"] * 149 + ["nan"])), "12: 'nan' is not a number"),
        (line(2, " ".join(["inf"] + ["0.5"] * 149)), "2: 'inf' is not a number"),
        (line(2, " ".join(["1_0"] + ["0.5"] * 149)), "2: '1_0' is not a number"),
        (line(7, " ".join(["1e39"] + ["0.5"] * 149)), "7: 1e39 is not finite as float32"),
        (line(7, " ".join(["1e999"] + ["0.5"] * 149)), "7: 1e999 is not finite as float32"),
        (line(1, "1,20,30,2"), "1: '1,20,30,2' looks like a label, not like 150 coordinates"),
        (label_text([(1, 2, 3)]), "1: '1,2,3,2' looks like a label"),
        (LINES[0] + "\n" + LINES[1][:200], r"2: \d+ numbers, not 150"),
    ],
)
def test_a_bad_skeleton_file_is_told_with_its_line(folder, content, message):
    (folder / "skeleton" / "0002-L.txt").write_text(content)
    with pytest.raises(BadInput, match=rf"skeleton/0002-L\.txt:{message}"):
        list(PKU.read(folder).clips)


def test_bytes_that_are_no_text_are_told_with_their_line(folder):
    content = "\n".join(LINES).encode()
    (folder / "skeleton" / "0002-L.txt").write_bytes(content.replace(b"\n", b"\n\xff", 1))
    with pytest.raises(BadInput, match=r"0002-L\.txt:2: not text"):
        list(PKU.read(folder).clips)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "1: names no action; a line is action,start,end,confidence"),
        ("1,0,5,2\n52,0,5,2\n", r"2: no action 52 \(there are 1 to 51\)"),
        ("0,0,5,2\n", "1: no action 0"),
        ("1,0,5,2\n\n1,5,5,2\n", "3: the action starts at frame 5, but ends at 5; it must end later"),
        ("1,5,2,2", "1: the action starts at frame 5, but ends at 2"),
        ("1,0,13,2", "1: the action ends at frame 13, but the video has 12; --set beyond=cut takes"),
        ("1,0,99999999999999,2", "1: '1,0,99999999999999,2' is not action,start,end,confidence"),
        ("1,-3,5,2", "1: '1,-3,5,2' is not action,start,end,confidence"),
        ("bow,0,5,2", "1: 'bow,0,5,2' is not"),
        ("1 0 5 2", "1: '1 0 5 2' is not"),
        ("1,0,5.5,2", "1: '1,0,5.5,2' is not"),
        ("1,0", "1: '1,0' is not"),
        ("1,0,5,2,7", "1: '1,0,5,2,7' is not"),
        ("\u0661,0,5,2", "1: .* is not action"),
    ],
)
def test_a_bad_label_file_is_told_with_its_line(folder, content, message):
    (folder / "label" / "0002-L.txt").write_text(content)
    with pytest.raises(BadInput, match=rf"label/0002-L\.txt:{message}"):
        list(PKU.read(folder).clips)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "2: no names; a split file has a heading, and the training videos in its second line"),
        ("Training videos:\n\n", "2: no names"),
        ("0002-L, 0003-L", "2: no names"),
        ("Training videos:\n0002-L, A01N01-L\n", "2: 'A01N01-L' is not the name of a video of this phase"),
        ("Training videos:\n0002-L; 0003-L\n", "2: '0002-L; 0003-L' is not the name"),
        (split_text(["0002-L"], ["0003-L", "x"]), "4: 'x' is not the name"),
        (split_text(["0002-L"], ["0002-L"]), "4: 0002-L is named for training in line 2 and for testing here"),
    ],
)
def test_a_bad_split_file_is_told_with_its_line_before_anything_is_read(folder, content, message):
    (folder / "cross_subject.txt").write_text(content)
    with pytest.raises(BadInput, match=rf"cross_subject\.txt:{message}"):
        PKU.read(folder)


def test_two_lists_of_one_split_are_refused(folder):
    (folder / "cross-subject.txt").write_text(split_text(["0002-L"]))
    with pytest.raises(BadInput, match=r"cross-subject\.txt and cross_subject\.txt both split by subject; choose with"):
        PKU.read(folder)


def test_a_folder_without_videos_is_refused_and_packed_files_are_named(tmp_path):
    with pytest.raises(BadInput, match=r"no skeleton files named like 0002-L\.txt or A01N01-L\.txt$"):
        PKU.read(tmp_path)
    with pytest.raises(BadInput, match="missing: neither a folder nor a whole zip archive"):
        PKU.read(tmp_path / "missing")
    (tmp_path / "Skeleton_v2.7z").write_bytes(b"7z")
    with pytest.raises(BadInput, match=r"no skeleton files .*; unpack Skeleton_v2\.7z first"):
        PKU.read(tmp_path)
    pku_folder(tmp_path, {"0002-L": (walking(3), [(1, 0, 3)])})
    with pytest.raises(BadInput, match=r"no skeleton files named like A01N01-L\.txt; unpack Skeleton_v2.7z first"):
        PKU.read(tmp_path, PKU.Options(phase=2))


def test_a_file_larger_than_any_video_is_not_read(folder):
    with (folder / "skeleton" / "0002-L.txt").open("wb") as file:
        file.truncate((1 << 26) + 1)
    with pytest.raises(BadInput, match="larger than 67,108,864 bytes"):
        list(PKU.read(folder).clips)


@pytest.mark.parametrize("place", ["skeleton/0002-L.txt", "label/0002-L.txt", "cross_subject.txt"])
def test_damaged_files_give_a_sentence_or_finite_clips(folder, place):
    content, read = (folder / place).read_bytes(), 0
    for damaged in copies(content, separators=(b"\n", b" ", b",")):
        (folder / place).write_bytes(damaged)
        read += survivors(partial(PKU.read, folder))
    assert 0 < read < 250  # of two clips in each of 200 copies


def test_a_clip_holds_only_what_its_lines_hold(folder):
    """A line that is lost moves the later ones, which nothing can notice; the others stay what they are."""
    (folder / "skeleton" / "0002-L.txt").write_text("\n".join(LINES[:-1]))
    (folder / "label" / "0002-L.txt").write_text("8,0,5\n9,5,11\n")
    first, second = PKU.read(folder).clips
    whole = walking(FRAMES, bodies=2)
    np.testing.assert_array_equal(first.joints, whole[:, :5])
    np.testing.assert_array_equal(second.joints, whole[:, 5:11])

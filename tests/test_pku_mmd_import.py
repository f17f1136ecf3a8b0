"""PKU-MMD by the command: two processes, a report of what is missing and why, and splits that a sweep can use."""

import json

import numpy as np
import pytest
from shell import skelray
from written_pku import label_text, pku_folder, split_text, walking

from skelray.data import splits, store

VIDEOS = {
    f"A01N{number:02}-{view}": (
        walking(60, bodies=1 + number % 2, seed=number),
        [(1 + (number + shift) % 3, 20 * shift, 20 * shift + 20) for shift in range(3)],
    )
    for number in range(1, 7)
    for view in "LMR"
}
TRAIN = [video for video in VIDEOS if int(video[4:6]) <= 4]


@pytest.fixture
def folder(tmp_path):
    source = pku_folder(tmp_path / "pku2", VIDEOS, train=TRAIN, ending="_v2")
    (source / "cross_view_v2.txt").write_text(split_text([video for video in VIDEOS if video[-1] != "L"]))
    return source


def test_the_command_makes_a_store_with_its_splits(folder, tmp_path, capsys):
    made = tmp_path / "pkummd2.arrow"
    assert skelray("data", "import", "pku_mmd", folder, made, "--jobs", "2", "--set", "longest=15") == 0
    opened = store.open(made)
    assert (opened.name, opened.clips, set(opened.frames)) == ("pkummd2", 54, {15})
    assert {"xsub", "xview"} <= set(splits.available(opened))
    assert splits.sizes(opened, "xsub") == (36, 18)
    assert splits.sizes(opened, "xview") == (36, 18)
    assert opened.about["options"]["longest"] == 15
    assert opened.transforms == ("clips: cut by label, end excluded, the first 15 frames of each",)
    assert [name for name in opened.clip_name[:4]] == [
        "A01N01-L-001",
        "A01N01-L-002",
        "A01N01-L-003",
        "A01N01-M-001",
    ]
    np.testing.assert_array_equal(opened.joints(1), VIDEOS["A01N01-L"][0][:, 20:35])
    assert "cut after 15 frames: 54" in capsys.readouterr().out


def test_an_import_without_a_split_says_so(folder, tmp_path, capsys):
    for path in folder.glob("cross_*.txt"):
        path.unlink()
    assert skelray("data", "import", "pku_mmd", folder, tmp_path / "pkummd2.arrow") == 0
    assert "no split: nothing in this store says which clips train and which test\n" in capsys.readouterr().out


def test_validation_parts_no_recording(folder, tmp_path):
    made = tmp_path / "pkummd2.arrow"
    assert skelray("data", "import", "pku_mmd", folder, made) == 0
    opened = store.open(made)
    with pytest.warns(UserWarning, match="does not know its subjects"):
        selection = splits.select(opened, "xsub", 2, seed=0)
    held, kept = set(opened.recording[selection.val]), set(opened.recording[selection.train])
    assert held | kept == {101, 102, 103, 104}
    assert held
    assert not held & kept


def test_bad_videos_are_skipped_on_request_and_told(folder, tmp_path, capsys):
    (folder / "label" / "A01N02-M.txt").write_text(label_text([(1, 0, 20), (52, 20, 40)]))
    (folder / "label" / "A01N03-R.txt").unlink()
    (folder / "skeleton" / "A01N05-L.txt").unlink()
    made = tmp_path / "pkummd2.arrow"
    assert skelray("data", "import", "pku_mmd", folder, made) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "label/A01N02-M.txt:2: no action 52 (there are 1 to 51)" in said
    assert not made.exists()
    assert skelray("data", "import", "pku_mmd", folder, made, "--on-error", "skip") == 0
    assert store.open(made).clips == 54 - 9
    report = json.loads(made.with_suffix(".import.json").read_text())
    assert [part for part, _ in report["skipped"]] == ["A01N02-M", "A01N03-R"]
    assert "no label file A01N03-R.txt" in report["skipped"][1][1]
    assert report["dropped"] == [["A01N05-L", "it has a label file, but no skeleton file"]]

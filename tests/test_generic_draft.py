"""The draft of a description: what the files show is filled in, and with the body filled in it imports."""

import re

import numpy as np
import pytest
import yaml
from shell import skelray
from written_generic import BODY, FIVE, arranged, array_bytes, csv_text, three_people, walk

from skelray import skeletons
from skelray.data import readers
from skelray.data.generic.draft import draft
from skelray.errors import BadInput

GENERIC = readers.load("generic")


def filled(folder, **changes):
    """The drafted description, with what only an owner knows, as the description of the folder."""
    text = draft(folder)
    (folder / "skeletons.yaml").write_text(text)
    told = yaml.safe_load(text) | changes
    (folder / "skeletons.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    return GENERIC.read(folder)


@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv"])
def test_with_the_body_filled_in_a_draft_imports(tmp_path, ending):
    written = three_people(tmp_path, ending)
    (tmp_path / "skeletons.yaml").unlink()
    found = filled(tmp_path, **BODY)
    assert found.classes == ("clap", "wave")
    for clip in found.clips:
        np.testing.assert_array_equal(clip.joints, written[clip.clip_name])
        assert (clip.label, clip.subject) == (int("wave" in clip.clip_name), int(clip.clip_name[2]))
        assert set(clip.sides) == {"xsub"}


def test_an_unfinished_draft_says_what_is_due(tmp_path):
    three_people(tmp_path)
    (tmp_path / "skeletons.yaml").write_text(draft(tmp_path))
    with pytest.raises(
        BadInput, match=r"skeletons\.yaml:\d+: bones: one joint, the root, has no parent, but here 5 do"
    ):
        GENERIC.read(tmp_path)


@pytest.mark.parametrize(
    ("axes", "guess", "bodies"),
    [
        ("T V C", "T V C", 1),
        ("M T V C", "M T V C", 2),
        ("C T V M", "C T V M", 2),
        ("T MVC", "T MVC", 2),
        ("C T V", "C T V", 1),
    ],
)
def test_the_axes_of_usual_bodies_are_found_and_nothing_is_left_to_fill_in(tmp_path, axes, guess, bodies):
    written = {}
    for number, name in enumerate(("A03S01", "A03S02", "A04S01", "A04S02")):
        written[name] = walk(6 + number, joints=25, bodies=bodies, seed=number)
        (tmp_path / f"{name}.npy").write_bytes(array_bytes(arranged(written[name], axes)))
    assert f"axes: {guess}  #" in draft(tmp_path)
    found = filled(tmp_path)
    assert found.skeleton == skeletons.layout("kinect25")
    assert found.classes == ("class 3", "class 4")
    for clip in found.clips:
        np.testing.assert_array_equal(clip.joints, written[clip.clip_name])
        assert (clip.label, clip.subject) == (int(clip.clip_name[2]) - 3, int(clip.clip_name[-1]))


def test_columns_and_a_table_are_found(tmp_path):
    text = csv_text(walk(bodies=2), FIVE, "{axis}.{joint}", True, "Frame", "person_id", "Timestamp", ";")
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "about.csv").write_text("clip,Gesture,Person\none,wave,7\ntwo,clap,8\nthree,wave,8\n")
    found = filled(tmp_path, **BODY)
    assert [(clip.clip_name, clip.label, clip.subject) for clip in found.clips] == [
        ("one", 1, 7),
        ("three", 1, 8),
        ("two", 0, 8),
    ]
    told = yaml.safe_load((tmp_path / "skeletons.yaml").read_text())
    assert told["csv"] == {
        "header": True,
        "separator": ";",
        "frame": "Frame",
        "body": "person_id",
        "timestamp": "Timestamp",
        "columns": "{axis}.{joint}",
    }


def test_folders_may_be_classes_and_large_flat_numbers_pixels(tmp_path):
    for folder in ("wave", "clap"):
        (tmp_path / folder).mkdir()
        for name in ("a_b", "b", "c1"):
            (tmp_path / folder / f"{name}.npy").write_bytes(array_bytes(300 * walk(joints=17, channels=2)[0]))
    found = filled(tmp_path)
    assert (found.classes, found.skeleton.channels, found.units) == (
        ("clap", "wave"),
        2,
        "half image widths and heights",
    )
    assert {clip.clip_name: clip.label for clip in found.clips}["wave/a_b"] == 1


def test_the_command_prints_a_draft_and_refuses_a_folder_without_clips(tmp_path, capsys):
    three_people(tmp_path)
    assert skelray("data", "describe", tmp_path) == 0
    printed = capsys.readouterr().out
    assert printed == draft(tmp_path)
    assert len(re.findall("CHECK", printed)) > 5
    (tmp_path / "none").mkdir()
    for folder in ("none", "missing"):
        assert skelray("data", "describe", tmp_path / folder) == 2
        assert "no .npz, .npy or .csv file to look at" in capsys.readouterr().err


def test_a_file_name_cannot_write_into_the_draft(tmp_path):
    (tmp_path / "a\nname: other\nb.npy").write_bytes(array_bytes(walk()[0]))
    told = yaml.safe_load(draft(tmp_path))
    assert told["name"] == re.sub(r"[^A-Za-z0-9._-]+", "-", tmp_path.name)

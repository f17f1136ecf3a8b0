"""`skelray data compare`: what a preparation did to coordinates is named, and so is every clip that differs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import five, people, person, stored
from scipy.spatial.transform import Rotation
from shell import skelray

from skelray.data import comparing, telling
from skelray.data.differing import difference

CLIP = np.stack([person(30, 0), person(30, 1)])


def changed(change, clips=None):
    """The clips with their coordinates changed."""
    return [replace(clip, joints=change(clip.joints).astype(np.float32)) for clip in clips or people()]


def compared(tmp_path, clips, first=None, **more):
    one = stored(tmp_path / "a.arrow", first or people())
    return comparing.compare(one, stored(tmp_path / "b.arrow", clips, **more))


def test_a_store_and_its_copy_differ_in_nothing(tmp_path):
    found = compared(tmp_path, people())
    assert found["same_fingerprint"] is True
    assert found["coordinates"]["ways"] == {"equal": 8}
    assert (found["common"], found["only_first"], found["only_second"], found["columns"]) == (8, [], [], {})
    assert telling.compared(found) == {
        "clips": "8 / 8, 8 in both",
        "layout": "the same, five",
        "classes": "the same",
        "transforms": "the same",
        "split given": "4 train / 4 test",
        "coordinates": "8 equal to the last bit",
    }


@given(seed=st.integers(0, 2**31), way=st.sampled_from(["moved", "turned", "scaled", "mirrored", "other"]))
@settings(max_examples=60, deadline=None)
def test_the_least_that_explains_a_difference_is_found(seed, way):
    random = np.random.default_rng(seed)
    joints = CLIP.astype(np.float64)
    if way in ("turned", "scaled", "mirrored"):
        joints = joints @ Rotation.random(rng=random).as_matrix().T
    if way == "scaled":
        joints = joints * random.choice([0.001, 1.7, 1000.0])
    if way == "mirrored":
        joints = joints * [-1, 1, 1]
    if way == "other":
        joints = joints + random.normal(0, 0.1, joints.shape)
    joints = joints + random.uniform(1, 3, 3)
    found = difference(CLIP, joints.astype(np.float32), 1e-3)
    assert found.way == way
    assert (found.left <= 1e-3) == (way != "other")


def test_a_flat_clip_is_turned_and_mirrored_too():
    flat = CLIP[..., :2].copy()
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    assert difference(flat, flat @ turn, 1e-3).way == "turned"
    assert difference(flat, flat * np.float32([-1, 1]), 1e-3).way == "mirrored"
    assert difference(flat, flat + np.float32(2), 1e-3).way == "moved"


def test_float16_and_the_tolerance():
    assert difference(CLIP, CLIP.astype(np.float16).astype(np.float32), 0.0).way == "float16"
    near = CLIP + np.random.default_rng(0).uniform(-4e-4, 4e-4, CLIP.shape).astype(np.float32)
    assert difference(CLIP, near, 1e-3).way == "close"
    assert difference(CLIP, near, 1e-5).way == "other"


def test_frames_without_a_body_do_not_hide_a_move():
    hidden = CLIP.copy()
    hidden[1, 10:] = 0
    moved = hidden + np.float32([1, 2, 3]) * hidden.any((-1, -2), keepdims=True)
    assert difference(hidden, moved, 1e-3).way == "moved"
    assert difference(CLIP, hidden, 1e-3).way == "unseen"


def test_every_clip_that_differs_is_named_with_the_distance(tmp_path):
    clips = people()
    clips[1] = replace(clips[1], joints=clips[1].joints + np.float32([0.3, 0, 0.4]))
    clips[2] = replace(clips[2], joints=clips[2].joints[:, :-1])
    clips[0] = replace(clips[0], joints=clips[0].joints[:1])
    clips[5] = replace(clips[5], joints=clips[5].joints * np.float32(1000))
    found = compared(tmp_path, clips)["coordinates"]
    assert found["ways"] == {"equal": 4, "moved": 1, "scaled": 1, "frames": 1, "bodies": 1}
    named = {"moved": ["clip<1>"], "scaled": ["clip<5>"], "frames": ["clip<2>"], "bodies": ["clip<0>"]}
    assert found["clips"] == named
    assert found["median_size"] == pytest.approx(1000)
    moved = people()
    moved[1] = clips[1]
    result = compared(tmp_path, moved)
    assert result["coordinates"]["largest_distance"] == pytest.approx(0.5, abs=1e-5)
    assert result["coordinates"]["mean_distance"] == pytest.approx(0.5 / 8, abs=1e-5)
    assert "mean 62.5 mm, largest 500 mm, at most" in telling.compared(result)["coordinates"]


def test_clips_labels_subjects_and_sides_that_differ_are_named(tmp_path):
    clips = people()[1:]
    clips[0] = replace(clips[0], label=0, subject=9)
    clips[2] = replace(clips[2], sides={"given": 0})
    clips.append(replace(clips[-1], clip_name="another"))
    found = compared(tmp_path, clips[::-1])
    assert (found["common"], found["only_first"], found["only_second"]) == (7, ["clip<0>"], ["another"])
    assert found["columns"] == {"label": [["clip<1>", "pick_up", "wave <b>"]], "subject": [["clip<1>", 1, 9]]}
    assert found["splits"] == [{"name": "given", "sizes": [[4, 4], [4, 4]], "other_side": ["clip<3>"]}]
    assert found["coordinates"]["ways"] == {"equal": 7}
    told = telling.compared(found)
    assert told["label"] == "differs for 1: clip<1> pick_up / wave <b>"
    assert told["order"] == "the common clips stand in another order"


def test_classes_in_another_order_are_no_other_labels(tmp_path):
    clips = [replace(clip, label=1 - clip.label) for clip in people()]
    found = compared(tmp_path, clips, classes=["pick_up", "wave <b>"])
    assert found["classes"]["reordered"] is True
    assert found["columns"] == {}


def test_joints_are_matched_by_name(tmp_path):
    order = [4, 2, 0, 1, 3]
    skeleton = five()
    joints = tuple(skeleton.joints[joint] for joint in order)
    parents = tuple(order.index(skeleton.parents[joint]) for joint in order)
    other = skeleton.model_copy(update={"joints": joints, "parents": parents, "mirror": (), "parts": {}})
    found = compared(tmp_path, changed(lambda joints: joints[:, :, order]), skeleton=other)
    assert found["layout"]["joints"]["reordered"] is True
    assert found["layout"]["bones_only_first"] == found["layout"]["bones_only_second"] == []
    assert found["coordinates"]["ways"] == {"equal": 8}


def test_layouts_that_cannot_be_compared(tmp_path):
    flat = compared(tmp_path, changed(lambda joints: joints[..., :2]), skeleton=five(2))
    assert flat["coordinates"]["ways"] == {"layout": 8}
    assert "3 / 2 coordinates" in telling.compared(flat)["layout"]
    renamed = five().model_copy(update={"joints": tuple("abcde")})
    assert compared(tmp_path, people(), skeleton=renamed)["coordinates"]["joints"] == []


def test_stores_without_a_common_clip_or_split(tmp_path):
    clips = [replace(clip, clip_name=f"other {number}", sides={}) for number, clip in enumerate(people())]
    told = telling.compared(compared(tmp_path, clips, about={"units": "millimetres"}), few=2)
    assert told["coordinates"] == "no common clip"
    assert told["only in the first"] == "8: clip<0>, clip<1> ..."
    assert told["split given"] == "4 train / 4 test against not served"
    assert told["units"] == "metres / millimetres"


def test_names_that_stand_for_two_clips(tmp_path):
    clips = people()
    clips[4] = replace(clips[4], clip_name="clip<3>")
    found = compared(tmp_path, clips, first=clips)
    assert (found["names_twice"], found["common"]) == (2, 7)
    assert found["coordinates"]["ways"] == {"equal": 7}


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    stored(tmp_path / "a.arrow", people())
    stored(tmp_path / "b.arrow", changed(lambda joints: joints + 1), half=True)
    assert skelray("data", "compare", tmp_path / "a.arrow", tmp_path / "b.arrow", "--tolerance", 0.01) == 0
    assert "8 another origin (clip<0>," in capsys.readouterr().out
    assert skelray("data", "compare", tmp_path / "a.arrow", tmp_path / "b.arrow", "--json", "--tolerance", 0.01) == 0
    assert json.loads(capsys.readouterr().out)["coordinates"]["ways"] == {"moved": 8}
    assert skelray("data", "compare", tmp_path / "a.arrow", tmp_path / "a.arrow") == 0
    assert "the same fingerprint: nothing differs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("a.arrow", "missing.arrow"), "no store at missing.arrow"),
        (("a.arrow", "a.arrow", "--tolerance", "nan"), "--tolerance nan: a distance of 0 or more is due"),
    ],
)
def test_mistakes_are_one_sentence(words, told, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored(tmp_path / "a.arrow", people())
    assert skelray("data", "compare", *words) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 1

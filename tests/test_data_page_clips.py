"""The clips of a data set's page: which ones, how large, how fast, and without what nobody saw."""

import re
from dataclasses import replace

import numpy as np
import pytest
from people import CLASSES, five, people, person, stored
from pictures import read

from skelray import skeletons
from skelray.data.clip import Clip
from skelray.show import clip as one_clip
from skelray.show import dataset, page, recorded


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("stores") / "people.arrow", people(), about={"frame_rate": 12.5})


@pytest.fixture(scope="module")
def text(opened):
    return dataset.text(opened)


def test_a_panel_a_class_with_the_training_clip_nearest_to_the_median(opened, text):
    panels = read(text)
    assert len(panels) == len(CLASSES)
    chosen, lacking = dataset.typical(opened)
    assert lacking == []
    for label, clip in chosen.items():
        mine = np.flatnonzero((opened.label == label) & (opened.sides["given"] == 0))
        lengths = opened.frames[mine]
        assert clip in mine
        assert abs(opened.frames[clip] - np.median(lengths)) == np.abs(lengths - np.median(lengths)).min()


def test_classes_that_only_test_are_named_and_not_shown(tmp_path):
    clips = [replace(clip, sides={"given": clip.label}) for clip in people()]
    opened = stored(tmp_path / "a.arrow", clips, classes=["wave", "kick <i>", "nobody"])
    chosen, lacking = dataset.typical(opened)
    assert (list(chosen), lacking) == ([0], ["kick <i>", "nobody"])
    text = dataset.text(opened)
    assert "No clip to show of: kick &lt;i&gt;, nobody." in text
    assert len(read(text)) == 1


def test_a_test_clip_of_any_split_gives_way_to_one_that_always_trains(tmp_path):
    clips = [
        replace(clip, label=0, sides={"one": int(number < 4), "two": int(number not in (3, 7))})
        for number, clip in enumerate(people())
    ]
    opened = stored(tmp_path / "a.arrow", clips)
    assert dataset.typical(opened)[0] == {0: 7}


def test_clips_are_drawn_to_the_millimetre_at_the_rate_of_the_store(opened, text):
    assert '"rate":12.5' in text
    assert "Played at 12.5 frames a second, as recorded." in text
    chosen, _ = dataset.typical(opened)
    seen = recorded.view(opened)
    assert (seen.up, seen.size) == ((1, 1), 1.0)
    for panel, clip in zip(read(text), chosen.values(), strict=True):
        joints = opened.joints(clip).reshape(-1, 3) * [-1, 1, 1]  # who faces the viewer has the left hand at the right
        assert np.abs(panel.places[:, :2] - joints[:, :2]).max() <= 0.5001e-3


def test_who_is_not_seen_is_not_drawn(tmp_path):
    late = np.stack([person(20, 0), person(20, 1)])
    late[1, :8] = 0
    late[0, 4, 3] = 0
    opened = stored(tmp_path / "a.arrow", [Clip("late", late, 0)])
    for text in (
        dataset.text(opened),
        page.text(one_clip.scene(opened, 0)),
    ):
        (panel,) = read(text)
        hidden = panel.hidden.reshape(2, 20, 5)
        assert hidden[1, :8].all()
        assert not hidden[1, 8:].any()
        assert np.argwhere(hidden[0]).tolist() == [[4, 3]]
        assert all("hidden" in circle["class"].split() for circle in panel.circles[5:])
        assert ".only .hidden { visibility: hidden; }" in text


def test_the_origin_is_drawn(tmp_path):
    clips = [replace(clip, joints=clip.joints - clip.joints[:1, :1, :1]) for clip in people()]
    opened = stored(tmp_path / "a.arrow", clips)
    assert all(panel.data["hidden"] == "" for panel in read(dataset.text(opened)))


@pytest.mark.parametrize("layout", ["coco17", "jhmdb15", "openpose18"])
def test_flat_bodies_in_pixels_stand_upright_and_fit(layout, tmp_path):
    skeleton = skeletons.layout(layout)
    skeleton = skeleton.model_copy(update={"channels": 2})
    rank = {
        "nose": 0,
        "eye": 0,
        "ear": 0,
        "face": 0,
        "neck": 1,
        "shoulder": 1,
        "elbow": 2,
        "belly": 2,
        "wrist": 3,
        "hip": 3,
    }
    rows = np.array([rank.get(name.split("_")[0], 4 + name.startswith("ankle")) for name in skeleton.joints])
    pose = np.stack([900 + 10 * np.arange(len(rows)), 300 + 100 * rows], -1)  # pixels count downwards
    joints = np.broadcast_to(pose, (1, 9, *pose.shape)).astype(np.float32)
    opened = stored(tmp_path / "a.arrow", [Clip("flat", joints, 0)], skeleton, about={"units": "pixels"})
    seen = recorded.view(opened)
    assert seen.up == (1, -1)
    assert seen.size * 500 == pytest.approx(recorded.HEIGHT)
    (panel,) = read(dataset.text(opened))
    y = np.array([float(circle["cy"]) for circle in panel.circles])
    assert y[rows == 0].max() < y[rows == 5].min()
    assert np.ptp(y) == pytest.approx(170, abs=0.2)
    assert (panel.places[:, 2] == 0).all()


def test_a_page_of_120_classes_of_two_people_stays_light(tmp_path):
    long = np.stack([person(300, body) for body in range(2)]).repeat(5, axis=2)
    joints = tuple(f"joint {number}" for number in range(25))
    skeleton = skeletons.Skeleton(name="long", joints=joints, parents=(0, *range(24)))
    clips = [Clip(f"c{label}", long, label, subject=label) for label in range(120)]
    opened = stored(tmp_path / "a.arrow", clips, skeleton, classes=[f"class {number}" for number in range(120)])
    text = dataset.text(opened)
    assert len(text.encode()) < 5_000_000
    panels = read(text)
    assert len(panels) == 120
    every = int(re.search(r"Every (\d+) frames one is shown", text)[1])
    assert len(panels[0].places) == 2 * 25 * -(-300 // every)
    assert f'"rate":{30 / every:g}' in text


def test_one_clip_of_one_frame_and_nobody_in_it(tmp_path):
    opened = stored(
        tmp_path / "a.arrow", [Clip("empty", np.zeros((1, 1, 5, 3), np.float32), 0)], five(), classes=["one"]
    )
    text = dataset.text(opened)
    assert "Neither subjects nor cameras are known." in text
    (panel,) = read(text)
    assert panel.hidden.all()


def test_names_keep_their_capitals(tmp_path):
    opened = stored(tmp_path / "a.arrow", people(), classes=["A001 Drink", "B"])
    assert one_clip.scene(opened, 0).title == "Clip 0 of people: A001 Drink, subject 0, camera 0"
    assert dataset.scene(opened, {0: 0}).panels[0].title == "A001 Drink"

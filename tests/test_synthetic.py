"""Synthetic motion: the same everywhere, human in its measures, and neither trivial nor hopeless."""

import numpy as np
import pytest
import torch

from skelray import skeletons
from skelray.batch import test_view
from skelray.data import loader, locate, splits, store, synthetic

KINECT25 = skeletons.layout("kinect25")
FINGERPRINT = "ad73aaf5745f069590441a7697c30c84ea6167fc65a93e419b65b00a98165e13"


@pytest.fixture(scope="module")
def whole(synthetic_stores):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKELRAY_STORES", str(synthetic_stores))
        return store.open(locate.find("synthetic"))


def test_it_has_what_its_documentation_says(whole):
    assert whole.clips == 1260
    assert len(whole.classes) == 14
    assert (np.bincount(whole.label) == 90).all()
    assert set(whole.subject) == set(range(1, 11))
    assert set(whole.camera) == {1, 2, 3}
    assert 0.08 < (whole.bodies == 2).mean() < 0.16
    assert whole.frames.min() >= 40
    assert whole.frames.max() <= 96
    assert len(np.unique(whole.digest)) == whole.clips
    for split, rule in splits.protocols()["synthetic"].items():
        assert splits.sizes(whole, split) == (rule["whole"]["train"], rule["whole"]["test"])


def test_every_build_is_the_same(whole):
    assert whole.fingerprint == FINGERPRINT, "clips changed: raise synthetic.VERSION and note the new fingerprint"


def test_the_small_set_is_small_and_keeps_its_splits(tmp_path):
    synthetic.build(tmp_path / "a.arrow", "synthetic-small")
    small = store.open(tmp_path / "a.arrow")
    assert (small.name, small.clips) == ("synthetic-small", 252)
    for split, rule in splits.protocols()["synthetic-small"].items():
        assert splits.sizes(small, split) == (rule["whole"]["train"], rule["whole"]["test"])
    assert set(small.label[splits.select(small, "xsub", 1, 0).val]) == set(range(14))


def test_bodies_have_human_measures(whole):
    joint, parent = np.array(KINECT25.bones).T
    lengths = np.linalg.norm(whole.rows[:, joint] - whole.rows[:, parent], axis=-1)
    median = dict(zip((KINECT25.joints[j] for j in joint), np.median(lengths, 0), strict=True))
    assert 0.35 < median["knee_left"] < 0.48
    assert 0.22 < median["elbow_right"] < 0.34
    assert np.median(lengths[:, joint == 13].std()) < 0.05
    np.testing.assert_allclose(whole.rows[whole.offset, 1], 0, atol=1e-6)  # mid-spine of the first frame
    heights = whole.rows[whole.offset, 3, 1] - whole.rows[whole.offset, 15, 1]
    assert 1.2 < np.median(heights) < 1.9


def test_subjects_differ_in_size(whole):
    thigh = np.linalg.norm(whole.rows[whole.offset, 13] - whole.rows[whole.offset, 12], axis=-1)
    per_subject = [np.median(thigh[whole.subject == subject]) for subject in range(1, 11)]
    assert max(per_subject) - min(per_subject) > 0.04


def test_bones_keep_their_length_but_for_the_sensor():
    names = KINECT25.joints
    angles = np.random.default_rng(0).normal(0, 1, (3, 5, 25, 3))
    size = np.random.default_rng(1).uniform(0.8, 1.2, (3, 25))
    joints = synthetic._kinematics(angles, size)
    for child, parent, offset in synthetic.recipe()["bones"]:
        bone = joints[:, :, names.index(child)] - joints[:, :, names.index(parent)]
        expected = np.linalg.norm(offset) * size[:, names.index(child)]
        np.testing.assert_allclose(np.linalg.norm(bone, axis=-1), np.repeat(expected[:, None], 5, 1))


def test_arms_and_legs_turn_the_way_the_recipe_means():
    names = KINECT25.joints
    angles = np.zeros((1, 3, 25, 3))
    angles[0, 0, names.index("shoulder_right"), 0] = np.pi / 2
    angles[0, 1, names.index("knee_left"), 0] = -np.pi / 2
    rest, raised, bent = (synthetic._kinematics(angles, np.ones((1, 25)))[0, frame] for frame in (2, 0, 1))
    hand = names.index("hand_right")
    assert raised[hand, 2] < rest[hand, 2] - 0.4  # forward is -z
    assert raised[hand, 1] > rest[hand, 1] + 0.4
    assert bent[names.index("foot_left"), 2] > 0.2  # a bent knee takes the foot back
    assert rest[names.index("hand_left"), 0] < 0 < rest[hand, 0]


def test_limbs_that_an_action_moves_move_most(whole):
    def travel(action, joint):
        clips = np.flatnonzero(whole.label == whole.classes.index(action))
        steps = [np.diff(whole.joints(clip)[0], axis=0) for clip in clips]
        moved = np.mean([np.linalg.norm(step, axis=-1).mean(0) for step in steps], 0)
        return moved[KINECT25.joints.index(joint)]

    assert travel("march", "knee_left") > 1.5 * travel("wave", "knee_left")
    assert travel("wave", "wrist_right") > travel("bow", "wrist_right")
    assert travel("jog", "ankle_left") > travel("march", "ankle_left") * 1.1


def test_raw_coordinates_tell_more_than_chance_and_less_than_all(whole):
    pool = loader.Pool(whole)
    selection = splits.select(whole, "xsub", 2, seed=0)

    def features(clips):
        (batch,) = loader.fixed(pool, clips, test_view(48), 2000)
        return batch.views[0][:, 0].flatten(1), batch.label

    (known, label), (query, truth) = features(selection.train), features(selection.val)
    nearest = (label[torch.cdist(query, known).argmin(1)] == truth).float().mean()
    assert 0.4 < nearest < 0.9

"""Origin and facing: what import does to coordinates once."""

import numpy as np
import pytest

from skelray import skeletons
from skelray.data import normalise


@pytest.mark.parametrize("name", ["kinect20", "kinect25"])
def test_a_turned_and_moved_clip_comes_back_the_same(name):
    skeleton = skeletons.layout(name)
    clip = np.random.default_rng(0).normal(0, 0.3, (2, 7, len(skeleton.joints), 3)).astype(np.float32)
    angle = 1.1
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32)
    moved = clip @ turn.T + np.array([0.4, -1.0, 3.0], np.float32)

    def aligned(joints):
        return normalise.yaw(normalise.hip_origin(joints, skeleton), skeleton)

    np.testing.assert_allclose(aligned(clip), aligned(moved), atol=1e-5)


def test_the_first_frame_stands_at_the_origin_and_faces_the_camera():
    skeleton = skeletons.layout("kinect20")
    clip = np.random.default_rng(0).normal(0, 0.3, (1, 7, 20, 3)).astype(np.float32)
    clip = normalise.yaw(normalise.hip_origin(clip, skeleton), skeleton)
    np.testing.assert_allclose(clip[0, 0, 0], 0, atol=1e-6)
    names = skeleton.joints
    across = sum(
        clip[0, 0, names.index(f"{p}_right")] - clip[0, 0, names.index(f"{p}_left")] for p in ("hip", "shoulder")
    )
    assert across[0] > 0
    assert abs(across[2]) < 1e-5


def test_heights_and_distances_stay():
    skeleton = skeletons.layout("kinect20")
    clip = np.random.default_rng(0).normal(0, 0.3, (1, 7, 20, 3)).astype(np.float32)
    turned = normalise.yaw(clip, skeleton)
    np.testing.assert_allclose(turned[..., 1], clip[..., 1], atol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(turned[:, 1:] - turned[:, :-1], axis=-1),
        np.linalg.norm(clip[:, 1:] - clip[:, :-1], axis=-1),
        atol=1e-5,
    )


def test_a_body_without_a_side_is_left_as_it_is():
    clip = np.zeros((1, 3, 20, 3), np.float32)
    np.testing.assert_array_equal(normalise.yaw(clip, skeletons.layout("kinect20")), clip)

"""What is missing in one's own clips: told from bodies that are not there, refused by default, mended on request."""

import numpy as np
import pytest
from written_generic import array_bytes, csv_text, described_in, walk

from skelray.data import readers
from skelray.errors import BadInput

GENERIC = readers.load("generic")
GAP = np.nan


def one_clip(folder, joints, **changes):
    """(clip, counts) of one clip written as an .npy file with all bodies."""
    described_in(folder, classes=["wave"], **{"array": {"axes": "M T V C"}, **changes})
    (folder / "s01_wave_1.npy").write_bytes(array_bytes(joints))
    found = GENERIC.read(folder)
    (loaded,) = found.read(found.parts)
    if loaded.error:
        raise BadInput(loaded.error)
    return loaded.clips[0].joints, dict(loaded.counts)


def test_a_missing_value_is_refused_with_its_place(tmp_path):
    joints = walk(bodies=2)
    joints[1, 3, 4, 0] = GAP
    with pytest.raises(BadInput, match=r"s01_wave_1\.npy: body 1, frame 3: joint 'head' has no value; say missing:"):
        one_clip(tmp_path, joints)


def test_a_missing_cell_is_refused_with_its_line(tmp_path):
    described_in(tmp_path, classes=["wave"], files="*.csv")
    joints = walk()
    joints[0, 3, 2, 1] = GAP
    (tmp_path / "s01_wave_1.csv").write_text(csv_text(joints))
    with pytest.raises(BadInput, match=r"s01_wave_1\.csv:5: joint 'hand_left' has no value"):
        list(GENERIC.read(tmp_path).clips)


@pytest.mark.parametrize("gap", [GAP, 0.0])
def test_a_body_that_is_not_there_in_a_frame_is_zeros_there(tmp_path, gap):
    joints = walk(bodies=3)
    joints[1, 2:4] = joints[2] = gap
    clip, counts = one_clip(tmp_path, joints)
    assert counts == {"frames in which a body is not seen, set to 0": 2, "bodies that are never seen, left out": 1}
    np.testing.assert_array_equal(clip, np.nan_to_num(joints[:2]))


@pytest.mark.parametrize("trim", [True, False])
def test_frames_at_the_ends_without_a_body_are_cut_off_unless_they_are_to_stay(tmp_path, trim):
    joints = walk(frames=9)
    joints[0, [0, 4, 7, 8]] = 0
    clip, counts = one_clip(tmp_path, joints, trim=trim)
    np.testing.assert_array_equal(clip, joints[:, 1:7] if trim else joints)
    assert counts.get("frames at the ends in which nobody is seen, cut off", 0) == 3 * trim
    assert counts["frames in which a body is not seen, set to 0"] == (1 if trim else 4)


def test_missing_values_are_filled_along_a_line(tmp_path):
    joints = np.broadcast_to(np.arange(1.0, 9)[None, :, None, None], (1, 8, 5, 3)).copy()
    whole = joints.copy()
    joints[0, 2:5, 1] = joints[0, 3] = GAP  # one joint for three frames, and the whole body for one of them
    clip, counts = one_clip(tmp_path, joints, missing="interpolate")
    np.testing.assert_allclose(clip, whole, rtol=1e-6)
    assert counts == {"missing values interpolated over time": 3 * 3 + 4 * 3}


def test_before_its_first_value_a_joint_rests_and_one_that_is_never_seen_is_zeros(tmp_path):
    joints = walk()
    joints[0, :2, 1] = joints[0, 5, 1] = joints[0, :, 4] = GAP
    clip, counts = one_clip(tmp_path, joints, missing="interpolate")
    np.testing.assert_array_equal(clip[0, [0, 1, 5], 1], joints[0, [2, 2, 4], 1])
    assert not clip[0, :, 4].any()
    assert counts == {
        "missing values interpolated over time": 9,
        "values of joints that are never seen, set to 0": 6 * 3,
    }


def test_a_body_neither_comes_earlier_nor_stays_longer_for_being_mended(tmp_path):
    joints = walk(bodies=2)
    joints[1, [0, 3, 5]] = GAP
    clip, _ = one_clip(tmp_path, joints, missing="interpolate")
    assert not clip[1, [0, 5]].any()
    np.testing.assert_allclose(clip[1, 3], (joints[1, 2] + joints[1, 4]) / 2, rtol=1e-6)


def test_missing_values_become_zeros_in_the_finished_clip(tmp_path):
    joints = walk(channels=2) * 100
    joints[0, 1, 2] = GAP
    clip, counts = one_clip(tmp_path, joints, missing="zero", units="pixels", image=[640, 480], dimensions=2)
    assert not clip[0, 1, 2].any()
    assert np.count_nonzero(clip) == clip.size - 2
    assert counts == {"missing values set to 0": 2}


def test_a_joint_at_zero_is_missing_where_that_is_said(tmp_path):
    joints = walk(frames=3)
    joints[0, 1, 2] = 0
    clip, counts = one_clip(tmp_path, joints)
    np.testing.assert_array_equal(clip, joints)
    assert counts == {}
    clip, counts = one_clip(tmp_path, joints, zeros_are_missing=True, missing="interpolate")
    np.testing.assert_allclose(clip[0, 1, 2], (joints[0, 0, 2] + joints[0, 2, 2]) / 2, rtol=1e-6)
    assert counts == {"missing values interpolated over time": 3}
    with pytest.raises(BadInput, match="frame 1: joint 'hand_left' has no value"):
        one_clip(tmp_path, joints, zeros_are_missing=True)


@pytest.mark.parametrize("joints", [np.full((1, 4, 5, 3), GAP), np.zeros((2, 4, 5, 3)), np.zeros((1, 0, 5, 3))])
def test_a_clip_without_a_body_is_refused(tmp_path, joints):
    with pytest.raises(BadInput, match=r"s01_wave_1\.npy: no body in any frame"):
        one_clip(tmp_path, joints)


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.inf, "joint 'hip' is infinite"), (-np.inf, "infinite"), (1e39, "a coordinate that is too large")],
)
def test_numbers_out_of_range_are_refused(tmp_path, value, message):
    joints = walk().astype(np.float64)
    joints[0, 2, 0, 1] = value
    with pytest.raises(BadInput, match=rf"s01_wave_1\.npy: .*{message}"):
        one_clip(tmp_path, joints)


def test_frames_that_a_table_leaves_out_are_frames_without_a_body(tmp_path):
    described_in(tmp_path, classes=["wave"], files="*.csv", csv={"frame": "moment"})
    joints = walk()
    lines = csv_text(joints, frame="moment").splitlines()
    (tmp_path / "s01_wave_1.csv").write_text("\n".join(lines[:3] + lines[4:]))
    (clip,) = GENERIC.read(tmp_path).clips
    assert not clip.joints[0, 2].any()
    np.testing.assert_array_equal(np.delete(clip.joints, 2, 1), np.delete(joints, 2, 1))


def test_timestamps_of_another_rate_are_counted(tmp_path):
    text = csv_text(walk(), frame="moment", time="at")
    for rate, count in ((30, 0), (25, 1)):
        csv = {"frame": "moment", "timestamp": "at"}
        described_in(tmp_path, classes=["wave"], files="*.csv", frame_rate=rate, csv=csv)
        (tmp_path / "s01_wave_1.csv").write_text(text)
        found = GENERIC.read(tmp_path)
        (loaded,) = found.read(found.parts)
        assert sum(loaded.counts.values()) == count

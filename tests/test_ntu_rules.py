"""Each rule of the official preparation on a case made for it: which bodies stay, and what their motion is."""

from dataclasses import replace

import numpy as np
import pytest
from written_ntu import FIRST, person, text, tracks

from skelray.data.ntu import denoise
from skelray.data.ntu.parse import parse
from skelray.errors import BadInput


def found(frames, keep_empty=False, compressed=True):
    return denoise.tracks(parse(text(frames), "a"), "a.skeleton", keep_empty, compressed)


def bodies(tracks_of):
    return [int(track.body) - FIRST for track in tracks_of]


def test_a_body_that_comes_back_closes_its_gap():
    frames = tracks(10, one=(range(10), person(10)), two=([2, 3, 7, 9], person(4, 1)))
    one, two = found(frames)
    assert (one.interval, one.closed) == ((0, 9), False)
    assert two.frames.tolist() == [2, 3, 4, 5]
    assert two.closed
    one, two = found(frames, compressed=False)
    assert two.frames.tolist() == [2, 3, 7, 9]
    assert not two.closed
    np.testing.assert_array_equal(two.joints, person(4, 1))


def test_frames_without_a_body_do_not_count():
    frames = tracks(8, one=([1, 2, 5, 6], person(4)))
    (one,) = found(frames, compressed=False)
    assert one.frames.tolist() == [0, 1, 2, 3]
    (one,) = found(frames, keep_empty=True, compressed=False)
    assert one.frames.tolist() == [1, 2, 5, 6]
    assert denoise.places(parse(text(frames), "a"), keep_empty=False)[1] == 4
    assert denoise.places(parse(text(frames), "a"), keep_empty=True)[1] == 8


def test_motion_is_the_variance_of_all_points_summed_over_the_axes():
    joints = person(7, sway=0.4)
    points = joints.reshape(-1, 3).astype(np.float64)
    expected = sum(np.mean((axis - axis.mean()) ** 2) for axis in points.T)
    assert denoise.motion(joints) == pytest.approx(expected, rel=1e-5)
    assert denoise.motion(joints + np.float32(2)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("frames", "stays"), [(11, False), (12, True)])
def test_a_body_needs_more_than_eleven_frames(frames, stays):
    made = found(tracks(20, one=(range(20), person(20)), two=(range(3, 3 + frames), person(frames, 1))))
    assert bodies(denoise.by_length(made)) == ([0, 1] if stays else [0])


def test_the_rule_of_length_can_leave_nobody():
    assert denoise.by_length(found(tracks(8, one=(range(8), person(8)), two=(range(8), person(8, 1))))) == []


def test_a_frame_is_good_up_to_four_fifths_of_the_height():
    joints = np.zeros((4, 25, 3), np.float32)
    joints[:, 0, 0] = (0.75, 0.8, 0.85, 0)
    joints[:, 0, 1] = (1, 1, 1, 0)
    joints[:, 0, 2] = 9
    assert denoise.narrow(joints).tolist() == [True, False, False, True]  # 0.8 itself: float32 rounds it up
    joints[1, 0, :2] = (4, 5)
    assert denoise.narrow(joints)[1]


def lying(frames, wide, seed=1):
    """A body that is too wide in the first `wide` frames."""
    return np.concatenate([person(wide, seed, width=2.0), person(frames - wide, seed)])


@pytest.mark.parametrize(("wide", "stays"), [(69, True), (70, False)])
def test_a_body_that_is_too_wide_in_seventy_of_a_hundred_frames_goes(wide, stays):
    made = found(tracks(100, one=(range(100), person(100)), two=(range(100), lying(100, wide))))
    assert bodies(denoise.by_spread(made)) == ([0, 1] if stays else [0])


@pytest.mark.parametrize(("wide", "stays"), [(30137, True), (30138, False)])
def test_the_share_of_wide_frames_is_the_released_one_to_its_last_digit(wide, stays):
    joints = np.zeros((43206, 25, 3), np.float32)  # 30138 / 43206 is the first share above 0.69754 of so many frames
    joints[:, 0, 1] = 1
    joints[:wide, 0, 0] = 1
    two = denoise.Track(b"2", np.arange(len(joints)), joints, 1.0)
    assert len(denoise.by_spread([denoise.Track(b"1", np.arange(9), person(9), 1.0), two])) == 1 + stays


def test_the_last_body_stays_however_wide_it_is():
    made = found(tracks(20, one=(range(20), lying(20, 20)), two=(range(20), lying(20, 20, 2))))
    assert bodies(denoise.by_spread(made)) == [1]
    three = found(
        tracks(20, one=(range(20), lying(20, 20)), two=(range(20), person(20)), three=(range(20), lying(20, 20, 2)))
    )
    assert bodies(denoise.by_spread(three)) == [1]


def test_motion_is_measured_anew_on_good_frames_where_it_gets_smaller():
    joints = lying(20, 6)
    made = found(tracks(20, one=(range(20), person(20)), two=(range(20), joints)))
    one, two = denoise.by_spread(made)
    assert one.motion == made[0].motion
    assert two.motion == denoise.motion(joints[6:]) < made[1].motion
    np.testing.assert_array_equal(two.joints, joints)  # the wide frames themselves stay
    one, two = denoise.by_spread([made[0], replace(made[1], motion=0.01)])
    assert two.motion == 0.01


def test_the_rule_of_motion_judges_all_but_the_first():
    def moving(motion, body):
        return denoise.Track(body, np.arange(2), person(2), motion)

    made = [moving(0.05, b"1"), moving(0.0899, b"2"), moving(0.09, b"3"), moving(2.0, b"4"), moving(2.1, b"5")]
    assert [track.body for track in denoise.by_motion(made)] == [b"5", b"4", b"3"]
    assert [track.body for track in denoise.by_motion([moving(9.0, b"1"), moving(8.0, b"2")])] == [b"1"]
    assert [track.body for track in denoise.by_motion([moving(0.0, b"1"), moving(0.0, b"2")])] == [b"1"]


def test_equal_motion_keeps_the_order_of_appearance():
    made = [denoise.Track(b"%d" % number, np.arange(2), person(2), 1.0) for number in range(4)]
    assert denoise.by_most_motion(made) == made


def test_a_body_twice_in_a_frame_is_told_with_its_line():
    one = person(2)
    frames = [[(FIRST, one[0])], [(FIRST, one[0]), (FIRST, one[1])]]
    with pytest.raises(BadInput, match=rf"a\.skeleton:58: the body {FIRST} is listed twice in one frame"):
        found(frames)

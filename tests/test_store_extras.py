"""What some stores have beside the rest: named sides, recordings, float16 coordinates, and what is known about them."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_store import CLASSES, tiny_clips, tiny_store

from skelray import skeletons
from skelray.data import store
from skelray.errors import BadInput

KINECT20 = skeletons.layout("kinect20")


def test_named_sides_and_recordings_come_back_and_count_for_the_fingerprint(tmp_path):
    clips = tiny_clips()
    plain = tiny_store(tmp_path / "plain.arrow", clips)
    assert plain.sides == {}
    assert set(plain.recording) == {-1}
    told = [replace(clip, sides={"given": i % 2, "xset": 1 - i % 2}, recording=i // 3) for i, clip in enumerate(clips)]
    opened = tiny_store(tmp_path / "told.arrow", told)
    assert {name: list(side) for name, side in opened.sides.items()} == {
        "given": [i % 2 for i in range(len(clips))],
        "xset": [1 - i % 2 for i in range(len(clips))],
    }
    assert list(opened.recording) == [i // 3 for i in range(len(clips))]
    other = tiny_store(tmp_path / "other.arrow", [*told[:-1], replace(told[-1], recording=999)])
    assert len({plain.fingerprint, opened.fingerprint, other.fingerprint}) == 3


def test_float16_halves_the_file_and_rounds_to_eleven_bits(tmp_path):
    clips = [replace(clip, joints=np.repeat(clip.joints, 100, 1)) for clip in tiny_clips()]
    store.write(tmp_path / "half.arrow", clips, KINECT20, "x", CLASSES, half=True)
    whole, half = tiny_store(tmp_path / "whole.arrow", clips, name="x"), store.open(tmp_path / "half.arrow")
    assert half.half
    assert not whole.half
    assert half.path.stat().st_size / whole.path.stat().st_size == pytest.approx(0.5, abs=0.02)
    assert half.rows.dtype == np.float16
    error = np.abs(half.rows.astype(np.float32) - whole.rows)
    assert (error <= np.abs(whole.rows) * 2.0**-11 + 2.0**-25).all()
    half.verify()
    assert half.fingerprint != whole.fingerprint


def test_a_coordinate_that_float16_cannot_hold_is_refused(tmp_path):
    clip = tiny_clips()[0]
    large = replace(clip, joints=clip.joints + np.float32(7e4))
    with pytest.raises(BadInput, match="s1_l0_r0_c1: a coordinate beyond 65,504 does not fit into float16"):
        store.write(tmp_path / "a.arrow", [large], KINECT20, "x", CLASSES, half=True)


def test_what_is_known_about_a_store_comes_back_and_is_not_in_the_fingerprint(tmp_path):
    clips = tiny_clips()
    store.write(tmp_path / "a.arrow", clips, KINECT20, "nw-ucla", CLASSES, ("as drawn",), about={"units": "metres"})
    opened = store.open(tmp_path / "a.arrow")
    assert opened.about == {"units": "metres"}
    assert opened.fingerprint == tiny_store(tmp_path / "b.arrow", clips).fingerprint

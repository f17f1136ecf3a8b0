"""Named steps of alignment: what each one does to the first pose, and what none of them ever changes."""

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skelray.data import normalise
from skelray.errors import BadInput
from skelray.skeletons import Skeleton, layout, layouts

FLAT = [name for name, body in layouts().items() if body.channels == 2]


def solid(name: str) -> Skeleton:
    """The layout with three coordinates a joint."""
    return layout(name).model_copy(update={"channels": 3})


def clip(body: Skeleton, seed: int = 0, bodies: int = 2, frames: int = 5, away: float = 3.0) -> np.ndarray:
    """Bodies somewhere in the room; the first one appears in frame 1, the second one leaves before the last frame."""
    random = np.random.default_rng(seed)
    joints = random.normal(away, 0.5, (bodies, frames, len(body.joints), body.channels)).astype(np.float32)
    joints[0, 0] = 0
    joints[1:, -1] = 0
    return joints


def apart(joints: np.ndarray) -> np.ndarray:
    """Distances between all joints of a frame, of all bodies, as far as they are seen."""
    seen = joints.transpose(1, 0, 2, 3).reshape(joints.shape[1], -1, joints.shape[-1]).astype(np.float64)
    return np.linalg.norm(seen[:, :, None] - seen[:, None], axis=-1)[1:-1]


def named(joints: np.ndarray, body: Skeleton, *names: str) -> np.ndarray:
    """The mean of these joints of the first body in the first frame that shows it."""
    return joints[0, 1, [body.joints.index(name) for name in names]].astype(np.float64).mean(0)


@pytest.mark.parametrize("step", normalise.STEPS)
@given(
    name=st.sampled_from(list(layouts())),
    seed=st.integers(0, 2**32),
    bodies=st.integers(1, 3),
    away=st.sampled_from([0.0, 3.0, -40.0]),
)
@settings(max_examples=25, deadline=None)
def test_a_step_keeps_distances_and_absence_and_is_done_once(step, name, seed, bodies, away):
    body = solid(name)
    before = clip(body, seed, bodies, away=away)
    untouched = before.copy()
    after = normalise.align(before, body, [step])
    assert np.array_equal(before, untouched)
    assert after.dtype == np.float32
    assert np.isfinite(after).all()
    assert np.array_equal(after.any((2, 3)), before.any((2, 3)))
    fine = 1e-5 * (1 + abs(away))  # single precision, that far from the origin
    np.testing.assert_allclose(apart(after), apart(before), atol=fine)
    lever = 1 + abs(away)  # a turn that is found again from rounded joints moves what is far away by more
    np.testing.assert_allclose(normalise.align(after, body, [step]), after, atol=lever * fine)


@pytest.mark.parametrize(
    ("name", "hip", "middle"),
    [
        ("kinect25", ["spine_base"], ["spine_mid"]),
        ("kinect20", ["hip_center"], ["spine"]),
        ("utd20", ["hip_center"], ["spine"]),
        ("coco17", ["hip_left", "hip_right"], ["hip_left", "hip_right", "shoulder_left", "shoulder_right"]),
        ("openpose18", ["hip_left", "hip_right"], ["hip_left", "hip_right", "shoulder_left", "shoulder_right"]),
        ("jhmdb15", ["hip_left", "hip_right"], ["belly"]),
    ],
)
def test_origins_are_hips_and_mid_spine_of_the_first_body_when_it_first_shows(name, hip, middle):
    body = layout(name)
    for step, joints in (("hip_origin", hip), ("spine_origin", middle)):
        before = clip(body)
        after = normalise.align(before, body, [step])
        np.testing.assert_allclose(named(after, body, *joints), 0, atol=1e-6)
        way = (after - before)[before.any((2, 3))]  # one way for all frames and bodies
        np.testing.assert_allclose(way, np.broadcast_to(way[0, 0], way.shape), atol=1e-5)


@pytest.mark.parametrize("name", layouts())
def test_the_preparation_of_ctr_gcn_lays_the_spine_along_z_and_the_shoulders_along_x(name):
    body = solid(name)
    hips = {"kinect25": ["spine_base"], "kinect20": ["hip_center"], "utd20": ["hip_center"]}
    middles = {"kinect25": ["spine_mid"], "kinect20": ["spine"], "utd20": ["spine"], "jhmdb15": ["belly"]}
    sides = ["hip_left", "hip_right"]
    upright = normalise.align(clip(body), body, ["spine_origin", "spine_to_z"])
    middle = middles.get(name, [*sides, "shoulder_left", "shoulder_right"])
    spine = named(upright, body, *middle) - named(upright, body, *hips.get(name, sides))
    assert spine[2] > 0
    np.testing.assert_allclose(spine[:2], 0, atol=1e-5)
    faced = normalise.align(upright, body, ["shoulders_to_x"])
    across = named(faced, body, "shoulder_right") - named(faced, body, "shoulder_left")
    assert across[0] > 0
    np.testing.assert_allclose(across[1:], 0, atol=1e-5)
    np.testing.assert_allclose(named(faced, body, *middle), 0, atol=1e-5)  # turns go about the origin


def test_both_turns_are_the_shortest_ones():
    """Rotations keep their own axis: what is perpendicular to both the old and the new direction stays in place."""
    body = layout("kinect25")
    before = clip(body)
    for step, along, ends in (
        ("spine_to_z", (0, 0, 1), ("spine_base", "spine_mid")),
        ("shoulders_to_x", (1, 0, 0), ("shoulder_left", "shoulder_right")),
    ):
        axis = np.cross(named(before, body, ends[1]) - named(before, body, ends[0]), along)
        after = normalise.align(before, body, [step])
        np.testing.assert_allclose(after @ axis, before @ axis, atol=1e-4)
        line = named(before, body, ends[1]) - named(before, body, ends[0])
        turn = np.linalg.lstsq(before[0, 1].astype(float), after[0, 1].astype(float), rcond=None)[0]
        angle = np.arccos((np.trace(turn) - 1) / 2)
        assert angle == pytest.approx(np.arccos(line @ along / np.linalg.norm(line)), abs=1e-5)


@example(seed=0, name="kinect20")
@given(seed=st.integers(0, 2**32), name=st.sampled_from(["kinect20", "kinect25"]))
@settings(max_examples=30, deadline=None)
def test_stores_that_were_imported_come_out_the_same_bit_for_bit(seed, name):
    """What hip_origin and yaw have always done, in single precision, where every body is seen in every frame."""
    body = layout(name)
    before = np.random.default_rng(seed).normal(2, 0.5, (2, 4, len(body.joints), 3)).astype(np.float32)
    moved = before - before[0, 0, 0]
    assert np.array_equal(normalise.align(before, body, ["hip_origin"]), moved)
    hips, shoulders = (
        moved[0, 0, body.joints.index(f"{part}_right")] - moved[0, 0, body.joints.index(f"{part}_left")]
        for part in ("hip", "shoulder")
    )
    x, _, z = (hips + shoulders).astype(np.float64)
    facing = normalise.align(before, body, ["hip_origin", "yaw"])
    cos, sin = x / np.hypot(x, z), z / np.hypot(x, z)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)
    np.testing.assert_allclose(facing, moved @ turn.T, atol=2e-6)
    assert np.array_equal(facing[..., 1], moved[..., 1])


def test_what_a_store_says_of_the_old_steps_stays():
    assert normalise.sentence("hip_origin") == "origin: first-frame hip centre"
    assert normalise.sentence("yaw") == "yaw: first-frame hips and shoulders along x"


@pytest.mark.parametrize("step", normalise.STEPS)
def test_a_pose_without_a_direction_and_a_clip_without_a_body_stay_as_they_are(step):
    body = layout("kinect25")
    empty = np.zeros((2, 3, 25, 3), np.float32)
    empty[1] = 1  # the second body alone: nothing says where the first one stands
    assert np.array_equal(normalise.align(empty, body, [step]), empty)
    if step in normalise.TURNS:
        point = np.full((1, 3, 25, 3), 2, np.float32)
        assert np.array_equal(normalise.align(point, body, [step]), point)


@pytest.mark.parametrize(("step", "ends", "axis"), [("spine_to_z", (0, 1), 2), ("shoulders_to_x", (4, 8), 0)])
def test_a_line_that_points_the_other_way_stays_and_one_that_nearly_does_is_turned(step, ends, axis):
    body = layout("kinect25")
    before = clip(body)
    before[0, 1, ends[0]], before[0, 1, ends[1]] = 0, 0
    before[0, 1, ends[1], axis] = -1
    assert np.array_equal(normalise.align(before, body, [step]), before)
    before[0, 1, ends[1], 1] = 1e-4
    after = normalise.align(before, body, [step])
    np.testing.assert_allclose(after[0, 1, ends[1]], np.eye(3)[axis], atol=1e-6)
    np.testing.assert_allclose(apart(after), apart(before), atol=1e-4)


@pytest.mark.parametrize("name", FLAT)
def test_flat_bodies_take_origins_and_refuse_turns(name):
    normalise.refuse(["hip_origin", "spine_origin"], layout(name))
    for step in normalise.TURNS:
        with pytest.raises(BadInput, match=f"the step {step} needs three coordinates a joint: {name} has 2"):
            normalise.refuse([step], layout(name))
        normalise.refuse([step], solid(name))


@pytest.mark.parametrize(
    ("steps", "joints", "told"),
    [
        (["hip_orign"], ("hip_center",), "no step 'hip_orign'; did you mean \"hip_origin\"? (there are hip_origin, "),
        (
            ["hip_origin"],
            ("hip_left", "head"),
            "the step hip_origin needs the joint hip_center or spine_base or hip_left and hip_right: "
            "the layout mine names none so",
        ),
        (["spine_origin"], ("head",), "needs the joint spine_mid or spine or belly or hip_left and hip_right and"),
        (
            ["yaw"],
            ("hip_left", "hip_right"),
            "the step yaw needs the joint hip_left and shoulder_left: the layout mine",
        ),
        (["spine_to_z"], ("hip_center",), "the step spine_to_z needs the joint spine_mid or"),
        (
            ["hip_origin", "shoulders_to_x"],
            ("hip_center", "shoulder_left"),
            "needs the joint shoulder_right: the layout",
        ),
    ],
)
def test_steps_that_a_layout_cannot_take_are_refused(steps, joints, told):
    body = Skeleton(name="mine", joints=joints, parents=(0,) * len(joints))
    with pytest.raises(BadInput, match=re.escape(told)):
        normalise.refuse(steps, body)


def test_facing_about_y_is_refused_after_the_body_was_laid_along_z():
    normalise.refuse(["yaw", "spine_to_z"], layout("kinect25"))
    with pytest.raises(BadInput, match="yaw turns about y, but spine_to_z before it"):
        normalise.refuse(["spine_origin", "spine_to_z", "yaw"], layout("kinect25"))


def test_what_leaves_the_range_of_numbers_is_left_to_the_check_of_the_clip():
    body = layout("kinect25")
    before = np.full((1, 2, 25, 3), 3e38, np.float32)
    before[0, 0, 1] = -3e38
    assert not np.isfinite(normalise.align(before, body, ["spine_origin"])).all()

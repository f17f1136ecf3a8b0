"""Augmentations: what they keep, and that they draw from the generator they are given."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skelray.data import augment
from skelray.errors import BadInput
from skelray.geometry import limbs, rerooted, scaled
from skelray.rng import generator
from skelray.skeletons import layout


@given(clips=st.integers(1, 5), bodies=st.integers(1, 2), frames=st.integers(1, 9), joints=st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_rotate_keeps_distances_and_the_origin(clips, bodies, frames, joints):
    x = torch.randn(clips, bodies, frames, joints, 3, generator=generator(0, "x"))
    x[..., 0, :] = 0
    turned = augment.rotate(x, generator(1, "rotate"))
    torch.testing.assert_close(turned[..., 0, :], torch.zeros_like(turned[..., 0, :]))
    for clip, other in zip(x.flatten(1, 3), turned.flatten(1, 3), strict=True):
        apart, still = (torch.linalg.norm(joints[:, None] - joints, dim=-1) for joints in (clip, other))
        torch.testing.assert_close(apart, still, atol=1e-4, rtol=1e-4)


def test_rotations_are_rotations_in_the_order_x_y_z():
    angles = torch.tensor([[0.3, -0.2, 0.1], [0.0, 0.0, math.pi / 2]])
    turns = augment.rotations(angles)
    torch.testing.assert_close(turns @ turns.mT, torch.eye(3).expand(2, 3, 3))
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(2))
    about_x, about_y, about_z = (augment.rotations(torch.diag(angles[0])[axis][None])[0] for axis in range(3))
    torch.testing.assert_close(turns[0], about_z @ about_y @ about_x)
    torch.testing.assert_close(turns[1] @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]))


def test_rotate_turns_all_frames_and_bodies_of_a_clip_alike_and_clips_apart():
    x = torch.ones(3, 2, 5, 4, 3) * torch.tensor([1.0, 2.0, 3.0])
    turned = augment.rotate(x, generator(0, "rotate"))
    for clip in turned:
        torch.testing.assert_close(clip, clip[:1, :1, :1].expand_as(clip))
    assert not torch.allclose(turned[0], turned[1])


def test_rotate_draws_angles_within_three_tenths_of_a_radian():
    angles = augment.rotate.draw(5000, generator(0, "rotate"))
    assert angles.abs().max() <= 0.3
    torch.testing.assert_close(angles.std(0), torch.full((3,), 0.3 / 3**0.5), atol=0.01, rtol=0)


def test_the_generator_decides():
    x = torch.randn(4, 1, 6, 5, 3)
    assert torch.equal(augment.rotate(x, generator(0, "a")), augment.rotate(x, generator(0, "a")))
    assert not torch.equal(augment.rotate(x, generator(0, "a")), augment.rotate(x, generator(0, "b")))


def test_an_unknown_augmentation_is_refused_with_a_hint():
    assert augment.load("rotate") is augment.rotate
    with pytest.raises(BadInput, match="no augmentation 'rotat'; did you mean \"rotate\""):
        augment.load("rotat")
    with pytest.raises(BadInput, match="no augmentation 'load'"):
        augment.load("load")


def test_flat_bodies_turn_in_their_plane_as_deep_ones_do_about_z():
    x = torch.randn(6, 2, 5, 4, 2, generator=generator(0, "x"))
    deep = torch.cat([x, torch.ones(6, 2, 5, 4, 1)], -1)
    about_z = augment.rotate.on(layout("coco17"), strength=(0.0, 0.0, 0.7))
    turned = about_z(x, generator(1, "a"))
    torch.testing.assert_close(turned, about_z(deep, generator(1, "a"))[..., :2])
    assert not torch.allclose(turned, x, atol=0.05)
    out_of_it = augment.rotate.on(layout("coco17"), strength=(0.7, 0.7, 0.0))
    torch.testing.assert_close(out_of_it(x, generator(1, "a")), x)


@pytest.mark.parametrize("name", ["coco17", "openpose18", "jhmdb15"])
def test_every_augmentation_changes_flat_bodies_and_leaves_absent_ones(name):
    body = layout(name)
    x = torch.randn(50, 2, 6, len(body.joints), 2, generator=generator(0, "flat"))
    x[1, 1] = 0
    for each in augment.available():
        changed = augment.load(each).on(body, chance=1.0)(x, generator(0, "a"))
        assert changed.shape == x.shape
        assert not changed[1, 1].any()
        assert (changed != x)[:, 0].flatten(1).any(1).all(), each
    mirrored = augment.mirror.on(body, chance=1.0)(x, generator(0, "a"))
    left, right = body.mirror[0]
    assert torch.equal(mirrored[..., left, :], x[..., right, :] * torch.tensor([-1.0, 1.0]))


KINECT = layout("kinect25")


def body(clips: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(clips, 2, 6, 25, 3, generator=generator(seed, "body"))


def bone_lengths(x: torch.Tensor) -> torch.Tensor:
    """Of the 24 bones of the tree that hangs at joint 0, in the order of their far ends."""
    ends = sorted(rerooted(KINECT).items())
    return (x[..., [joint for joint, _ in ends], :] - x[..., [parent for _, parent in ends], :]).norm(dim=-1)


def test_bones_hang_at_the_root_joint_in_tree_order():
    parents = rerooted(KINECT)
    assert parents == {
        1: 0, 12: 0, 16: 0, 20: 1, 13: 12, 17: 16, 2: 20, 4: 20, 8: 20, 14: 13, 18: 17, 3: 2, 5: 4, 9: 8, 15: 14,
        19: 18, 6: 5, 10: 9, 7: 6, 11: 10, 21: 7, 22: 7, 23: 11, 24: 11,
    }  # fmt: skip
    order = list(parents)
    assert all(parent == 0 or order.index(parent) < order.index(joint) for joint, parent in parents.items())


def test_factors_of_one_change_nothing_not_even_a_rounding_error():
    x = body()
    assert torch.equal(scaled(x, torch.ones(4, 25), KINECT), x)
    assert torch.equal(augment.scale_bones.on(KINECT, strength=0.0)(x, generator(0, "a")), x)


def test_bones_of_trunk_arms_and_legs_grow_by_three_factors_and_joint_0_stays():
    x = body().double()
    grown = augment.scale_bones.on(KINECT, chance=1.0)(x, generator(0, "a"))
    assert torch.equal(grown[..., 0, :], x[..., 0, :])
    factors = bone_lengths(grown) / bone_lengths(x)
    torch.testing.assert_close(factors, factors[:, :1, :1].expand_as(factors))
    for clip in factors[:, 0, 0]:
        assert len(set(clip.mul(1e6).round().tolist())) == 3
        assert ((clip >= 0.85) & (clip <= 1.15)).all()
    limb = torch.tensor(limbs(KINECT))
    assert limb.bincount().tolist() == [5, 12, 8]


def test_any_skeleton_can_be_scaled(five_joints):
    assert limbs(five_joints) == [0, 0, 1, 1, 0]
    assert limbs(five_joints.model_copy(update={"parts": {}})) == [0] * 5
    x = torch.randn(3, 1, 4, 5, 3)
    assert torch.equal(augment.scale_bones.on(five_joints, strength=0.0)(x, generator(0, "a")), x)


def test_mirror_is_its_own_inverse_and_mirrors_half_of_the_clips():
    x, mirror = body(400), augment.mirror.on(KINECT)
    once = mirror(x, generator(0, "a"))
    assert torch.equal(mirror(once, generator(0, "a")), x)
    changed = (once != x).flatten(1).any(1)
    assert 160 < changed.sum() < 240
    assert torch.equal(once[changed][..., [3, 4, 8], 0], -x[changed][..., [3, 8, 4], 0])


def test_what_depends_on_the_skeleton_asks_for_it():
    with pytest.raises(ValueError, match=r"use augmentation\.on\(skeleton\)"):
        augment.mirror(body(), generator(0, "a"))


def test_rotate_may_turn_further_about_the_vertical():
    angles = augment.rotate.on(KINECT, strength=(0.3, math.pi, 0.0)).draw(5000, generator(0, "a"))
    torch.testing.assert_close(angles.abs().amax(0), torch.tensor([0.3, math.pi, 0.0]), atol=0.01, rtol=0.01)
    with pytest.raises(BadInput, match="one each for x, y and z"):
        augment.rotate.on(KINECT, strength=(0.3, 0.1)).draw(4, generator(0, "a"))


def test_jitter_is_normal_noise_of_the_strength_on_the_bodies_that_are_there():
    x = body(40)
    x[3, 1] = 0
    noise = augment.jitter.on(KINECT, strength=0.05)(x, generator(0, "a")) - x
    assert not noise[3, 1].any()
    noise = noise[x.flatten(2).any(2)] / 0.05
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.square().mean().item() == pytest.approx(1, abs=0.02)
    assert noise.pow(4).mean().item() == pytest.approx(3, abs=0.15)
    flat = noise.flatten(1)
    together = torch.corrcoef(flat) - torch.eye(len(flat))
    assert together.abs().max() < 0.2  # of 450 numbers a clip: five standard errors
    assert (flat[:, 1:] * flat[:, :-1]).mean().abs() < 0.02


def test_drop_axis_zeroes_one_coordinate_each_alike():
    x = body(3000)
    dropped = augment.drop_axis.on(KINECT, chance=1.0)(x, generator(0, "a"))
    gone = (dropped == 0).flatten(1, 3).all(1)
    assert torch.equal(gone.sum(1), torch.ones(3000, dtype=torch.long))
    torch.testing.assert_close(gone.float().mean(0), torch.full((3,), 1 / 3), atol=0.03, rtol=0)


@pytest.mark.parametrize("name", ["drop_axis", "jitter", "mirror", "rotate", "scale_bones"])
def test_chance_decides_how_many_clips_change(name):
    assert name in augment.available()
    x, way = body(1000), augment.load(name)
    for chance in (0.0, 0.3, 1.0):
        changed = (way.on(KINECT, chance=chance)(x, generator(0, "a")) != x).flatten(1).any(1).float().mean()
        assert changed.item() == pytest.approx(chance, abs=0.05 if 0 < chance < 1 else 0)

"""Augmentations: what they keep, and that they draw from the generator they are given."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skelray.data import augment
from skelray.errors import BadInput
from skelray.rng import generator


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


def test_rotate_refuses_two_coordinates():
    with pytest.raises(BadInput, match="three coordinates"):
        augment.rotate(torch.zeros(1, 1, 2, 3, 2), generator(0, "a"))

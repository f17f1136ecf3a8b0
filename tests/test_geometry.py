"""Turning and mirroring bodies."""

import torch
from chance import draw

from skelray import geometry
from skelray.skeletons import layout


def test_a_rotation_about_an_axis_keeps_the_axis_and_all_lengths():
    axis, angle, points = draw(5, 3), draw(5, seed=1), draw(5, 7, 3, seed=2)
    by = geometry.about_axis(axis, angle)
    torch.testing.assert_close(geometry.turned(axis[:, None], by)[:, 0], axis, atol=1e-5, rtol=0)
    torch.testing.assert_close(geometry.turned(points, by).norm(dim=-1), points.norm(dim=-1))
    torch.testing.assert_close(torch.linalg.det(by), torch.ones(5))


def test_about_z_it_is_the_rotation_by_the_third_angle():
    angle = draw(4)
    about_z = geometry.about_axis(torch.tensor([[0.0, 0.0, 2.0]]).expand(4, 3), angle)
    zero = torch.zeros(4)
    torch.testing.assert_close(about_z, geometry.rotations(torch.stack([zero, zero, angle], 1)))


def test_an_axis_without_length_turns_nothing():
    assert torch.equal(geometry.about_axis(torch.zeros(2, 3), torch.ones(2)), torch.eye(3).expand(2, 3, 3))


def test_mirroring_twice_is_the_identity_and_leaves_the_middle_joints_in_place():
    skeleton = layout("kinect25")
    x = draw(2, 4, 25, 3)
    assert torch.equal(geometry.mirrored(geometry.mirrored(x, skeleton), skeleton), x)
    fixed = [joint for joint, other in enumerate(geometry.swapped(skeleton)) if joint == other]
    assert fixed == [0, 1, 2, 3, 20]
    assert torch.equal(geometry.mirrored(x, skeleton)[..., 4, 0], -x[..., 8, 0])

"""How a body is turned and mirrored. Pure functions, batched; the last axis is x, y, z in metres."""

import torch
from jaxtyping import Float
from torch import Tensor

from skelray.skeletons import Skeleton


def rotations(angles: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3 3"]:
    """R = Rz Ry Rx of each clip's angles about x, y and z, in radians."""
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(1), angles.sin().unbind(1)
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def about_axis(axis: Float[Tensor, "N 3"], angle: Float[Tensor, " N"]) -> Float[Tensor, "N 3 3"]:
    """The rotation by `angle` radians about each axis (Rodrigues); the identity where the axis has no length."""
    length = axis.norm(dim=1, keepdim=True)
    x, y, z = (axis / length.clamp_min(1e-9)).unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).unflatten(1, (3, 3))
    sine, cosine = angle.sin()[:, None, None], angle.cos()[:, None, None]
    turned_by = torch.eye(3, dtype=axis.dtype, device=axis.device) + sine * cross + (1 - cosine) * cross @ cross
    return turned_by.where(length[..., None] > 1e-9, torch.eye(3, dtype=axis.dtype, device=axis.device))


def turned(x: Float[Tensor, "N *shape 3"], by: Float[Tensor, "N 3 3"]) -> Float[Tensor, "N *shape 3"]:
    """Every point of clip n turned about the origin by the matrix of clip n."""
    return (x.flatten(1, -2) @ by.mT).view_as(x)


def swapped(skeleton: Skeleton) -> list[int]:
    """The joint that stands at each joint's place after a mirror: left for right, right for left."""
    other = {one: two for left, right in skeleton.mirror for one, two in ((left, right), (right, left))}
    return [other.get(joint, joint) for joint in range(len(skeleton.joints))]


def mirrored(x: Float[Tensor, "*shape V C"], skeleton: Skeleton) -> Float[Tensor, "*shape V C"]:
    """The body in a mirror: the first coordinate negated, left and right joints exchanged. Its own inverse."""
    x = x[..., swapped(skeleton), :]
    return torch.cat([-x[..., :1], x[..., 1:]], -1)

"""How a body is turned and mirrored. Pure functions, batched; the last axis is x, y and, unless flat, z in metres."""

import torch
from jaxtyping import Float
from torch import Tensor

from skelray.precision import exact
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


def in_the_plane(angle: Float[Tensor, " N"]) -> Float[Tensor, "N 2 2"]:
    """The rotation of x and y by each angle, in radians: what `rotations` does to them about z."""
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([cosine, -sine, sine, cosine], 1).unflatten(1, (2, 2))


def about_axis(axis: Float[Tensor, "N 3"], angle: Float[Tensor, " N"]) -> Float[Tensor, "N 3 3"]:
    """The rotation by `angle` radians about each axis (Rodrigues); the identity where the axis has no length."""
    length = axis.norm(dim=1, keepdim=True)
    unit = axis / length.clamp_min(1e-9)
    x, y, z = unit.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).unflatten(1, (3, 3))
    sine, cosine = angle.sin()[:, None, None], angle.cos()[:, None, None]
    eye = torch.eye(3, dtype=axis.dtype, device=axis.device)
    turned_by = cosine * eye + sine * cross + (1 - cosine) * unit[:, :, None] * unit[:, None]
    return turned_by.where(length[..., None] > 1e-9, eye)


def turned(x: Float[Tensor, "N *shape 3"], by: Float[Tensor, "N 3 3"]) -> Float[Tensor, "N *shape 3"]:
    """Every point of clip n turned about the origin by the matrix of clip n."""
    with exact(x):
        return (x.flatten(1, -2) @ by.mT).view_as(x)


def swapped(skeleton: Skeleton) -> list[int]:
    """The joint that stands at each joint's place after a mirror: left for right, right for left."""
    other = {one: two for left, right in skeleton.mirror for one, two in ((left, right), (right, left))}
    return [other.get(joint, joint) for joint in range(len(skeleton.joints))]


def mirrored(x: Float[Tensor, "*shape V C"], skeleton: Skeleton) -> Float[Tensor, "*shape V C"]:
    """The body in a mirror: the first coordinate negated, left and right joints exchanged. Its own inverse."""
    x = x[..., swapped(skeleton), :]
    return torch.cat([-x[..., :1], x[..., 1:]], -1)


def rerooted(skeleton: Skeleton, root: int = 0) -> dict[int, int]:
    """The parent of every joint but `root` in the same bones hung up at `root`; a parent comes before its children."""
    neighbours: list[list[int]] = [[] for _ in skeleton.joints]
    for joint, parent in skeleton.bones:
        neighbours[joint].append(parent)
        neighbours[parent].append(joint)
    parents: dict[int, int] = {}
    queue = [root]
    for joint in queue:  # grows while it is read
        fresh = [other for other in neighbours[joint] if other != root and other not in parents]
        parents.update(dict.fromkeys(fresh, joint))
        queue += fresh
    return parents


def limbs(skeleton: Skeleton) -> list[int]:
    """A number for each joint, the same for all joints of a body part and of its mirror image: trunk, arms, legs."""
    part = {joint: name for name, joints in skeleton.parts.items() for joint in joints}
    pairs = [frozenset({part.get(joint), part.get(other)}) for joint, other in enumerate(swapped(skeleton))]
    # A part may hold both a joint in the middle and a pair: it counts as mirrored where any of its joints says so.
    whole = [max((pair for pair in pairs if part.get(joint) in pair), key=len) for joint in range(len(pairs))]
    order = list(dict.fromkeys(whole))
    return [order.index(each) for each in whole]


def scaled(
    x: Float[Tensor, "N *shape V C"], factors: Float[Tensor, "N V"], skeleton: Skeleton, root: int = 0
) -> Float[Tensor, "N *shape V C"]:
    """Every bone of clip n longer by the factor of the joint at its far end; joint `root` keeps its course.

    Bones are added up along the tree hung up at `root`, each on its parent's new place; with factors of 1 nothing
    changes, not even a rounding error. The factor of `root` is not read.
    """
    parents = rerooted(skeleton, root)
    path = torch.zeros(len(skeleton.joints), len(skeleton.joints))  # [joint, bone]: does the bone lead to the joint
    bones = torch.eye(len(skeleton.joints))  # [bone, joint]: far end minus near end; of the root, its place
    for joint, parent in parents.items():
        path[joint] = path[parent]
        path[joint, joint], bones[joint, parent] = 1, -1
    path[:, root] = 1
    stretch = factors.clone()
    stretch[:, root] = 1
    moved = path.to(x) @ (stretch.to(x)[:, :, None] * bones.to(x))  # whole numbers where every factor is 1
    return torch.einsum("nvw,n...wc->n...vc", moved, x)

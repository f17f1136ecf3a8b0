"""Random changes of a clip that keep its meaning: f(x, generator) -> x, batched, on the device where x lies.

Each one draws its numbers apart from using them: the loader draws for the whole global batch, whatever the number of
workers, and each worker uses its slice. `View.augment` names the objects of this module.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from skelray.errors import BadInput, near


@dataclass(frozen=True)
class Augmentation:
    """One augmentation: what it draws for each clip, and what it does with that."""

    draw: Callable[[int, torch.Generator], Tensor]  # clips, generator -> "N ..." on the generator's device
    apply: Callable[[Tensor, Tensor], Tensor]  # x, draws -> x

    def __call__(self, x: Float[Tensor, "N M T V C"], generator: torch.Generator) -> Float[Tensor, "N M T V C"]:
        return self.apply(x, self.draw(len(x), generator).to(x.device))


def load(name: str) -> Augmentation:
    """An augmentation by name. Raises BadInput for a name nobody knows."""
    found = globals().get(name)
    if not isinstance(found, Augmentation):
        raise BadInput(f"no augmentation {name!r}{near(name, available())} (there are {', '.join(available())})")
    return found


def available() -> list[str]:
    """The names of all augmentations."""
    return sorted(name for name, value in globals().items() if isinstance(value, Augmentation))


def rotations(angles: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3 3"]:
    """R = Rz Ry Rx of each clip's angles about x, y and z, in radians."""
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(1), angles.sin().unbind(1)
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _draw_rotation(clips: int, generator: torch.Generator) -> Float[Tensor, "N 3"]:
    return torch.empty(clips, 3, device=generator.device).uniform_(-0.3, 0.3, generator=generator)


def _rotate(x: Float[Tensor, "N M T V C"], angles: Float[Tensor, "N 3"]) -> Float[Tensor, "N M T V C"]:
    if x.shape[-1] != 3:
        raise BadInput(f'the augmentation "rotate" needs three coordinates a joint, not {x.shape[-1]}')
    # Several joints are turned at once by a block-diagonal matrix: a product of width 24 is far faster than one of 3.
    together = math.gcd(x[0, ..., 0].numel(), 8)
    eye = torch.eye(together, device=x.device, dtype=x.dtype)
    blocks = torch.einsum("gh,nij->ngihj", eye, rotations(angles).mT).reshape(len(x), 3 * together, 3 * together)
    return torch.bmm(x.reshape(len(x), -1, 3 * together), blocks).view_as(x)


# About the origin of the coordinates, one rotation for all frames and bodies of a clip; the MAMP family's recipe.
rotate = Augmentation(_draw_rotation, _rotate)

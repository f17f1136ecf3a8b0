"""Random changes of a clip that keep its meaning: f(x, generator) -> x, batched, on the device where x lies.

Each one draws its numbers apart from using them: the loader draws for the whole global batch, whatever the number of
workers, and each worker uses its slice. `View.augment` names the objects of this module, `View.strength` and
`View.chance` may set each one's strength and how likely it changes a clip at all.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skelray.errors import BadInput, near
from skelray.geometry import in_the_plane, limbs, mirrored, rotations, scaled
from skelray.skeletons import Skeleton

Strength = float | tuple[float, ...]


@dataclass(frozen=True)
class Augmentation:
    """One augmentation: what it draws for each clip, and what it does with that."""

    numbers: Callable[[int, torch.Generator, "Augmentation"], Tensor]  # clips -> "N ..." on the generator's device
    change: Callable[[Tensor, Tensor, "Augmentation"], Tensor]  # x, numbers -> x
    strength: Strength = 0.0  # its meaning and unit stand where the augmentation is defined
    chance: float = 1.0  # that a clip is changed
    idle: float = 0.0  # the number that changes nothing
    skeleton: Skeleton | None = None  # of the clips; see `on`

    def on(self, skeleton: Skeleton, strength: Strength | None = None, chance: float | None = None) -> "Augmentation":
        """The same for clips of a skeleton, with another strength and chance where they are given."""
        return replace(
            self,
            skeleton=skeleton,
            strength=self.strength if strength is None else strength,
            chance=self.chance if chance is None else chance,
        )

    def draw(self, clips: int, generator: torch.Generator) -> Tensor:
        """The numbers of each clip; idle ones for a clip that is not to change."""
        numbers = self.numbers(clips, generator, self)
        if self.chance < 1:
            coin = torch.rand(clips, device=generator.device, generator=generator) < self.chance
            numbers = numbers.where(coin.view(-1, *[1] * (numbers.ndim - 1)), torch.full_like(numbers, self.idle))
        return numbers

    def apply(self, x: Float[Tensor, "N M T V C"], numbers: Tensor) -> Float[Tensor, "N M T V C"]:
        """The clips changed as the numbers say."""
        return self.change(x, numbers, self)

    def __call__(self, x: Float[Tensor, "N M T V C"], generator: torch.Generator) -> Float[Tensor, "N M T V C"]:
        return self.apply(x, self.draw(len(x), generator).to(x.device))

    @property
    def body(self) -> Skeleton:
        """The skeleton of the clips. Raises ValueError where nobody said which."""
        if self.skeleton is None:
            raise ValueError("this augmentation depends on the skeleton: use augmentation.on(skeleton)")
        return self.skeleton


def load(name: str) -> Augmentation:
    """An augmentation by name. Raises BadInput for a name nobody knows."""
    found = globals().get(name)
    if not isinstance(found, Augmentation):
        raise BadInput(f"no augmentation {name!r}{near(name, available())} (there are {', '.join(available())})")
    return found


def available() -> list[str]:
    """The names of all augmentations."""
    return sorted(name for name, value in globals().items() if isinstance(value, Augmentation))


def _single(way: Augmentation) -> float:
    if not isinstance(way.strength, float | int):
        raise BadInput(f"this augmentation has one strength, not {list(way.strength)}")
    return float(way.strength)


def _evenly(clips: int, generator: torch.Generator, width: int, low: float, high: float) -> Float[Tensor, "N width"]:
    return torch.empty(clips, width, device=generator.device).uniform_(low, high, generator=generator)


def _draw_angles(clips: int, generator: torch.Generator, way: Augmentation) -> Float[Tensor, "N 3"]:
    if isinstance(way.strength, float | int):
        return _evenly(clips, generator, 3, -float(way.strength), float(way.strength))
    if len(way.strength) != 3:
        raise BadInput(f"rotate has one strength, or one each for x, y and z, not {list(way.strength)}")
    return _evenly(clips, generator, 3, -1.0, 1.0) * torch.tensor(way.strength, device=generator.device)


def _rotate(
    x: Float[Tensor, "N M T V C"], angles: Float[Tensor, "N 3"], way: Augmentation
) -> Float[Tensor, "N M T V C"]:
    many = x.shape[-1]
    turns = rotations(angles) if many == 3 else in_the_plane(angles[:, 2])
    # Several joints are turned at once by a block-diagonal matrix: a product of width 24 is far faster than one of 3.
    together = math.gcd(x[0, ..., 0].numel(), 8)
    eye = torch.eye(together, device=x.device, dtype=x.dtype)
    blocks = torch.einsum("gh,nij->ngihj", eye, turns.mT).reshape(len(x), many * together, many * together)
    return torch.bmm(x.reshape(len(x), -1, many * together), blocks).view_as(x)


# About the origin, one rotation Rz Ry Rx for all frames and bodies of a clip; the MAMP family's recipe. Flat bodies
# turn in their plane, by the angle about z.
# Strength: the largest angle about each axis in radians, or one each for x, y and z (y is the vertical of a Kinect).
rotate = Augmentation(_draw_angles, _rotate, strength=0.3)


def _mirror(x: Float[Tensor, "N M T V C"], yes: Float[Tensor, " N"], way: Augmentation) -> Float[Tensor, "N M T V C"]:
    return mirrored(x, way.body).where(yes.view(-1, 1, 1, 1, 1) > 0, x)


# Left and right exchanged (SLiM's code). No strength.
mirror = Augmentation(lambda clips, random, way: torch.ones(clips, device=random.device), _mirror, chance=0.5)


def _draw_factors(clips: int, generator: torch.Generator, way: Augmentation) -> Float[Tensor, "N V"]:
    limb = limbs(way.body)
    return _evenly(clips, generator, max(limb) + 1, 1 - _single(way), 1 + _single(way))[:, limb]


# Longer or shorter bones, one factor each for trunk, arms and legs, the course of joint 0 kept (SLiM's code, with the
# bones added up in tree order, which its order of joints is not). Strength: the factors lie within 1 +- it.
scale_bones = Augmentation(
    _draw_factors, lambda x, factors, way: scaled(x, factors, way.body), strength=0.15, chance=0.5, idle=1.0
)


def _draw_keys(clips: int, generator: torch.Generator, way: Augmentation) -> Int[Tensor, " N"]:
    return torch.randint(1, 2**62, (clips,), device=generator.device, generator=generator)


def _jitter(x: Float[Tensor, "N M T V C"], keys: Int[Tensor, " N"], way: Augmentation) -> Float[Tensor, "N M T V C"]:
    here = x.flatten(2).any(2) & (keys[:, None] != 0)  # an absent body stays zeros
    noise = _normal(keys, math.prod(x.shape[1:])).view_as(x).to(x.dtype)
    return torch.addcmul(x, noise, here[:, :, None, None, None].to(x.dtype), value=_single(way))


def _normal(keys: Int[Tensor, " N"], many: int) -> Float[Tensor, "N many"]:
    """Normal numbers that are a function of a clip's key, so that any worker can make its own clips' share of them.

    A 64-bit mixer (the finaliser of splitmix64) over key + counter, then Box and Muller's transform.
    """
    count = torch.arange(many, device=keys.device)
    mixed = keys[:, None] + count * -0x61C8864680B583EB
    for shift, odd in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        mixed = (mixed ^ (mixed >> shift & (1 << 64 - shift) - 1)) * odd
    mixed = mixed ^ (mixed >> 31 & (1 << 33) - 1)
    radius, angle = ((mixed >> 40 & 0xFFFFFF) + 1).float() / 2**24, (mixed & 0xFFFFFF).float() / 2**24
    return (-2 * radius.log()).sqrt() * (2 * math.pi * angle).cos()


# Normal noise on every coordinate (SLiM's code). Strength: its standard deviation in metres.
jitter = Augmentation(_draw_keys, _jitter, strength=0.01)


def _drop_axis(
    x: Float[Tensor, "N M T V C"], place: Float[Tensor, "N 1"], way: Augmentation
) -> Float[Tensor, "N M T V C"]:
    dropped = (place * x.shape[-1]).floor() == torch.arange(x.shape[-1], device=x.device)
    return x.masked_fill(dropped[:, None, None, None], 0)


# One coordinate of every joint set to zero, as if seen along that axis (SLiM's code). No strength.
drop_axis = Augmentation(
    lambda clips, random, way: _evenly(clips, random, 1, 0.0, 1.0), _drop_axis, chance=0.2, idle=-1.0
)

"""Masks that replace tokens instead of dropping them: semantic tubes and what they are compared with.

Every body of a batch may hide another share of its tokens: `ratio` holds one share each, and int(ratio * P) tokens are
hidden, 0 asking for none. All masks are Bool "B P", True where hidden, drawn from the generator of the batch.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

Kind = Literal["stm", "random", "joint", "part"]
Groups = Sequence[Sequence[int]]  # body parts as joints in the order in which they neighbour each other
PATIENCE = 10  # tries in a row without a tube that fits, before a body is left as it is


def stratified(
    bounds: tuple[float, float], count: int, generator: torch.Generator, idle: int = 0, shuffle: bool = False
) -> Float[Tensor, " B"]:
    """A ratio for each of `count` bodies, each from its own equal slice of the bounds, ascending; then `idle` zeros.

    shuffle: in random order, the zeros among them.
    """
    draw = torch.rand(count, dtype=torch.float64, device=generator.device, generator=generator)
    place = (torch.arange(count, device=draw.device) + draw) / max(1, count)
    ratio = torch.cat([bounds[0] + (bounds[1] - bounds[0]) * place, draw.new_zeros(idle)])
    order = torch.randperm(len(ratio), device=draw.device, generator=generator) if shuffle else slice(None)
    return ratio[order]


def hide(
    kind: Kind,
    ratio: Float[Tensor, " B"],
    steps: int,
    groups: Groups,
    generator: torch.Generator,
    smallest: float = 8.0,
    largest: float = 100.0,
) -> Bool[Tensor, "B P"]:
    """A mask over `steps` x joints tokens, as one of the functions below draws it."""
    joints = sum(map(len, groups))
    if kind == "stm":
        return semantic_tubes(ratio, steps, groups, generator, smallest, largest)
    if kind == "random":
        return some(ratio, steps * joints, generator)
    columns = some(ratio, joints, generator) if kind == "joint" else whole_parts(ratio, groups, generator)
    return columns.repeat(1, steps)


def some(ratio: Float[Tensor, " B"], tokens: int, generator: torch.Generator) -> Bool[Tensor, "B P"]:
    """int(ratio * tokens) of the tokens, all equally likely."""
    draw = torch.rand(len(ratio), tokens, device=generator.device, generator=generator)
    return draw.argsort(1).argsort(1) < (ratio * tokens).floor()[:, None]


def whole_parts(ratio: Float[Tensor, " B"], groups: Groups, generator: torch.Generator) -> Bool[Tensor, "B V"]:
    """Whole body parts in random order, each one that still fits into int(ratio * joints)."""
    sizes = torch.tensor([len(group) for group in groups], device=generator.device)
    order = torch.rand(len(ratio), len(groups), device=generator.device, generator=generator).argsort(1)
    left = (ratio * int(sizes.sum())).floor()
    hidden = torch.zeros(len(ratio), len(groups), dtype=torch.bool, device=generator.device)
    for turn in order.unbind(1):
        fits = sizes[turn] <= left
        left = left - sizes[turn] * fits
        hidden = hidden.scatter(1, turn[:, None], fits[:, None])
    part = torch.zeros(int(sizes.sum()), dtype=torch.long, device=generator.device)
    for number, group in enumerate(groups):
        part[list(group)] = number
    return hidden[:, part]


def semantic_tubes(
    ratio: Float[Tensor, " B"],
    steps: int,
    groups: Groups,
    generator: torch.Generator,
    smallest: float = 8.0,
    largest: float = 100.0,
) -> Bool[Tensor, "B P"]:
    """Tubes of neighbouring joints of one body part over successive steps (SLiM's code; its proposals as in BEiT).

    A tube takes k = 1..len(part) neighbours, all k equally likely, for round(area / k) steps, with an area drawn from
    `smallest` to the tokens that are left to hide, at most `largest`. It counts if it hides at least one new token and
    no more than that; after ten that do not, a body hides fewer tokens than asked. All bodies take turns together.
    """
    random = np.random.default_rng(int(torch.randint(2**62, (), device=generator.device, generator=generator)))
    sizes = np.array([len(group) for group in groups])
    before = sizes.cumsum() - sizes
    rank = np.concatenate([np.asarray(group) for group in groups]).argsort()  # of a joint, parts one after the other
    hidden = np.zeros((len(ratio), steps, len(rank)), bool)
    left = (ratio.cpu().numpy() * steps * len(rank)).astype(int)
    tries = np.full(len(left), PATIENCE)
    going = np.flatnonzero(left > 0)
    while len(going):
        room = np.minimum(left[going], largest)
        part = random.integers(len(sizes), size=len(going))
        wide = random.integers(1, sizes[part] + 1)
        joint = before[part] + random.integers(0, sizes[part] - wide + 1)
        area = smallest + (room - smallest) * random.random(len(going))
        long = np.rint(area / wide).clip(1, steps).astype(int)
        step = random.integers(0, steps - long + 1)
        tube = _within(np.arange(steps), step, long)[:, :, None] & _within(rank, joint, wide)[:, None, :]
        fresh = tube & ~hidden[going]
        added = fresh.sum((1, 2))
        fits = (added >= 1) & (added <= room)
        hidden[going] |= fresh & fits[:, None, None]
        left[going] -= added * fits
        tries[going] = np.where(fits, PATIENCE, tries[going] - 1)
        going = going[(left[going] > 0) & (tries[going] > 0)]
    return torch.from_numpy(hidden).flatten(1).to(generator.device)


def _within(places: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
    return (places >= first[:, None]) & (places < (first + count)[:, None])

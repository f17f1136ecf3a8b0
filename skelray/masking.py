"""Which tokens an encoder may see. A strategy scores the tokens; the tokens with the lowest scores stay visible."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Rule = Literal["floor", "round"]


class Mask(NamedTuple):
    """A choice of visible tokens for each body; every body of a batch keeps the same number."""

    keep: Int[Tensor, "B K"]  # indices of the visible tokens, ascending
    hidden: Bool[Tensor, "B P"]  # True where the encoder may not look


def kept(tokens: int, ratio: float, rule: Rule = "floor") -> int:
    """How many of `tokens` stay visible at a mask ratio; at least one.

    "floor" is int(P * (1 - ratio)) in floating point: 74 of 750 at 0.9, as the published code and its FLOPs have it
    (750 * (1 - 0.9) is a hair below 75). "round" gives 75.
    """
    share = tokens * (1 - ratio)
    return max(1, int(share) if rule == "floor" else round(share))


def lowest(score: Float[Tensor, "B P"], ratio: float, rule: Rule = "floor") -> Mask:
    """Keep the tokens with the lowest scores and hide the rest."""
    keep = score.argsort(dim=1, stable=True)[:, : kept(score.shape[1], ratio, rule)].sort(dim=1).values
    return Mask(keep, torch.ones_like(score, dtype=torch.bool).scatter(1, keep, False))


def uniform(bodies: int, tokens: int, ratio: float, generator: torch.Generator, rule: Rule = "floor") -> Mask:
    """Every token of a body is equally likely to be hidden (He et al., CVPR 2022, section 3)."""
    return lowest(torch.rand(bodies, tokens, generator=generator, device=generator.device), ratio, rule)


def by_motion(
    intensity: Float[Tensor, "B P"], ratio: float, tau: float, generator: torch.Generator, rule: Rule = "floor"
) -> Mask:
    """Tokens that move more are hidden more often (MAMP, ICCV 2023, section 3.4, as its code has it).

    The hidden tokens are drawn without replacement with weights softmax(intensity / (tau * largest intensity)), by the
    Gumbel-top-k trick. The largest intensity is that of the body. tau <= 0 asks for uniform masking.
    """
    if tau <= 0:
        return uniform(intensity.shape[0], intensity.shape[1], ratio, generator, rule)
    intensity = intensity.float()  # the two logarithms underflow in half precision
    peak = intensity.amax(dim=1, keepdim=True)
    draw = torch.rand(intensity.shape, generator=generator, device=generator.device)
    gumbel = -torch.log(-torch.log(draw + 1e-10) + 1e-10)
    return lowest(torch.log_softmax(intensity / (peak * tau + 1e-10), dim=1) + gumbel, ratio, rule)


def motion_intensity(cells: Float[Tensor, "B P F"], joints: int) -> Float[Tensor, "B P"]:
    """How far each token moved since the patch before it: mean absolute difference of its F numbers, in metres.

    The first patch has none before it and takes the value of the second (MAMP, Eq. 5).
    """
    steps = cells.unflatten(1, (-1, joints))
    if steps.shape[1] == 1:
        return torch.zeros_like(cells[..., 0])
    moved = (steps[:, 1:] - steps[:, :-1]).abs().mean(-1)
    return torch.cat([moved[:, :1], moved], dim=1).flatten(1)

"""Attention that knows how far apart two tokens are in time: rotary positions (Su et al., 2021)."""

import torch
from jaxtyping import Float
from torch import Tensor

from skelray.layers.attention import SelfAttention, attend

Turns = tuple[Tensor, Tensor]  # cosine and signed sine of each token's angles, "S E"


def turns(
    steps: Float[Tensor, " S"], width: int, base: float = 10_000.0
) -> tuple[Float[Tensor, "S E"], Float[Tensor, "S E"]]:
    """Cosine and sine of the angles steps * base^(-2i / E) of a head of width E, i = 0..E/2-1, once for each half.

    The sine is negated in the first half, as `rotated` wants it. Step 0 is not turned.
    """
    rate = base ** (torch.arange(0, width, 2, device=steps.device) / -width)
    angle = steps[:, None] * rate
    return torch.cat([angle, angle], 1).cos(), torch.cat([-angle, angle], 1).sin()


def rotated(
    x: Float[Tensor, "B H S E"], cosine: Float[Tensor, "S E"], sine: Float[Tensor, "S E"]
) -> Float[Tensor, "B H S E"]:
    """Channel i and channel i + E/2 turned as one plane."""
    return torch.addcmul(x * cosine, x.roll(x.shape[-1] // 2, -1), sine).to(x.dtype)


class RotaryAttention(SelfAttention):
    """Every token reads every token; queries and keys are turned by their time."""

    def forward(self, x: Float[Tensor, "B S D"], by: Turns) -> Float[Tensor, "B S D"]:  # type: ignore[override]
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(attend(rotated(query, *by), rotated(key, *by), value).transpose(1, 2).flatten(2))

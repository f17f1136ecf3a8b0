"""Transformer blocks that are told a time, and what is left of them once the time never changes.

adaLN-Zero (Peebles and Xie, ICCV 2023, https://arxiv.org/abs/2212.09748): the time gives each block a shift, a scale
and a gate for its attention and for its MLP, all zero at first, so that every block starts as the identity. The norms
keep their own affine, as UMD's code (https://arxiv.org/abs/2406.17688) has it and DiT's has not.

A condition has a row for each body, or one row (N = 1) for all of them: that one is folded into the weights.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from skelray.layers.transformer import Block, xavier


class TimeEmbedding(nn.Module):
    """Sines, then cosines, of a time at D / 2 frequencies from 1 down to 1 / 10,000, through two linear layers.

    Raises ValueError for an odd width: sines and cosines come in pairs.
    """

    def __init__(self, width: int):
        super().__init__()
        if width % 2:
            raise ValueError(f"a time cannot be embedded in an odd width, {width}; the nearest even one is {width + 1}")
        self.pairs = width // 2
        layers = (nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width), nn.SiLU())
        self.layers = nn.Sequential(*layers).apply(xavier)

    def forward(self, time: Float[Tensor, " B"]) -> Float[Tensor, "B D"]:
        steps = torch.arange(self.pairs, device=time.device) / max(1, self.pairs - 1)
        angle = time[:, None] * (-math.log(10_000) * steps).exp()
        return self.layers(torch.cat([angle.sin(), angle.cos()], dim=1))


class Modulation(nn.Linear):
    """`parts` vectors for each body out of its condition: zero for every condition at first."""

    def __init__(self, width: int, parts: int):
        super().__init__(width, parts * width)
        self.parts = parts
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def of(self, condition: Float[Tensor, "N D"]) -> tuple[Float[Tensor, "N 1 D"], ...]:
        return self(condition)[:, None].chunk(self.parts, dim=-1)


class AdaBlock(nn.Module):
    """x + gate * attention(scale, shift of norm(x)), then the same with the MLP."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.plain = Block(width, heads).apply(xavier)
        self.modulation = Modulation(width, 6)

    def forward(self, x: Float[Tensor, "B S D"], condition: Float[Tensor, "N D"]) -> Float[Tensor, "B S D"]:
        if len(condition) == 1:
            same: Tensor = functional_call(self.plain, self.folded(condition), (x,))
            return same
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation.of(condition)
        drop = self.plain.drop
        x = x + drop(gate1 * self.plain.attention(self.plain.norm1(x) * (1 + scale1) + shift1))
        return x + drop(gate2 * self.plain.mlp(self.plain.norm2(x) * (1 + scale2) + shift2))

    def folded(self, condition: Float[Tensor, "1 D"]) -> dict[str, Tensor]:
        """The weights of the plain Block that computes the same under this one condition, with gradient.

        Scale and shift go into the norm's affine, the gate into the linear layer that ends the branch.
        """
        weights: dict[str, Tensor] = dict(self.plain.named_parameters())
        shift1, scale1, gate1, shift2, scale2, gate2 = (part[0, 0] for part in self.modulation.of(condition))
        branches = (("norm1", "attention.out", shift1, scale1, gate1), ("norm2", "mlp.2", shift2, scale2, gate2))
        for norm, last, shift, scale, gate in branches:
            weights[f"{norm}.weight"] = weights[f"{norm}.weight"] * (1 + scale)
            weights[f"{norm}.bias"] = weights[f"{norm}.bias"] * (1 + scale) + shift
            weights[f"{last}.weight"] = weights[f"{last}.weight"] * gate[:, None]
            weights[f"{last}.bias"] = weights[f"{last}.bias"] * gate
        return weights


class TokenBlock(nn.Module):
    """A plain block that reads the condition as one more token, which does not leave it."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.plain = Block(width, heads).apply(xavier)

    def forward(self, x: Float[Tensor, "B S D"], condition: Float[Tensor, "N D"]) -> Float[Tensor, "B S D"]:
        return self.plain(torch.cat([condition.expand(len(x), -1)[:, None], x], dim=1))[:, 1:]


class ConditionedTransformer(nn.Module):
    """`depth` blocks that are told a condition, by adaLN-Zero or else by a token, and a final norm that is not."""

    def __init__(self, width: int, depth: int, heads: int, adaln: bool):
        super().__init__()
        self.adaln = adaln
        self.blocks = nn.ModuleList((AdaBlock if adaln else TokenBlock)(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "B S D"], condition: Float[Tensor, "N D"]) -> Float[Tensor, "B S D"]:
        for block in self.blocks:
            x = block(x, condition)
        return self.norm(x)

    def folded(self, condition: Float[Tensor, "1 D"]) -> dict[str, Tensor]:
        """The weights of the plain Transformer that computes the same under one condition; only with adaLN is there."""
        weights: dict[str, Tensor] = {f"norm.{name}": weight for name, weight in self.norm.named_parameters()}
        for number, block in enumerate(self.blocks):
            assert isinstance(block, AdaBlock), "a time token is no constant of a block: it cannot be folded"
            weights |= {f"blocks.{number}.{name}": weight for name, weight in block.folded(condition).items()}
        return weights

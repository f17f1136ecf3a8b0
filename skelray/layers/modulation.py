"""MacDiff's denoiser: a transformer over every noisy token whose norms are steered by time and by a condition.

ECCV 2024, https://arxiv.org/abs/2409.10473; the modulation follows the released code: time acts inside, the condition
outside, with no "1 +" on a scale, no gates and no zero start. At the start a condition of zeros switches every block
off (all biases are zero); the biases that learn are then what "no condition" means.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skelray.layers.attention import SelfAttention
from skelray.layers.encoder import EncoderConfig
from skelray.layers.patch import PatchEmbedding
from skelray.layers.transformer import mlp, xavier
from skelray.masking import Mask
from skelray.skeletons import Skeleton

Condition = Literal["local_global", "global", "none"]

TIME_WIDTH = 64  # numbers that describe a step


def sinusoid(step: Int[Tensor, " B"], width: int) -> Float[Tensor, "B E"]:
    """Cosines, then sines of a step index at E / 2 frequencies that fall from 1 towards 1 / 10,000."""
    half = width // 2
    frequency = (torch.arange(half, device=step.device) * (-math.log(10_000) / half)).exp()
    angle = step[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=1)


class Modulation(nn.Module):
    """A layer norm steered from outside: s_z * (s_t * norm(h) + b_t) + b_z, element by element."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.of_time, self.of_condition = nn.Linear(TIME_WIDTH, 2 * width), nn.Linear(width, 2 * width)

    def forward(
        self, h: Float[Tensor, "B P D"], time: Float[Tensor, "B E"], z: Float[Tensor, "B P D"]
    ) -> Float[Tensor, "B P D"]:
        scale_t, shift_t = self.of_time(time)[:, None].chunk(2, -1)
        scale_z, shift_z = self.of_condition(z).chunk(2, -1)
        return scale_z * (scale_t * self.norm(h) + shift_t) + shift_z


class ModulatedBlock(nn.Module):
    """A pre-norm transformer block with both norms modulated, each by its own weights and its own condition."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = Modulation(width), Modulation(width)
        self.attention, self.mlp = SelfAttention(width, heads), mlp(width)

    def forward(
        self,
        h: Float[Tensor, "B P D"],
        time: Float[Tensor, "B E"],
        z1: Float[Tensor, "B P D"],
        z2: Float[Tensor, "B P D"],
    ) -> Float[Tensor, "B P D"]:
        h = h + self.attention(self.norm1(h, time, z1))
        return h + self.mlp(self.norm2(h, time, z2))


class Denoiser(nn.Module):
    """Reads a whole noisy clip, its step and a condition for each token; predicts F numbers for each token."""

    def __init__(self, cfg: EncoderConfig, skeleton: Skeleton, depth: int):
        super().__init__()
        joints, width = len(skeleton.joints), cfg.width
        self.blocks = nn.ModuleList(ModulatedBlock(width, cfg.heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, cfg.patch * skeleton.channels)
        self.apply(xavier)
        self.embedding = PatchEmbedding(cfg.steps, joints, cfg.patch, skeleton.channels, width)

    def forward(
        self,
        x_t: Float[Tensor, "B T V C"],
        step: Int[Tensor, " B"],
        z: Float[Tensor, "B P D"],
        live: Float[Tensor, "L 2"] | None = None,
    ) -> Float[Tensor, "B P F"]:
        """`step` counts from 0; `live` multiplies the condition of the two norms of each of L blocks, None: by 1."""
        h, time = self.embedding(x_t), sinusoid(step, TIME_WIDTH)
        for number, block in enumerate(self.blocks):
            z1, z2 = (z, z) if live is None else (live[number, 0] * z, live[number, 1] * z)
            h = block(h, time, z1, z2)
        return self.leave(self.norm(h))


def condition_map(tokens: Float[Tensor, "B K D"], mask: Mask, kind: Condition) -> Float[Tensor, "B P D"]:
    """What a denoiser is told at each token, made from the encoder's visible tokens.

    "local_global": its own token where visible, the mean of the visible ones elsewhere; "global": the mean everywhere;
    "none": zeros, which is also what a dropped condition is.
    """
    everywhere = tokens.mean(1, keepdim=True).expand(-1, mask.hidden.shape[1], -1)
    if kind == "local_global":
        return torch.scatter(everywhere, 1, mask.keep[..., None].expand_as(tokens), tokens)
    return everywhere if kind == "global" else 0 * everywhere

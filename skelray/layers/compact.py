"""An encoder of few, long tokens that never drops one: hidden tokens are replaced, and a clip may have any length."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from skelray.layers.drop import DropPath
from skelray.layers.encoder import EncoderConfig
from skelray.layers.patch import patchify, table
from skelray.layers.rotary import RotaryAttention, Turns, turns
from skelray.precision import exact
from skelray.skeletons import Skeleton


class CompactConfig(EncoderConfig):
    """Size of the encoder; the defaults are SLiM's."""

    frames: int = Field(64, ge=1)  # of a whole view; shorter ones may be encoded as well
    patch: int = Field(8, ge=1)
    registers: int = Field(4, ge=0)
    base: float = Field(10_000.0, gt=1)  # of the rotary angles: the wavelengths in time reach up to 2 pi * base tokens

    @model_validator(mode="after")
    def heads_are_planes(self) -> "CompactConfig":
        if self.width // self.heads % 2:
            raise ValueError(f"width {self.width} / heads {self.heads} is odd, and rotary time turns pairs of channels")
        return self


class CompactEncoder(nn.Module):
    """Class token and registers in front of the patch tokens; a learned place for each joint, rotary time."""

    def __init__(self, cfg: CompactConfig, skeleton: Skeleton):
        super().__init__()
        self.patch, self.joints, self.base = cfg.patch, len(skeleton.joints), cfg.base
        self.tokens = cfg.steps * self.joints  # of a whole view
        self.front = 1 + cfg.registers  # class token and registers
        self.embedding = nn.Linear(cfg.patch * skeleton.channels, cfg.width)  # keeps torch's own start
        self.body = RotaryTransformer(cfg.width, cfg.depth, cfg.heads).apply(normal)
        self.class_token = nn.Parameter(1e-6 * torch.randn(1, cfg.width))
        self.registers = nn.Parameter(1e-6 * torch.randn(cfg.registers, cfg.width))
        self.mask_token = nn.Parameter(torch.zeros(1, cfg.width))
        self.joint = table(1 + self.joints, cfg.width)  # of the class token and of every joint

    def forward(self, x: Float[Tensor, "B T V C"], hidden: Bool[Tensor, "B P"] | None = None) -> Float[Tensor, "B S D"]:
        """Class token, registers, patch tokens (S = 1 + R + P), normalised; hidden tokens keep place and time only."""
        with exact(x):
            tokens = self.embedding(patchify(x, self.patch))
        if hidden is not None:
            tokens = torch.where(hidden[..., None], self.mask_token.to(tokens.dtype), tokens)
        steps = tokens.shape[1] // self.joints
        tokens = tokens + self.joint[1:].repeat(steps, 1)
        front = torch.cat([self.class_token + self.joint[:1], self.registers])
        tokens = torch.cat([front.to(tokens.dtype).expand(len(x), -1, -1), tokens], dim=1)
        time = torch.arange(steps, device=x.device, dtype=torch.float32).repeat_interleave(self.joints)
        return self.body(tokens, turns(F.pad(time, (self.front, 0)), self.body.head_width, self.base))


class RotaryTransformer(nn.Module):
    """`depth` blocks and a final norm."""

    def __init__(self, width: int, depth: int, heads: int):
        super().__init__()
        self.head_width = width // heads
        self.blocks = nn.ModuleList(RotaryBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Float[Tensor, "B S D"], by: Turns) -> Float[Tensor, "B S D"]:
        for block in self.blocks:
            x = block(x, by)
        return self.norm(x)


class RotaryBlock(nn.Module):
    """x + attention(norm(x)), then x + swiglu(norm(x))."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attention, self.mlp = RotaryAttention(width, heads), SwiGLU(width)
        self.drop = DropPath()

    def forward(self, x: Float[Tensor, "B S D"], by: Turns) -> Float[Tensor, "B S D"]:
        x = x + self.drop(self.attention(self.norm1(x), by))
        return x + self.drop(self.mlp(self.norm2(x)))


class SwiGLU(nn.Module):
    """leave(silu(a) * b) with a, b = enter(x); two thirds of four times the width, rounded up to a multiple of 8.

    Shazeer, 2020, https://arxiv.org/abs/2002.05202: as many weights as two layers of four times the width have.
    """

    def __init__(self, width: int):
        super().__init__()
        hidden = (4 * width * 2 // 3 + 7) // 8 * 8
        self.enter, self.leave = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)

    def forward(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B S D"]:
        gate, value = self.enter(x).chunk(2, -1)
        return self.leave(F.silu(gate) * value)


def normal(module: nn.Module) -> None:
    """Start linear layers as the DINO family does: normal weights, deviation 0.02, zero biases. For Module.apply()."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)

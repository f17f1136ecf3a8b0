"""An auto-encoder with registers: learned tokens without a position, never masked, that gather what concerns a body.

Registers: Darcet et al., ICLR 2024, https://arxiv.org/abs/2309.16588. Both encoders standardise, so that their weights
carry the mean and the variance of the data they were trained on.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skelray.layers.adaln import ConditionedTransformer, Modulation, TimeEmbedding
from skelray.layers.encoder import EncoderConfig, gather
from skelray.layers.fill import filled
from skelray.layers.patch import PatchEmbedding, Positions, table
from skelray.layers.standard import Standard
from skelray.layers.transformer import Transformer, xavier
from skelray.masking import Mask
from skelray.skeletons import Skeleton


class Registers(nn.Module):
    """Patch embedding and positions as in layers.encoder, with R registers in front of the tokens."""

    def __init__(self, cfg: EncoderConfig, skeleton: Skeleton, registers: int, spread: float = 0.0):
        super().__init__()
        self.tokens = cfg.steps * len(skeleton.joints)
        self.standard = Standard(skeleton.channels)
        self.embedding = PatchEmbedding(cfg.steps, len(skeleton.joints), cfg.patch, skeleton.channels, cfg.width)
        self.registers = nn.Parameter(spread * torch.randn(registers, cfg.width))

    def embed(self, x: Float[Tensor, "B T V C"], mask: Mask | None = None) -> Float[Tensor, "B S D"]:
        """Registers, then every token of a standardised body (S = R + P), or the visible ones alone (S = R + K)."""
        tokens = self.embedding(x)
        tokens = tokens if mask is None else gather(tokens, mask.keep)
        return torch.cat([self.registers.expand(len(x), -1, -1), tokens], dim=1)


class RegisterEncoder(Registers):
    """Plain blocks and a final norm: what a folded TimedEncoder computes, and nothing else."""

    def __init__(self, cfg: EncoderConfig, skeleton: Skeleton, registers: int):
        super().__init__(cfg, skeleton, registers)
        self.body = Transformer(cfg.width, cfg.depth, cfg.heads)

    def forward(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B P D"]:
        """The tokens of complete bodies, coordinates in metres; the registers stay behind."""
        return self.body(self.embed(self.standard(x)))[:, len(self.registers) :]


class TimedEncoder(Registers):
    """Blocks that are told how noisy their input is; `time` makes the condition that forward() takes."""

    def __init__(self, cfg: EncoderConfig, skeleton: Skeleton, registers: int, adaln: bool, spread: float = 0.0):
        super().__init__(cfg, skeleton, registers, spread)
        self.time = TimeEmbedding(cfg.width)
        self.body = ConditionedTransformer(cfg.width, cfg.depth, cfg.heads, adaln)

    def forward(
        self, x: Float[Tensor, "B T V C"], condition: Float[Tensor, "N D"], mask: Mask | None = None
    ) -> Float[Tensor, "B S D"]:
        """Registers (the first R), then tokens, of standardised bodies."""
        return self.body(self.embed(x, mask), condition)

    def folded(self, time: float = 0.0) -> dict[str, Tensor]:
        """The state of the RegisterEncoder that computes the same at this one time; needs adaLN. With gradient."""
        condition = self.time(self.registers.new_tensor([time]))
        state: dict[str, Tensor] = {"registers": self.registers}
        for name, part in (("standard", self.standard), ("embedding", self.embedding)):
            state |= {f"{name}.{key}": value for key, value in (*part.named_parameters(), *part.named_buffers())}
        return state | {f"body.{key}": weight for key, weight in self.body.folded(condition).items()}


class TimedDecoder(nn.Module):
    """Puts visible tokens and a mask token in place, and predicts every cell, told the time and the mean register."""

    def __init__(self, cfg: EncoderConfig, skeleton: Skeleton, depth: int, adaln: bool, out: int):
        super().__init__()
        self.body = ConditionedTransformer(cfg.width, depth, cfg.heads, adaln)
        self.last = Modulation(cfg.width, 2) if adaln else None
        self.leave = nn.Linear(cfg.width, out).apply(xavier)
        self.mask_token, self.positions = table(1, 1, cfg.width), Positions(cfg.steps, len(skeleton.joints), cfg.width)

    def forward(
        self, z: Float[Tensor, "B S D"], registers: int, condition: Float[Tensor, "N D"], mask: Mask | None
    ) -> Float[Tensor, "B P G"]:
        """z: R registers, then the visible tokens, or all of them where there is no mask."""
        mean, full, positions = z[:, :registers].mean(1, keepdim=True), z[:, registers:], self.positions()
        full = full + positions if mask is None else filled(full, mask, self.mask_token, positions)
        full = self.body(torch.cat([mean, full], dim=1), condition)[:, 1:]
        if self.last is not None:
            shift, scale = self.last.of(condition)
            full = full * (1 + scale) + shift
        return self.leave(full)

"""UMD: Unified Masked Diffusion, one auto-encoder for masked and for noisy input, carried over to skeletons.

arXiv 2024, https://arxiv.org/abs/2406.17688; public code philippe-eecs/small-vision (images; JAX, no licence file).

Idea        add a step without noise but with a high mask ratio to a masked diffusion: it is an MAE. Share of that step
            and the two ratios give MAE (1), DiT (0, noised ratio 0), MaskDiT (0, 0.5) and UMD
Equations   x_t = sqrt(abar_t) x0 + sqrt(1 - abar_t) eps                        -> noise.noised
            L_clean = x0-MSE on hidden tokens, network told time 0              -> UMD.clean_error
            L_noised = 1/2 [eps-MSE on visible + x0-MSE on hidden], told t + 1  -> UMD.noised_errors
            L = p0 L_clean + (1 - p0) L_noised                                  -> UMD.loss
            x + gate f((1 + scale) LN(x) + shift), all of them of the time      -> layers.adaln.AdaBlock
Symbols     clean_share ~ p0; mask_ratio ~ r0, of clean bodies; noised_mask_ratio ~ r_t; diffusion_steps ~ T_d;
            registers ~ class tokens, whose mean the decoder reads as one more token
Departures  the port to skeletons is ours: standardised coordinates, the encoder of the MAMP family (exact GELU, norms
            with eps 1e-5, time and joint positions), ratios 0.9 and 0.45 where images have 0.75 and 0.375; norms never
            decay, positions as tables do; absent bodies are left out: count_absent restores them. Sampling bounds x0
            at 5 standard deviations (pixels have 1, too tight here; with no bound a cosine's first step makes 253 of
            an error of 1), and shows a model all tokens at once, which it never saw if noised_mask_ratio is above 0.
            Registers start at zero as in the code, where nothing ever tells them apart: register_spread does
Reproduces  results/nw_ucla_methods, seeds and intervals there; no claim for NTU RGB+D
"""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from skelray import masking, noise
from skelray.batch import Batch, Bodies, Source
from skelray.errors import BadInput
from skelray.layers.compare import hidden_error
from skelray.layers.patch import patchify, unpatchify
from skelray.layers.registers import TimedDecoder, TimedEncoder
from skelray.method import Method, MethodConfig
from skelray.schema import Depth, Width
from skelray.skeletons import Skeleton
from skelray.trainable import Losses


class UMDConfig(MethodConfig):
    name: Literal["umd"] = "umd"
    bodies: Bodies = "first"
    clean_share: float = Field(0.5, ge=0, le=1)  # of a batch that gets no noise
    mask_ratio: float = Field(0.9, gt=0, lt=1)  # of clean bodies, whose hidden tokens are all that they teach
    noised_mask_ratio: float = Field(0.45, ge=0, lt=1)  # 0: both heads learn on every token
    schedule: noise.ScheduleName = "cosine"
    schedule_tau: float = Field(1.0, ge=-1, lt=noise.TAU_END)  # read by "family" alone
    diffusion_steps: int = Field(1000, ge=1, le=100_000)
    eps_weight: float = Field(1.0, ge=0)  # within the noised half
    x0_weight: float = Field(1.0, ge=0)
    decoder_depth: Depth = 4
    registers: Width = 4
    register_spread: float = Field(0.0, ge=0)  # standard deviation at the start; 0: they stay equal for ever
    adaln: bool = True  # False: a time token in each block

    @model_validator(mode="after")
    def it_can_work(self) -> "UMDConfig":
        if self.encoder.width % 2:
            raise ValueError(
                f"width {self.encoder.width} is odd; a time takes pairs: {self.encoder.width + 1} would do"
            )
        if self.eps_weight == self.x0_weight == 0 and self.clean_share < 1:
            raise ValueError("eps_weight and x0_weight are both 0: noise would teach nothing; 1 and 1 would do")
        return self


class UMD(Method):
    """See the head of this file."""

    Config = UMDConfig
    encoder: TimedEncoder  # type: ignore[assignment]
    alpha_bar: Tensor

    def __init__(self, cfg: UMDConfig, skeleton: Skeleton):
        super().__init__(cfg, skeleton)
        self.skeleton = skeleton
        self.encoder = TimedEncoder(cfg.encoder, skeleton, cfg.registers, cfg.adaln, cfg.register_spread)
        out = 2 * cfg.encoder.patch * skeleton.channels  # x0, then eps
        self.decoder = TimedDecoder(cfg.encoder, skeleton, cfg.decoder_depth, cfg.adaln, out)
        levels = noise.alpha_bar(cfg.schedule, cfg.diffusion_steps, cfg.schedule_tau)
        self.register_buffer("alpha_bar", levels, persistent=False)

    def begin(self, source: Source) -> None:
        """Mean and variance of the training clips, for unit variance beside unit noise."""
        self.encoder.standard.measure(source, self.cfg.bodies)

    def loss(self, batch: Batch) -> Losses:
        x, cfg = self.encoder.standard(batch.counted(self.cfg.count_absent)), self.cfg
        clean = int(len(x) * cfg.clean_share)  # the last ones: no chance in who is noised, so that shapes stay
        eps, x0 = self.noised_errors(x[: len(x) - clean], batch.generator)
        noised = (cfg.eps_weight * eps + cfg.x0_weight * x0) / 2
        rebuilt = self.clean_error(x[len(x) - clean :], batch.generator)
        total = cfg.clean_share * rebuilt + (1 - cfg.clean_share) * noised
        return {"loss": total, "clean": rebuilt, "noised_eps": eps, "noised_x0": x0}

    def clean_error(self, x: Float[Tensor, "B T V C"], generator: torch.Generator) -> Float[Tensor, ""]:
        """MSE of x0 on the hidden tokens of standardised bodies without noise."""
        mask = masking.uniform(len(x), self.encoder.tokens, self.cfg.mask_ratio, generator)
        x0, _ = self.predict(x, torch.zeros(len(x), device=x.device), mask)
        return hidden_error(x0, patchify(x, self.cfg.encoder.patch), mask.hidden)

    def noised_errors(
        self, x: Float[Tensor, "B T V C"], generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """MSE of eps on the visible tokens, MSE of x0 on the hidden ones; without masking both on every token."""
        cfg = self.cfg
        step = torch.randint(cfg.diffusion_steps, (len(x),), generator=generator, device=generator.device)
        dirt = noise.gaussian_like(x, generator)
        x_t = noise.noised(x, dirt, self.alpha_bar[step][:, None, None, None])

        mask = masking.uniform(len(x), self.encoder.tokens, cfg.noised_mask_ratio, generator)
        x0, eps = self.predict(x_t, step + 1.0, mask)
        hidden = mask.hidden if cfg.noised_mask_ratio else torch.ones_like(mask.hidden)
        patch = cfg.encoder.patch
        return hidden_error(eps, patchify(dirt, patch), ~mask.hidden), hidden_error(x0, patchify(x, patch), hidden)

    def predict(
        self, x: Float[Tensor, "B T V C"], time: Float[Tensor, " N"], mask: masking.Mask | None = None
    ) -> tuple[Float[Tensor, "B P F"], Float[Tensor, "B P F"]]:
        """x0 and eps in every cell; x standardised; time 0 without noise, t + 1 after step t, N = B or 1."""
        condition = self.encoder.time(time)
        z = self.encoder(x, condition, mask)
        heads = self.decoder(z, self.cfg.registers, condition, mask)
        x0, eps = heads.chunk(2, dim=-1)
        return x0, eps

    def pretrained(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B P D"]:
        """Tokens of complete bodies without noise: with adaLN through plain blocks, time 0 folded into them."""
        z = self.encoder(self.encoder.standard(x), self.encoder.time(x.new_zeros(1)))
        return z[:, self.cfg.registers :]

    def generate(
        self,
        x: Float[Tensor, "B T V C"] | None,
        bodies: int,
        generator: torch.Generator,
        *,
        steps: int = 125,
        guidance: float = 0.0,
        eta: float = 1.0,
        bound: float | None = 5.0,
    ) -> Float[Tensor, "B T V C"]:
        """New bodies in metres: DDIM with the eps head on all tokens; the last of `steps` ends without noise.

        bound: largest |x0| on the way, in standard deviations; None as the code has it for latents (1 for pixels).
        Raises BadInput for a condition or guidance, which UMD without classes has not, and for steps out of range.
        """
        total, patch, joints = self.cfg.diffusion_steps, self.cfg.encoder.patch, len(self.skeleton.joints)
        if x is not None or guidance:
            raise BadInput("umd generates from noise alone: leave out the clip and the guidance")
        if not 1 <= steps <= total:
            raise BadInput(f"{steps} sampling steps do not lie within 1..{total}, the diffusion steps")

        def eps(x_t: Tensor, index: int) -> Tensor:
            _, cells = self.predict(x_t, x_t.new_tensor([index + 1.0]))
            dirt = unpatchify(cells, joints, patch)
            return dirt if bound is None else noise.bounded(x_t, dirt, self.alpha_bar[index], bound)

        shape = (bodies, self.cfg.encoder.frames, joints, self.skeleton.channels)
        start = torch.randn(shape, generator=generator, device=generator.device)
        times = [total - 1 - number * total // steps for number in range(steps)]  # 999, 991, ..., 7: UMD's grid
        return self.encoder.standard.metres(noise.ddim(eps, start, self.alpha_bar, times, generator, eta))

"""MacDiff: a masked encoder learns by steering a diffusion model that denoises the whole clip.

Wu et al., ECCV 2024, https://arxiv.org/abs/2409.10473; the author's code is public in Wenrui-Shen/MacDiff, a fork.

Idea        what little the encoder sees must tell a denoiser all that it can: generation teaches the representation
Equations   x_t = sqrt(abar_t) x + sqrt(1 - abar_t) eps                        -> noise.noised
            abar = (1 + tau) f0 (1 - u) - tau c(u), scaled to 1 at u = 0       -> noise.alpha_bar
            Z = own token where visible, their mean elsewhere                  -> layers.modulation.condition_map
            s_z (s_t LN(h) + b_t) + b_z                                        -> layers.modulation.Modulation
            L_uni = mean over pairs of visible tokens of cos^2                 -> uniformity
            L = mean over hidden tokens of ||predicted - eps||^2 / F + 0.02 L_uni  -> MacDiff.loss
            guided eps = eps(Z) + guidance (eps(Z) - eps(0))                   -> MacDiff.generate
Symbols     diffusion_steps ~ T_d; schedule_tau ~ tau of the schedule; tau ~ temperature of the motion prior;
            condition_dropout ~ share of unconditional samples; jitter ~ noise of the encoder's view, in metres
Departures  absent bodies are left out; standardised by what the training clips measure (standard: published has the
            authors' NTU RGB+D 60 constants), saved with the weights; condition dropout and layer mask act in training
            alone, the code's act always; v is the usual one, the code's has signal and noise swapped; rotation is on,
            as in the paper, the code's NTU RGB+D 60 cross-subject has it off. Inferred: a motion mask looks at clean
            metres; with nothing hidden the loss falls on every token; sampling steps, eta and guidance; a conditional
            sample sees x through a new mask of training's ratio; the bound on its coordinates; min_snr's weight for v
Reproduces  results/nw_ucla_methods, seeds and intervals there; no claim for NTU RGB+D
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from skelray import masking, noise
from skelray.batch import Batch, Bodies, Source
from skelray.errors import BadInput
from skelray.layers.compare import mean_of
from skelray.layers.encoder import Encoder
from skelray.layers.modulation import Condition, Denoiser, condition_map
from skelray.layers.patch import patchify, unpatchify
from skelray.layers.standard import Standard
from skelray.method import Method, MethodConfig
from skelray.precision import exact
from skelray.skeletons import Skeleton
from skelray.trainable import Losses

NTU60 = (-0.0058, -0.1333, -0.0246), (0.0206, 0.0805, 0.0218)  # mean in metres, variance, as the code has them


class MacDiffConfig(MethodConfig):
    name: Literal["macdiff"] = "macdiff"
    bodies: Bodies = "first"
    mask_ratio: float = Field(0.9, ge=0, lt=1)  # 0: the encoder sees everything
    masking: Literal["uniform", "motion"] = "uniform"
    tau: float = Field(0.80, gt=0)  # temperature, where masking follows motion
    jitter: float = Field(0.005, ge=0)  # metres, standard deviation, on what the encoder sees
    standard: Literal["measured", "published"] = "measured"  # where mean and variance of the coordinates come from
    condition: Condition = "local_global"  # what hidden (and visible) tokens are told: see condition_map
    condition_dropout: float = Field(0.1, ge=0, le=1)  # share of bodies whose condition is zeros
    layer_mask: float = Field(0.0, ge=0, le=1)  # probability that one modulation gets zeros, for a whole batch
    decoder_depth: int = Field(5, ge=1, le=1000)
    schedule: noise.ScheduleName = "inverse_cosine"
    schedule_tau: float = Field(1.0, ge=-1, lt=noise.TAU_END)  # -1 cosine, 1 inverse cosine; read by "family" alone
    diffusion_steps: int = Field(1000, ge=1, le=100_000)
    target: noise.Target = "eps"
    loss_tokens: Literal["masked", "all"] = "masked"
    step_weight: Literal["none", "min_snr"] = "none"
    snr_limit: float = Field(5.0, gt=0)  # of min_snr
    uniformity: float = Field(0.02, ge=0)  # weight of the term that keeps visible tokens apart

    def refuse_stream(self, stream: str) -> None:
        """Raise ValueError where the published statistics are of something else."""
        if stream != "joint" and self.standard == "published":
            due = "set method.standard to measured"
            raise ValueError(f"the stream {stream} does not have the published mean and variance of joints: {due}")


class MacDiff(Method):
    """See the head of this file."""

    Config = MacDiffConfig
    levels: Tensor
    weights: Tensor

    def __init__(self, cfg: MacDiffConfig, skeleton: Skeleton):
        super().__init__(cfg, skeleton)
        self.joints, self.channels = len(skeleton.joints), skeleton.channels
        self.encoder = Encoder(cfg.encoder, skeleton)
        self.decoder = Denoiser(cfg.encoder, skeleton, cfg.decoder_depth)
        self.standard = Standard(skeleton.channels)
        if cfg.standard == "published":
            if (given := skeleton.channels) != 3:
                raise BadInput(f"method.standard: the published mean and variance are of 3 coordinates, not {given}")
            self.standard.give(*NTU60)
        levels = noise.alpha_bar(cfg.schedule, cfg.diffusion_steps, cfg.schedule_tau)
        weights = noise.min_snr(levels, cfg.target, cfg.snr_limit) if cfg.step_weight == "min_snr" else levels**0
        self.register_buffer("levels", levels, persistent=False)
        self.register_buffer("weights", weights.float(), persistent=False)

    def begin(self, source: Source) -> None:
        if self.cfg.standard == "measured":
            self.standard.measure(source, self.cfg.bodies)

    def loss(self, batch: Batch) -> Losses:
        x, cfg, generator = batch.counted(self.cfg.count_absent), self.cfg, batch.generator
        mask = self.mask(x, generator)
        seen = self.standard(x + cfg.jitter * noise.gaussian_like(x, generator))
        x = self.standard(x)
        step = torch.randint(cfg.diffusion_steps, (len(x),), generator=generator, device=generator.device)
        eps, level = noise.gaussian_like(x, generator), self.levels[step][:, None, None, None]
        told, live = self.draw_dropout(len(x), generator)

        tokens = self.encoder(seen, mask)
        z = condition_map(tokens, mask, cfg.condition) * told
        predicted = self.decoder(noise.noised(x, eps, level), step, z, live)

        target = patchify(noise.wanted(cfg.target, x, eps, level), cfg.encoder.patch)
        error = (predicted.float() - target).square().mean(-1)
        counts = counted_tokens(mask, cfg.loss_tokens)
        denoising = (self.weights[step][:, None] * error * counts).sum() / counts.sum().clamp_min(1)
        even = uniformity(tokens)
        return {"loss": denoising + cfg.uniformity * even, "denoising": denoising, "uniformity": even}

    def mask(self, x: Float[Tensor, "B T V C"], generator: torch.Generator) -> masking.Mask:
        """What the encoder sees; 75 of 750 tokens at 0.9, rounded as in the code."""
        intensity = masking.motion_intensity(patchify(x, self.cfg.encoder.patch), self.joints)
        tau = self.cfg.tau if self.cfg.masking == "motion" else 0.0  # 0 asks for uniform masking
        return masking.by_motion(intensity, self.cfg.mask_ratio, tau, generator, "round")

    def draw_dropout(self, bodies: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Factors 0 or 1 for the conditions of each body, (B, 1, 1), and of each modulation, (decoder_depth, 2)."""
        told = torch.rand(bodies, 1, 1, generator=generator, device=generator.device)
        live = torch.rand(self.cfg.decoder_depth, 2, generator=generator, device=generator.device)
        if not self.training:
            return torch.ones_like(told), None
        told = (told >= self.cfg.condition_dropout).float()
        return told, (live >= self.cfg.layer_mask).float() if self.cfg.layer_mask > 0 else None

    def pretrained(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B P D"]:
        """The tokens of complete bodies, standardised as in training."""
        return self.encoder(self.standard(x))

    @torch.no_grad()
    def generate(
        self,
        x: Float[Tensor, "B T V C"] | None,  # metres; each is seen through a new mask as in training
        bodies: int,
        generator: torch.Generator,
        *,
        steps: int = 50,  # of DDIM; DDPM takes every step
        guidance: float = 0.0,  # eps(Z) + guidance (eps(Z) - eps(0)): 0 as the condition says, -1 ignores it
        eta: float = 0.0,  # of DDIM: 0 draws no noise on the way
        sampler: Literal["ddim", "ddpm"] = "ddim",
        start: int | None = None,  # put only this many steps of noise on x and go back from there
        bound: float | None = 3.0,  # largest |x0| on the way, in standard deviations: the last steps amplify mistakes
    ) -> Float[Tensor, "B T V C"]:
        """New clips in metres: variants of x, or without x from nothing.

        Raises BadInput for a wrong number of bodies or of steps, or a start without x.
        """
        shape = (bodies, self.cfg.encoder.frames, self.joints, self.channels)
        if x is not None and x.shape != shape:
            raise BadInput(f"clips of shape {tuple(x.shape)} cannot steer clips of shape {shape}")
        if start is not None and (x is None or not 1 <= start <= self.cfg.diffusion_steps):
            raise BadInput(f"start {start} needs a clip to start from and lies within 1..{self.cfg.diffusion_steps}")
        levels = self.levels[:start]
        x_t = torch.randn(shape, generator=generator, device=generator.device)
        z = torch.zeros(bodies, self.encoder.tokens, self.cfg.encoder.width, device=x_t.device)
        if x is not None:
            mask = self.mask(x, generator)
            z = condition_map(self.encoder(self.standard(x), mask), mask, self.cfg.condition)
            x_t = x_t if start is None else noise.noised(self.standard(x), x_t, levels[-1])

        def predict(x_t: Tensor, index: int) -> Tensor:
            eps = self.eps(x_t, index, z)
            if guidance and x is not None:
                eps = eps + guidance * (eps - self.eps(x_t, index, 0 * z))
            return eps if bound is None else noise.bounded(x_t, eps, levels[index], bound)

        if sampler == "ddpm":
            return self.standard.metres(noise.ddpm(predict, x_t, levels, generator))
        times = noise.ddim_times(steps, len(levels))
        return self.standard.metres(noise.ddim(predict, x_t, levels, times, generator, eta))

    def eps(self, x_t: Float[Tensor, "B T V C"], index: int, z: Float[Tensor, "B P D"]) -> Float[Tensor, "B T V C"]:
        """The noise in x_t that the denoiser sees, whatever it was trained to predict."""
        step = torch.full((len(x_t),), index, device=x_t.device)
        said = unpatchify(self.decoder(x_t, step, z), self.joints, self.cfg.encoder.patch)
        return noise.eps_of(self.cfg.target, x_t, said, self.levels[index])


def counted_tokens(mask: masking.Mask, which: Literal["masked", "all"]) -> Bool[Tensor, "B P"]:
    """Tokens in the loss: the hidden ones, or all; all as well when nothing is hidden (mask ratio 0)."""
    every = which == "all" or mask.keep.shape[1] == mask.hidden.shape[1]
    return torch.ones_like(mask.hidden) if every else mask.hidden


def uniformity(tokens: Float[Tensor, "B K D"]) -> Float[Tensor, ""]:
    """Mean squared cosine over all K^2 pairs of a body's tokens: 1 when all point one way, 1 / K when orthogonal."""
    with exact(tokens):
        unit = F.normalize(tokens.float(), dim=-1)
        return mean_of((unit @ unit.mT).square())

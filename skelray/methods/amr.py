"""AMR: masked motion regression with a few learned queries and weights from motion energy.

CVPR 2026, https://arxiv.org/abs/2606.11450; no code is public, so what its readers do not state is a field below.

Idea        ask one query per large patch for the motion of the whole clip, and let a window count by how much happens
            in it: quiet windows teach little
Equations   e = mean over a window of ||s_t - mean||^2                         -> energy
            w = 1 / (1 + k e_t / (e + eps)), e_t = mean e, averaged over windows -> energy_weights
            q <- attention(q, visible) + q;  q <- mlp(q) + q                   -> QueryDecoder
            L = mean of w (predicted - target)^2                               -> AMR.loss
Symbols     coarse ~ r, small patches in a large one; windows ~ n in {4, 8, 12}; k ~ k; queries ~ N_t = N / r
Departures  absent bodies are left out of the loss: count_absent restores it. Inferred, hence fields: decoder_depth,
            target, normalise, eps, scope of e_t, fuse, masking; inferred without a field: pre-norm layers, a linear
            layer before the decoder, the loss over every large patch, free queries plus time and joint positions
Reproduces  results/nw_ucla_quick, seeds and intervals there; no claim for NTU RGB+D
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from skelray import masking
from skelray.batch import Batch
from skelray.layers.attention import CrossAttention, SelfAttention
from skelray.layers.compare import mean_of
from skelray.layers.encoder import Encoder, must_divide
from skelray.layers.patch import Positions, motion, patchify, standardise, table
from skelray.layers.reconstruct import Reconstruction, reconstruction
from skelray.layers.transformer import mlp, xavier
from skelray.method import Method, MethodConfig
from skelray.schema import Depth
from skelray.skeletons import Skeleton
from skelray.trainable import Losses

Fuse = Literal["mean", "product", "max"]


class AMRConfig(MethodConfig):
    name: Literal["amr"] = "amr"
    mask_ratio: float = Field(0.9, gt=0, lt=1)
    coarse: int = Field(6, ge=1)  # small patches per large patch
    windows: tuple[Annotated[int, Field(ge=1)], ...] = Field((4, 8, 12), min_length=1)  # frames
    k: float = Field(0.01, ge=0)  # curvature of the weight; 0: every window weighs 1
    eps: float = Field(1e-8, gt=0)  # square metres; far below the jitter of the sensor
    scope: Literal["body", "joint"] = "body"  # over what the mean energy e_t is taken
    fuse: Fuse = "mean"  # of the weights of the window lengths
    target: Literal["motion", "joint"] = "motion"
    normalise: Literal["cell", "axis", "none"] = "cell"  # targets: within a large patch, each axis within a clip, not
    masking: Literal["uniform", "motion"] = "uniform"
    tau: float = Field(0.80, gt=0)  # temperature, where masking follows motion
    decoder_depth: Depth = 5
    self_attention: bool = False  # True: queries also read each other (the paper's costlier variant)

    @model_validator(mode="after")
    def cuts_are_whole(self) -> "AMRConfig":
        must_divide(self.encoder.steps, self.coarse, "coarse")
        for window in self.windows:
            must_divide(self.encoder.frames, window, "window")
        return self


class AMR(Method):
    """See the head of this file."""

    Config = AMRConfig

    def __init__(self, cfg: AMRConfig, skeleton: Skeleton):
        super().__init__(cfg, skeleton)
        self.joints, self.frames = len(skeleton.joints), cfg.coarse * cfg.encoder.patch  # frames of a large patch
        self.encoder = Encoder(cfg.encoder, skeleton)
        self.decoder = QueryDecoder(cfg, self.joints, out=self.frames * skeleton.channels)

    def loss(self, batch: Batch) -> Losses:
        x, cfg = batch.counted(self.cfg.count_absent), self.cfg
        target = self.targets(motion(x) if cfg.target == "motion" else x)
        weight = energy_weights(x, cfg.windows, cfg.k, cfg.eps, cfg.scope, cfg.fuse)
        weight = patchify(weight.expand_as(x), self.frames)

        predicted = self.decoder(self.encoder(x, self.mask(x, batch.generator)))
        error = weight * (predicted.float() - target).square()
        return {"loss": mean_of(error), "weight": mean_of(weight)}

    def reconstruct(self, x: Float[Tensor, "B T V C"], generator: torch.Generator) -> Reconstruction:
        """The predicted motion (or, as configured, coordinates) of every large patch in metres."""
        mask, stride = self.mask(x, generator), int(self.cfg.target == "motion")
        truth = motion(x) if stride else x
        return reconstruction(mask, self.decoder(self.encoder(x, mask)), truth, self.frames, self.cfg.normalise, stride)

    def targets(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B Q F"]:
        """Large patches of x, normalised as the config says."""
        if self.cfg.normalise == "axis":
            x = (x - x.mean((1, 2), keepdim=True)) / (x.var((1, 2), keepdim=True) + 1e-6).sqrt()
        cells = patchify(x, self.frames)
        return standardise(cells) if self.cfg.normalise == "cell" else cells

    def mask(self, x: Float[Tensor, "B T V C"], generator: torch.Generator) -> masking.Mask:
        """Uniform by default: AMR puts its prior into the loss, not into the mask."""
        if self.cfg.masking == "uniform":
            return masking.uniform(len(x), self.encoder.tokens, self.cfg.mask_ratio, generator)
        intensity = masking.motion_intensity(patchify(x, self.cfg.encoder.patch), self.joints)
        return masking.by_motion(intensity, self.cfg.mask_ratio, self.cfg.tau, generator)


def energy(x: Float[Tensor, "B T V C"], window: int) -> Float[Tensor, "B W V"]:
    """Motion energy of each joint in each of W = T / window windows: mean squared distance to its mean, metres^2."""
    return x.float().unflatten(1, (-1, window)).var(2, correction=0).sum(-1)


def energy_weights(
    x: Float[Tensor, "B T V C"],
    windows: tuple[int, ...],
    k: float,
    eps: float,
    scope: Literal["body", "joint"] = "body",
    fuse: Fuse = "mean",
) -> Float[Tensor, "B T V 1"]:
    """How much each joint at each frame counts, in (0, 1]: 1 where much happens, near 0 where nothing does."""
    scales = []
    for window in windows:
        e = energy(x, window)
        mean = e.mean((1, 2) if scope == "body" else 1, keepdim=True)
        scales.append((1 / (1 + k * mean / (e + eps))).repeat_interleave(window, dim=1))
    stacked = torch.stack(scales)
    fused = {"mean": stacked.mean(0), "product": stacked.prod(0), "max": stacked.amax(0)}[fuse]
    return fused[..., None]


class QueryDecoder(nn.Module):
    """One learned query per large patch reads the visible tokens and predicts its patch."""

    def __init__(self, cfg: AMRConfig, joints: int, out: int):
        super().__init__()
        width, steps = cfg.encoder.width, cfg.encoder.steps // cfg.coarse
        self.enter, self.leave = nn.Linear(width, width), nn.Linear(width, out)
        layers = (QueryLayer(width, cfg.encoder.heads, cfg.self_attention) for _ in range(cfg.decoder_depth))
        self.layers, self.norm = nn.ModuleList(layers), nn.LayerNorm(width)
        self.apply(xavier)
        self.queries, self.positions = table(steps * joints, width), Positions(steps, joints, width)

    def forward(self, z: Float[Tensor, "B K D"]) -> Float[Tensor, "B Q F"]:
        q, z = (self.queries + self.positions()).expand(len(z), -1, -1), self.enter(z)
        for layer in self.layers:
            q = layer(q, z)
        return self.leave(self.norm(q))


class QueryLayer(nn.Module):
    """Cross-attention to the visible tokens, then an MLP, both residual and pre-norm."""

    def __init__(self, width: int, heads: int, self_attention: bool):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read, self.mlp = CrossAttention(width, heads), mlp(width)
        self.among = nn.Sequential(nn.LayerNorm(width), SelfAttention(width, heads)) if self_attention else None

    def forward(self, q: Float[Tensor, "B Q D"], z: Float[Tensor, "B K D"]) -> Float[Tensor, "B Q D"]:
        q = q + self.among(q) if self.among is not None else q
        q = q + self.read(self.norm1(q), z)
        return q + self.mlp(self.norm2(q))

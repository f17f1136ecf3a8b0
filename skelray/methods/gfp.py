"""GFP: General Feature Prediction, targets that a small network learns, at several lengths of time.

ICCV 2025, https://arxiv.org/abs/2509.03609; no code is public, so what its readers do not state is a field below.

Idea        predict features of motion instead of coordinates, a few at each of several lengths of time: 251 targets
            where the MAE family has 750; the network that makes the targets learns with the one that predicts them
Equations   Z_p,j = projector(level(pool(Z_p,j-1)))                            -> Pyramid
            Z_t,j = mlp(motion of the same window)                             -> TargetNetwork
            L_pred = sum over levels, mean (Z_p - Z_t)^2, no stop-gradient     -> GFP.loss
            L_var, L_cov of the rows of Z_t alone (VICReg)                     -> layers.rows
            L = lambda L_pred + alpha L_cov + beta L_var                       -> GFP.loss
Symbols     kernels ~ t_1, t_2, t_3, in patch steps and not in frames; prediction_weight ~ lambda;
            covariance_weight ~ alpha; variance_weight ~ beta; spread ~ gamma; local_width ~ C_t; global_width ~ C_g
Departures  absent bodies are left out of the loss and of its statistics: count_absent restores them. Inferred, hence
            fields: level_depth, projector_depth, decoder_input, tgn_window, tgn_motion, local_width, global_width;
            inferred without a field: the encoder's masks and recipe are MAMP's, the motion of the last step is zero,
            a norm ends each level, the global level is the mean of all tokens, means over channels, masked joints are
            zeros, BatchNorm in the projectors, whose hidden layers are as wide as their output
Reproduces  results/nw_ucla_methods, seeds and intervals there; no claim for NTU RGB+D
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from skelray import masking
from skelray.batch import Batch
from skelray.layers.compare import mean_of
from skelray.layers.encoder import Encoder, must_divide
from skelray.layers.fill import Fill
from skelray.layers.heads import Projector
from skelray.layers.patch import motion, patchify
from skelray.layers.rows import covariance_penalty, variance_hinge
from skelray.layers.transformer import Transformer, xavier
from skelray.method import Method, MethodConfig
from skelray.schema import Depth, Width
from skelray.skeletons import Skeleton
from skelray.trainable import Losses


class GFPConfig(MethodConfig):
    name: Literal["gfp"] = "gfp"
    mask_ratio: float = Field(0.9, gt=0, lt=1)
    tau: float = Field(0.80, ge=0)  # lower: masking follows motion more closely; 0: uniform masking
    kernels: tuple[Annotated[int, Field(ge=1)], ...] | None = None  # patch steps, rising; None: see `windows`
    without: int | None = Field(None, ge=0)  # the kernel to leave out, 0 the shortest (the paper's ablation)
    global_level: bool = True  # one more target for a whole body
    decoder_input: Literal["cascade", "fresh"] = "cascade"  # a level pools the level before it, or the decoder's input
    level_depth: Depth = 1  # transformer blocks of each level
    projector_depth: Depth = 3  # linear layers
    tgn_input: Literal["motion", "joint", "masked_joint"] = "motion"  # of the target generation network
    tgn_motion: Literal["patch", "frame"] = "patch"  # between patches, or between frames
    tgn_window: Literal["mean", "flatten"] = "mean"  # how a window becomes numbers; the global level always flattens
    tgn_depth: Depth = 3  # linear layers
    local_hidden: Width = 512  # of the target generation network
    global_hidden: Width = 2048
    local_width: Width = 512  # numbers in a target
    global_width: Width = 2048
    prediction_weight: float = Field(5.0, ge=0)
    covariance_weight: float = Field(5.0, ge=0)
    variance_weight: float = Field(1.0, ge=0)
    spread: float = Field(1.0, gt=0)  # standard deviation that the variance term asks of a target

    @model_validator(mode="after")
    def kernels_nest(self) -> "GFPConfig":
        """Each kernel divides the next one and the last divides the patch steps, so that levels pool whole windows."""
        kernels = self.all_kernels
        if any(longer < shorter for shorter, longer in pairwise(kernels)):
            raise ValueError(f"kernels {list(kernels)} do not rise: the shortest comes first")
        for shorter, longer in pairwise((*kernels, self.encoder.steps)):
            must_divide(longer, shorter, "kernel (in patch steps)")
        if len(set(kernels)) < len(kernels):
            raise ValueError(f"kernels {list(kernels)} name a level twice; each must be longer than the one before")
        if self.without is not None and self.without >= len(kernels):
            raise ValueError(f"without {self.without} names no kernel of {list(kernels)}; they are numbered from 0")
        if not self.windows and not self.global_level:
            raise ValueError("no level is left to predict; give a kernel or keep the global level")
        if not (self.prediction_weight or self.covariance_weight or self.variance_weight):
            raise ValueError("prediction_weight, covariance_weight and variance_weight are all 0: nothing is learned")
        return self

    @property
    def all_kernels(self) -> tuple[int, ...]:
        """As given, or 1/6, 1/3 and 1/1 of the steps where these are whole: 5, 10, 30 of the paper's 30 steps."""
        steps = self.encoder.steps
        return tuple(steps // n for n in (6, 3, 1) if steps % n == 0) if self.kernels is None else self.kernels

    @property
    def windows(self) -> tuple[int, ...]:
        """The kernels that are predicted, in patch steps, shortest first."""
        return tuple(kernel for number, kernel in enumerate(self.all_kernels) if number != self.without)


class GFP(Method):
    """See the head of this file."""

    Config = GFPConfig

    def __init__(self, cfg: GFPConfig, skeleton: Skeleton):
        super().__init__(cfg, skeleton)
        self.joints = len(skeleton.joints)
        self.levels = [*map(str, cfg.windows), *["global"] * cfg.global_level]
        self.encoder = Encoder(cfg.encoder, skeleton)
        self.decoder = Pyramid(cfg, skeleton)
        self.target = TargetNetwork(cfg, skeleton)

    def loss(self, batch: Batch) -> Losses:
        x, cfg = batch.counted(self.cfg.count_absent), self.cfg
        intensity = masking.motion_intensity(patchify(x, cfg.encoder.patch), self.joints)
        mask = masking.by_motion(intensity, cfg.mask_ratio, cfg.tau, batch.generator)

        predicted, targets = self.decoder(self.encoder(x, mask), mask), self.target(self.cells(x, mask))
        pairs = zip(predicted, targets, strict=True)
        rows = {level: target.float().flatten(0, 1) for level, target in zip(self.levels, targets, strict=True)}
        terms = {
            "prediction": total(mean_of((p.float() - t.float()).square()) for p, t in pairs),
            "covariance": total(covariance_penalty(each) for each in rows.values()),
            "variance": total(variance_hinge(each, cfg.spread) for each in rows.values()),
        }
        weights = cfg.prediction_weight, cfg.covariance_weight, cfg.variance_weight
        loss = total(weight * term for weight, term in zip(weights, terms.values(), strict=True))
        return {"loss": loss, **terms, **{f"std_{level}": deviation(each) for level, each in rows.items()}}

    def cells(self, x: Float[Tensor, "B T V C"], mask: masking.Mask) -> Float[Tensor, "B P F"]:
        """What the target generation network reads: every cell, whether the encoder sees it or not."""
        patch = self.cfg.encoder.patch
        if self.cfg.tgn_input == "motion":
            return patchify(motion(x, patch if self.cfg.tgn_motion == "patch" else 1), patch)
        cells = patchify(x, patch)
        return cells.masked_fill(mask.hidden[..., None], 0) if self.cfg.tgn_input == "masked_joint" else cells


class Pyramid(nn.Module):
    """Fills the hidden tokens in and predicts the features of ever longer windows, then of the whole body."""

    def __init__(self, cfg: GFPConfig, skeleton: Skeleton):
        super().__init__()
        width, self.joints, self.fresh = cfg.encoder.width, len(skeleton.joints), cfg.decoder_input == "fresh"
        self.grids = [(cfg.encoder.steps // kernel, self.joints) for kernel in cfg.windows]
        self.grids += [(1, 1)] * cfg.global_level
        outs = [cfg.local_width] * len(cfg.windows) + [cfg.global_width] * cfg.global_level
        self.fill = Fill(cfg.encoder, skeleton)
        levels = (Transformer(width, cfg.level_depth, cfg.encoder.heads).apply(xavier) for _ in outs)
        self.levels = nn.ModuleList(levels)
        self.projectors = nn.ModuleList(Projector(width, out, out, cfg.projector_depth) for out in outs)

    def forward(self, z: Float[Tensor, "B K D"], mask: masking.Mask) -> list[Float[Tensor, "B _ _"]]:
        """Predictions of every level: B x (windows of a joint * joints) x local_width, last B x 1 x global_width."""
        full = below = self.fill(z, mask).unflatten(1, (-1, self.joints))
        predictions = []
        for grid, level, projector in zip(self.grids, self.levels, self.projectors, strict=True):
            tokens = level(pool(full if self.fresh else below, *grid).flatten(1, 2))
            predictions.append(projector(tokens))
            below = tokens.unflatten(1, grid)
        return predictions


class TargetNetwork(nn.Module):
    """The target generation network: an MLP for each level, trained by the same loss as the one that predicts it."""

    def __init__(self, cfg: GFPConfig, skeleton: Skeleton):
        super().__init__()
        self.flatten, self.windows, self.joints = cfg.tgn_window == "flatten", cfg.windows, len(skeleton.joints)
        cell, sizes = cfg.encoder.patch * skeleton.channels, (cfg.local_hidden, cfg.local_width, cfg.tgn_depth)
        self.local = nn.ModuleList(Projector(cell * (n if self.flatten else 1), *sizes) for n in cfg.windows)
        whole, sizes = cell * cfg.encoder.steps * self.joints, (cfg.global_hidden, cfg.global_width, cfg.tgn_depth)
        self.whole = nn.ModuleList([Projector(whole, *sizes)] if cfg.global_level else [])

    def forward(self, cells: Float[Tensor, "B P F"]) -> list[Float[Tensor, "B _ _"]]:
        """Targets of every level, in the order and shape of the predictions."""
        grid, targets = cells.unflatten(1, (-1, self.joints)), []
        for kernel, network in zip(self.windows, self.local, strict=True):
            mean = pool(grid, grid.shape[1] // kernel, self.joints).flatten(1, 2)
            targets.append(network(patchify(grid, kernel) if self.flatten else mean))
        return targets + [network(cells.flatten(1)[:, None]) for network in self.whole]


def pool(grid: Float[Tensor, "B S V D"], steps: int, joints: int) -> Float[Tensor, "B {steps} {joints} D"]:
    """Average over equal runs of steps and of joints until so many of each are left."""
    return grid.unflatten(2, (joints, -1)).unflatten(1, (steps, -1)).mean((2, 4))


def total(terms: Iterable[Tensor]) -> Tensor:
    """Their sum, as a tensor even of one."""
    return torch.stack(list(terms)).sum()


def deviation(rows: Float[Tensor, "R F"]) -> Float[Tensor, ""]:
    """Mean standard deviation of a feature, to watch: 0.1 to 1 is usual, near 0 is a collapse; 0 without any row."""
    return rows.detach().std(0, correction=0).mean() if len(rows) else rows.new_zeros(())

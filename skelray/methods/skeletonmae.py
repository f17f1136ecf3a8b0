"""SkeletonMAE: masked reconstruction of joint coordinates, on the backbone of MAMP.

Wu et al., ICME Workshops 2023, https://arxiv.org/abs/2209.02399; as the MAE baseline in MAMP's public code.

Idea        hide most tokens of a skeleton sequence and fill their coordinates back in
Equations   L = mean over hidden tokens of ||predicted - target||^2 / F        -> SkeletonMAE.loss
            target = (y - mean) / sqrt(var + 1e-6), per cell                   -> layers.patch.standardise
Symbols     mask_ratio ~ masking ratio; patch ~ l, frames in a token; P ~ N, tokens of a body
Departures  absent bodies are left out of the loss (the authors average over them): count_absent restores it;
            one decoder depth for all data sets, 5, where the scripts for NTU-60 use 3: both published cost tables
            count 5
Reproduces  results/nw_ucla_quick, seeds and intervals there; no claim for NTU RGB+D
"""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from skelray import masking
from skelray.batch import Batch
from skelray.layers.compare import hidden_error
from skelray.layers.decoder import Decoder
from skelray.layers.encoder import Encoder
from skelray.layers.patch import patchify, standardise
from skelray.layers.reconstruct import Normalise, Reconstruction, reconstruction
from skelray.method import Method, MethodConfig
from skelray.schema import Depth
from skelray.skeletons import Skeleton
from skelray.trainable import Losses


class SkeletonMAEConfig(MethodConfig):
    name: Literal["skeletonmae"] = "skeletonmae"
    mask_ratio: float = Field(0.9, gt=0, lt=1)
    decoder_depth: Depth = 5
    normalise: bool = True  # standardise each target cell; False: predict metres


class SkeletonMAE(Method):
    """See the head of this file."""

    Config = SkeletonMAEConfig

    def __init__(self, cfg: SkeletonMAEConfig, skeleton: Skeleton):
        super().__init__(cfg, skeleton)
        self.encoder = Encoder(cfg.encoder, skeleton)
        self.decoder = Decoder(cfg.encoder, skeleton, cfg.decoder_depth, out=cfg.encoder.patch * skeleton.channels)

    def loss(self, batch: Batch) -> Losses:
        x = batch.counted(self.cfg.count_absent)
        cells = patchify(x, self.cfg.encoder.patch)
        target = standardise(cells) if self.cfg.normalise else cells
        mask, predicted = self.predict(x, batch.generator)
        return {"loss": hidden_error(predicted, target, mask.hidden)}

    def predict(
        self, x: Float[Tensor, "B T V C"], generator: torch.Generator
    ) -> tuple[masking.Mask, Float[Tensor, "B P F"]]:
        """What is hidden, and what the decoder says of every cell, in the units of the loss."""
        mask = masking.uniform(len(x), self.encoder.tokens, self.cfg.mask_ratio, generator)
        return mask, self.decoder(self.encoder(x, mask), mask)

    def reconstruct(self, x: Float[Tensor, "B T V C"], generator: torch.Generator) -> Reconstruction:
        """The predicted coordinates in metres."""
        normalise: Normalise = "cell" if self.cfg.normalise else "none"
        return reconstruction(*self.predict(x, generator), x, self.cfg.encoder.patch, normalise)

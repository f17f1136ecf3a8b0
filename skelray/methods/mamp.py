"""MAMP: Masked Motion Predictors are Strong 3D Action Representation Learners.

Mao et al., ICCV 2023, https://arxiv.org/abs/2308.07092; public code maoyunyao/MAMP.

Idea        hide the tokens that move most and predict how they moved, not where they were
Equations   m[t] = x[t + stride] - x[t]                                        -> layers.patch.motion
            I = mean |cell - cell one patch before|                            -> masking.motion_intensity
            pi = softmax(I / (tau * max I)), Gumbel-top-k                      -> masking.by_motion
            L = mean over hidden tokens of ||predicted - target||^2 / F        -> MAMP.loss
Symbols     mask_ratio ~ masking ratio; tau ~ temperature of the motion prior; stride ~ motion stride s;
            patch ~ l, frames in a token; P ~ N, tokens of a body
Departures  absent bodies are left out of the loss (the authors average over them): count_absent restores it;
            the intensity is divided by its largest value, as the code has it and the paper's Eq. 5-6 have not;
            one decoder depth for all data sets, 5, where the scripts for NTU-60 use 3
Reproduces  results/nw_ucla_quick, seeds and intervals there; no claim for NTU RGB+D
"""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from skelray import masking
from skelray.batch import Batch
from skelray.layers.compare import hidden_error
from skelray.layers.decoder import Decoder
from skelray.layers.encoder import Encoder
from skelray.layers.patch import motion, patchify, standardise
from skelray.layers.reconstruct import Normalise, Reconstruction, reconstruction
from skelray.method import Method, MethodConfig
from skelray.schema import Depth
from skelray.skeletons import Skeleton
from skelray.trainable import Losses


class MAMPConfig(MethodConfig):
    name: Literal["mamp"] = "mamp"
    mask_ratio: float = Field(0.9, gt=0, lt=1)
    tau: float = Field(0.80, ge=0)  # lower: masking follows motion more closely; 0: uniform masking
    stride: int = Field(1, ge=1)  # frames between the two ends of a motion vector
    decoder_depth: Depth = 5
    normalise: bool = True  # standardise each target cell; False: predict metres

    @model_validator(mode="after")
    def stride_is_shorter_than_the_clip(self) -> "MAMPConfig":
        if self.stride >= self.encoder.frames:
            raise ValueError(f"stride {self.stride} leaves no motion in {self.encoder.frames} frames")
        return self


class MAMP(Method):
    """See the head of this file."""

    Config = MAMPConfig

    def __init__(self, cfg: MAMPConfig, skeleton: Skeleton):
        super().__init__(cfg, skeleton)
        self.joints = len(skeleton.joints)
        self.encoder = Encoder(cfg.encoder, skeleton)
        self.decoder = Decoder(cfg.encoder, skeleton, cfg.decoder_depth, out=cfg.encoder.patch * skeleton.channels)

    def loss(self, batch: Batch) -> Losses:
        x = batch.counted(self.cfg.count_absent)
        target = patchify(motion(x, self.cfg.stride), self.cfg.encoder.patch)
        target = standardise(target) if self.cfg.normalise else target
        mask, predicted = self.predict(x, batch.generator)
        return {"loss": hidden_error(predicted, target, mask.hidden)}

    def predict(
        self, x: Float[Tensor, "B T V C"], generator: torch.Generator
    ) -> tuple[masking.Mask, Float[Tensor, "B P F"]]:
        """What is hidden, and the motion the decoder says of every cell, in the units of the loss."""
        intensity = masking.motion_intensity(patchify(x, self.cfg.encoder.patch), self.joints)
        mask = masking.by_motion(intensity, self.cfg.mask_ratio, self.cfg.tau, generator)
        return mask, self.decoder(self.encoder(x, mask), mask)

    def reconstruct(self, x: Float[Tensor, "B T V C"], generator: torch.Generator) -> Reconstruction:
        """The predicted motion in metres over `stride` frames."""
        mask, predicted = self.predict(x, generator)
        truth = motion(x, self.cfg.stride)
        normalise: Normalise = "cell" if self.cfg.normalise else "none"
        return reconstruction(mask, predicted, truth, self.cfg.encoder.patch, normalise, self.cfg.stride)

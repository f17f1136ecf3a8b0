"""Anything the one training loop can train: a pretraining method, a linear probe, a fine-tuned classifier."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from skelray.batch import Source

Losses = dict[str, Tensor]  # "loss" is minimised; every other key is a scalar that is only logged


class Trainable(nn.Module, ABC):
    """A module with a loss. DDP synchronises gradients only through forward(), so forward is the loss."""

    @abstractmethod
    def loss(self, batch: Any) -> Losses:
        """Return {"loss": scalar, ...} for one batch; random numbers come from batch.generator alone."""

    def forward(self, batch: Any) -> Losses:
        return self.loss(batch)

    def begin(self, source: Source) -> None:
        """Called once before the first step of a training, not on a resume: what is measured on the data is set here.

        Every worker is handed the same clips.
        """

    def after_step(self, progress: float, steps: int) -> None:
        """Called after each optimiser step; momentum teachers move here.

        progress: the share of training done, in (0, 1]; steps: optimiser steps of the whole training.
        """

    def rates(self, progress: float) -> dict[str, float]:
        """Beginnings of parameter names -> share of the learning rate at a share of training; the others get all."""
        return {}

    def tables(self) -> set[str]:
        """Names of parameters that are looked up rather than multiplied: positions, mask tokens, queries."""
        return set()

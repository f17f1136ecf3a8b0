"""Anything the one training loop can train: a pretraining method, a linear probe, a fine-tuned classifier."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

Losses = dict[str, Tensor]  # "loss" is minimised; every other key is a scalar that is only logged


class Trainable(nn.Module, ABC):
    """A module with a loss. DDP synchronises gradients only through forward(), so forward is the loss."""

    @abstractmethod
    def loss(self, batch: Any) -> Losses:
        """Return {"loss": scalar, ...} for one batch; random numbers come from batch.generator alone."""

    def forward(self, batch: Any) -> Losses:
        return self.loss(batch)

    def after_step(self, progress: float) -> None:
        """Called after each optimiser step with the share of training done, in (0, 1]; momentum teachers move here."""

    def tables(self) -> set[str]:
        """Names of parameters that are looked up rather than multiplied: positions, mask tokens, queries."""
        return set()

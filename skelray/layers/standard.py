"""Standardised coordinates inside a method whose noise has unit variance; a batch stays in metres."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skelray.batch import Source

BATCH = 64  # clips in one batch that is measured


class Standard(nn.Module):
    """(x - mean) / sqrt(variance), for each coordinate axis. Both travel with the weights; they start at 0 and 1."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def give(self, mean: tuple[float, ...], variance: tuple[float, ...]) -> None:
        """Set both, one number for each coordinate axis: metres, square metres."""
        self.mean.copy_(torch.tensor(mean))
        self.variance.copy_(torch.tensor(variance))

    def measure(self, source: Source, batches: int = 8) -> None:
        """Take both from the bodies that are present in the first batches of a source of training clips."""
        size = min(BATCH, source.clips)
        seen = torch.cat([source.batch(step, size).counted().flatten(0, -2) for step in range(batches)]).double()
        self.mean.copy_(seen.mean(0))
        self.variance.copy_(seen.var(0))

    def forward(self, x: Float[Tensor, "*shape C"]) -> Float[Tensor, "*shape C"]:
        return (x - self.mean) / self.variance.sqrt()

    def metres(self, x: Float[Tensor, "*shape C"]) -> Float[Tensor, "*shape C"]:
        """The inverse."""
        return x * self.variance.sqrt() + self.mean

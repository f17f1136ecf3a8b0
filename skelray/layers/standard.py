"""Standardised coordinates inside a method whose noise has unit variance; a batch stays in metres."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skelray.batch import Bodies, Source

BATCH = 64  # clips in one batch that is measured
FLAT = 1e-8  # square metres: an axis along which nothing lies, as of flat data, is not blown up


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

    def measure(self, source: Source, bodies: Bodies = "all", batches: int = 8) -> None:
        """Take both from the bodies that train, in the first batches of a source of training clips."""
        size = min(BATCH, source.clips)
        looks = [source.batch(step, size).chosen(bodies).counted() for step in range(batches)]
        seen = torch.cat([look.flatten(0, -2) for look in looks]).double()
        self.mean.copy_(seen.mean(0))
        self.variance.copy_(seen.var(0).clamp_min(FLAT))

    def forward(self, x: Float[Tensor, "*shape C"]) -> Float[Tensor, "*shape C"]:
        return (x - self.mean) / self.variance.sqrt()

    def metres(self, x: Float[Tensor, "*shape C"]) -> Float[Tensor, "*shape C"]:
        """The inverse."""
        return x * self.variance.sqrt() + self.mean

"""Stochastic depth: in training whole branches of a block are left out, later blocks' more often.

Huang et al., ECCV 2016, https://arxiv.org/abs/1603.09382. Off unless `spread` turns it on; it has no weights.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class DropPath(nn.Module):
    """A branch of each body is left out by chance `rate`; what stays is larger by as much, so that the mean is kept.

    Chance comes from torch's global generator, as that of dropout does; the training loop seeds it at every step.
    """

    rate = 0.0

    def forward(self, branch: Float[Tensor, "B S D"]) -> Float[Tensor, "B S D"]:
        if not (self.training and self.rate):
            return branch
        stays = torch.rand(len(branch), 1, 1, device=branch.device) >= self.rate
        return branch * (stays / (1 - self.rate)).to(branch.dtype)


def spread(blocks: nn.ModuleList, last: float) -> None:
    """Rates that rise evenly from 0 in the first block to `last` in the last one; the only block gets 0."""
    for number, block in enumerate(blocks):
        for part in block.modules():
            if isinstance(part, DropPath):
                part.rate = last * number / max(1, len(blocks) - 1)

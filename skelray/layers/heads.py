"""Multi-layer heads: from tokens to the space in which predictions and targets meet."""

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Projector(nn.Module):
    """`depth` linear layers width-hidden-...-hidden-out, BatchNorm and ReLU between them and none after the last.

    The expander of VICReg (ICLR 2022, https://arxiv.org/abs/2105.04906, section 4.2), with torch's own start. Every
    vector along the last axis is a row of its own. Layers before a BatchNorm have no bias: it would subtract it again.
    """

    def __init__(self, width: int, hidden: int, out: int, depth: int):
        super().__init__()
        sizes = [width, *[hidden] * (depth - 1)]
        between = ((nn.Linear(a, b, bias=False), RowNorm(b), nn.ReLU(inplace=True)) for a, b in pairwise(sizes))
        self.layers = nn.Sequential(*(layer for three in between for layer in three), nn.Linear(sizes[-1], out))

    def forward(self, x: Float[Tensor, "B Q D"]) -> Float[Tensor, "B Q F"]:
        return self.layers(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class RowNorm(nn.BatchNorm1d):
    """BatchNorm over rows; a batch without two rows has no spread, so it is normalised by what was seen before.

    Each worker of a distributed training takes the statistics of its own rows.
    """

    def forward(self, rows: Float[Tensor, "R D"]) -> Float[Tensor, "R D"]:
        learns = self.training and len(rows) > 1
        mean, variance, share = self.running_mean, self.running_var, self.momentum or 0.0
        return F.batch_norm(rows, mean, variance, self.weight, self.bias, learns, share, self.eps)

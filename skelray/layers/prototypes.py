"""Heads that score rows against learned prototypes (Caron et al., ICCV 2021, as DINOv2 has them)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from skelray.layers.compact import normal


class PrototypeHead(nn.Module):
    """A GELU network of `depth` linear layers to a bottleneck, whose direction is compared with every prototype."""

    def __init__(self, width: int, hidden: int, bottleneck: int, depth: int, prototypes: int):
        super().__init__()
        sizes = [width, *[hidden] * (depth - 1), bottleneck]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.GELU())]
        self.layers = nn.Sequential(*layers[:-1]).apply(normal)
        self.prototypes = Prototypes(bottleneck, prototypes)

    def forward(self, rows: Float[Tensor, "R D"]) -> Float[Tensor, "R K"]:
        return self.prototypes(F.normalize(self.layers(rows), dim=-1, eps=1e-6))


class Prototypes(nn.Module):
    """K directions, each with a gain that starts at 1: a linear layer under weight normalisation, without bias."""

    def __init__(self, width: int, prototypes: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(prototypes, width))
        nn.init.trunc_normal_(self.weight, std=0.02)
        self.gain = nn.Parameter(torch.ones(prototypes, 1))

    def forward(self, rows: Float[Tensor, "R E"]) -> Float[Tensor, "R K"]:
        return F.linear(rows, self.gain * F.normalize(self.weight, dim=-1)).float()


class TwoHeads(nn.Module):
    """One head for what stands for a clip and one for tokens, or one for both."""

    def __init__(self, width: int, hidden: int, bottleneck: int, depth: int, prototypes: int, separate: bool):
        super().__init__()
        each = (PrototypeHead(width, hidden, bottleneck, depth, prototypes) for _ in range(1 + separate))
        self.heads = nn.ModuleList(each)

    def forward(
        self, clips: Float[Tensor, "R D"], tokens: Float[Tensor, "Q D"]
    ) -> tuple[Float[Tensor, "R K"], Float[Tensor, "Q K"]]:
        return self.heads[0](clips), self.heads[-1](tokens)

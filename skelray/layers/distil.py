"""Self-distillation: what a student must agree on with a teacher that sees more (DINO and iBOT, as DINOv2 has them)."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from skelray.layers.compare import mean_of
from skelray.layers.rows import mean_row, sinkhorn


class Balance(nn.Module):
    """A teacher's scores -> shares of the K prototypes, sharpened, with no prototype left out.

    "sinkhorn" divides all rows of a batch evenly among the prototypes; "centring" takes off a running mean of the
    scores. The temperature moves along a line over the first `warmup` of training; `progress` says where training is.
    """

    progress: Tensor
    centre: Tensor

    def __init__(
        self,
        kind: Literal["sinkhorn", "centring"],
        prototypes: int,
        tau: tuple[float, float],
        warmup: float,
        iterations: int = 3,
        keep: float = 0.9,
    ):
        """`iterations`: of Sinkhorn and Knopp. `keep`: the share of the old centre that stays at each step."""
        super().__init__()
        self.kind, self.tau, self.warmup, self.iterations, self.keep = kind, tau, warmup, iterations, keep
        self.register_buffer("progress", torch.zeros(()))
        self.register_buffer("centre", torch.zeros(prototypes if kind == "centring" else 0))

    @property
    def temperature(self) -> Tensor:
        """The teacher's temperature at this progress."""
        start, end = self.tau
        return start + (end - start) * (self.progress / self.warmup if self.warmup else self.progress + 1).clamp(max=1)

    @torch.no_grad()
    def forward(self, scores: Float[Tensor, "R K"]) -> Float[Tensor, "R K"]:
        if self.kind == "sinkhorn":
            return sinkhorn(scores / self.temperature, self.iterations)
        target = ((scores - self.centre) / self.temperature).softmax(-1)
        if self.training:
            self.centre.lerp_(mean_row(scores), 1 - self.keep)  # after its use
        return target


def agreement(views: Float[Tensor, "W B K"], target: Float[Tensor, "2 B K"], tau: float) -> Float[Tensor, ""]:
    """Mean cross-entropy of a student's W views, two globals first, with every global of the teacher but their own."""
    views = views / tau
    crossed = F.cross_entropy(views[:2].flatten(0, 1), target.flip(0).flatten(0, 1), reduction="none")
    both = target.sum(0).expand_as(views[2:])  # a local is compared with either global
    local = F.cross_entropy(views[2:].flatten(0, 1), both.flatten(0, 1), reduction="none")
    return (2 * mean_of(crossed) + len(views[2:]) * mean_of(local)) / (2 + 2 * len(views[2:]))


def token_agreement(
    tokens: Float[Tensor, "Q K"], target: Float[Tensor, "Q K"], hidden: Bool[Tensor, "B P"], tau: float
) -> Float[Tensor, ""]:
    """Cross-entropy at the Q hidden tokens, its mean over those of each view; a view that hides none counts as zero."""
    error = F.cross_entropy(tokens / tau, target, reduction="none")
    weight = (hidden / hidden.sum(1, keepdim=True).clamp_min(1))[hidden]
    return (error * weight).sum() / max(1, len(hidden))

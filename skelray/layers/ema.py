"""A teacher: a copy of a trained module that follows it slowly (Grill et al., NeurIPS 2020)."""

import copy
import math
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def teacher_of(student: Module) -> Module:
    """A copy of `student` that no gradient reaches."""
    return copy.deepcopy(student).requires_grad_(False)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """teacher <- momentum * teacher + (1 - momentum) * student, in place; buffers are taken over as they are."""
    for mine, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
        mine.lerp_(theirs, 1 - momentum)
    for kept, given in zip(teacher.buffers(), student.buffers(), strict=True):
        kept.copy_(given)


def rising(progress: float, start: float) -> float:
    """A momentum that rises from `start` to 1 along half a cosine, at a share of training in [0, 1]."""
    return 1 - (1 - start) * 0.5 * (1 + math.cos(math.pi * progress))

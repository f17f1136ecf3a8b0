"""Scaled dot-product attention behind one switch: fused kernels, or explicit matrix products that a counter can see."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_fused = True


@contextmanager
def explicit() -> Iterator[None]:
    """Inside, attention is written out as matrix products: torch's FLOP counter does not see fused kernels on a CPU."""
    global _fused
    before, _fused = _fused, False
    try:
        yield
    finally:
        _fused = before


def attend(
    query: Float[Tensor, "B H Q E"], key: Float[Tensor, "B H K E"], value: Float[Tensor, "B H K E"]
) -> Float[Tensor, "B H Q E"]:
    """softmax(query key^T / sqrt(E)) value, for B bodies and H heads of width E."""
    if _fused:
        return F.scaled_dot_product_attention(query, key, value)
    weight = (query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5).softmax(-1)
    return weight @ value


class SelfAttention(nn.Module):
    """Every token reads every token."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "B P D"]) -> Float[Tensor, "B P D"]:
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(attend(query, key, value).transpose(1, 2).flatten(2))


class CrossAttention(nn.Module):
    """Queries read a memory and never each other."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "B Q D"], memory: Float[Tensor, "B K D"]) -> Float[Tensor, "B Q D"]:
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = self.key_value(memory).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(attend(query, key, value).transpose(1, 2).flatten(2))

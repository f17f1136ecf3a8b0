"""Random tensors and rotations that are the same in every run."""

import torch

from skelray.rng import generator


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal numbers of a shape."""
    return torch.randn(*shape, generator=generator(seed, "equations"))


def rotation(seed: int = 0) -> torch.Tensor:
    """A rotation of space, float64, shape (3, 3)."""
    q, r = torch.linalg.qr(draw(3, 3, seed=seed).double())
    q = q * r.diagonal().sign()
    return q if torch.linalg.det(q) > 0 else -q

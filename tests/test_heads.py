"""Multi-layer heads: their shape, and batches too small for BatchNorm."""

import pytest
import torch
from chance import draw

from skelray.layers.heads import Projector


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_projector_has_norms_between_its_layers_and_none_after_the_last(depth):
    kinds = [type(layer).__name__ for layer in Projector(6, 8, 10, depth).layers]
    assert kinds == ["Linear", "RowNorm", "ReLU"] * (depth - 1) + ["Linear"]
    assert Projector(6, 8, 10, depth)(draw(2, 3, 6)).shape == (2, 3, 10)


@pytest.mark.parametrize("bodies", [0, 1])
def test_a_projector_takes_one_row_or_none(bodies):
    out = Projector(6, 8, 10, 3)(draw(bodies, 1, 6))
    assert out.shape == (bodies, 1, 10)
    out.sum().backward()
    assert torch.isfinite(out).all()

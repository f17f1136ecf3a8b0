"""What stays in float32 under autocast: metres, and differences too small for bfloat16."""

import pytest
import torch
from cases import batch_for, build
from chance import draw

from skelray import geometry
from skelray.layers import rows
from skelray.layers.patch import PatchEmbedding
from skelray.methods import macdiff


@pytest.fixture(autouse=True)
def _autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield


def outside(function, *given):
    with torch.autocast("cpu", enabled=False):
        return function(*given)


def alike_rows() -> torch.Tensor:
    """Rows that nearly point one way, as class tokens do at first."""
    return draw(1, 64) + 0.05 * draw(48, 64, seed=1)


@pytest.mark.parametrize("statistic", [rows.koleo, rows.covariance_penalty])
def test_statistics_of_rows_are_those_of_float32(statistic):
    assert torch.equal(statistic(alike_rows()), outside(statistic, alike_rows()))


def test_uniformity_is_that_of_float32():
    tokens = alike_rows()[None]
    assert torch.equal(macdiff.uniformity(tokens), outside(macdiff.uniformity, tokens))


def test_a_turned_body_keeps_its_millimetres():
    by = geometry.about_axis(draw(4, 3), draw(4, seed=1))
    points = draw(4, 10, 3, seed=2)
    assert torch.equal(geometry.turned(points, by), outside(geometry.turned, points, by))


def test_an_embedded_patch_keeps_its_millimetres():
    embed, x = PatchEmbedding(2, 5, 4, 3, 16), draw(3, 8, 5, 3)
    assert torch.equal(embed(x), outside(embed, x))


@pytest.mark.parametrize("name", ["gfp", "macdiff", "sjepa", "slim", "umd"])
def test_a_loss_in_bfloat16_is_close_to_that_in_float32(name, five_joints):
    half = build(name, five_joints)(batch_for(build(name, five_joints)))["loss"]
    full = build(name, five_joints)
    assert half.item() == pytest.approx(outside(full, batch_for(full))["loss"].item(), rel=0.02)

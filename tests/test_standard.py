"""Mean and variance that a method measures on its data."""

from types import SimpleNamespace

import torch
from conftest import tiny_batch

from skelray.layers.standard import Standard


def source(flat: bool = False) -> SimpleNamespace:
    """Clips around (1, 2, 3); the second body of every clip far away."""
    batch = tiny_batch()
    batch.views[0][:, 0] += torch.tensor([1.0, 2.0, 3.0])
    batch.views[0][:, 1] += 100
    if flat:
        batch.views[0][..., 2] = 0.5
    return SimpleNamespace(clips=4, batch=lambda step, size: batch)


def test_what_is_measured_gives_zero_mean_and_unit_variance_and_back():
    standard, x = Standard(3), source().batch(0, 4).counted()
    standard.measure(source())
    y = standard(x).flatten(0, -2)
    torch.testing.assert_close(y.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(y.var(0, correction=0), torch.ones(3), rtol=1e-3, atol=0)
    torch.testing.assert_close(standard.metres(standard(x)), x)


def test_only_bodies_that_train_are_measured():
    standard = Standard(3)
    standard.measure(source(), "first")
    assert (standard.mean - torch.tensor([1.0, 2.0, 3.0])).abs().max() < 1


def test_absent_bodies_are_not_measured():
    standard, other = Standard(3), source()
    standard.measure(other)
    other.batch(0, 4).views[0][1, 1] = 1e6  # the body that is not there
    again = Standard(3)
    again.measure(other)
    assert torch.equal(standard.mean, again.mean)


def test_an_axis_without_extent_stays_finite():
    standard = Standard(3)
    standard.measure(source(flat=True))
    assert standard(source(flat=True).batch(0, 4).counted()).isfinite().all()


def test_both_travel_with_the_weights():
    one, two = Standard(3), Standard(3)
    one.measure(source())
    two.load_state_dict(one.state_dict())
    assert torch.equal(two.variance, one.variance)

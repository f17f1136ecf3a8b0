"""Statistics over the rows of a batch, on one worker and on two."""

import pytest
import torch
from chance import draw
from torch import distributed, multiprocessing

from skelray.layers import rows


def test_a_constant_feature_has_no_covariance_and_the_whole_hinge():
    constant = torch.ones(32, 8)
    assert rows.variance_hinge(constant).item() == pytest.approx(1 - 1e-2)  # sqrt of the 1e-4 inside the root
    assert rows.covariance_penalty(constant).item() == 0


def test_covariance_is_that_of_torch_off_the_diagonal():
    x = draw(32, 8)
    covariance = torch.cov(x.mT)
    expected = (covariance - covariance.diagonal().diag()).square().sum() / 8
    torch.testing.assert_close(rows.covariance_penalty(x), expected)


def test_a_spread_beyond_the_wanted_one_costs_nothing():
    assert rows.variance_hinge(3 * draw(256, 8)).item() == 0


def test_sinkhorn_rows_sum_to_one_and_columns_are_used_alike():
    balanced = rows.sinkhorn(draw(64, 8) / 0.3, iterations=50)
    torch.testing.assert_close(balanced.sum(1), torch.ones(64))
    torch.testing.assert_close(balanced.sum(0), torch.full((8,), 8.0), rtol=1e-3, atol=0)


def test_sinkhorn_survives_temperatures_that_overflow_an_exponential():
    assert rows.sinkhorn(torch.eye(4) * 1e3).isfinite().all()


def test_koleo_is_the_log_distance_to_the_nearest_neighbour():
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    assert rows.koleo(x).item() == pytest.approx(-torch.log(torch.tensor(2.0).sqrt()).item(), rel=1e-5)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_rows_have_no_statistics_but_a_gradient(count):
    x = torch.ones(count, 4, requires_grad=True)
    total = rows.variance_hinge(x) + rows.covariance_penalty(x) + rows.koleo(x)
    total.backward()
    assert total.item() == 0
    assert rows.sinkhorn(x).shape == (count, 4)
    assert rows.mean_row(torch.zeros(0, 4)).tolist() == [0] * 4


def on_a_worker(rank: int, folder: str) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    whole = draw(10, 4)
    mine = (whole[:3] if rank == 0 else whole[3:]).clone().requires_grad_()
    loss = rows.variance_hinge(mine, spread=3.0) + rows.covariance_penalty(mine)
    loss.backward()
    found = {
        "loss": loss.detach(),
        "gradient": mine.grad / 2,  # DDP averages over the workers
        "mean": rows.mean_row(mine),
        "sinkhorn": rows.sinkhorn(mine / 0.5),
    }
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_workers_find_the_statistics_of_the_whole_batch(tmp_path):
    multiprocessing.spawn(on_a_worker, (str(tmp_path),), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    whole = draw(10, 4).requires_grad_()
    loss = rows.variance_hinge(whole, spread=3.0) + rows.covariance_penalty(whole)
    loss.backward()
    torch.testing.assert_close(one["loss"], loss.detach())
    torch.testing.assert_close(two["loss"], loss.detach())
    torch.testing.assert_close(torch.cat([one["gradient"], two["gradient"]]), whole.grad)
    torch.testing.assert_close(one["mean"], whole.detach().mean(0))
    torch.testing.assert_close(torch.cat([one["sinkhorn"], two["sinkhorn"]]), rows.sinkhorn(whole.detach() / 0.5))

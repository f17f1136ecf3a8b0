"""Facts of GFP, each by name: its target network, its loss and what keeps it from collapse."""

from dataclasses import replace

import pytest
import torch
from cases import batch_for, build
from chance import draw
from paper_gfp import one_clip, paper

from skelray import masking
from skelray.batch import Batch
from skelray.layers.patch import patchify
from skelray.layers.rows import covariance_penalty, variance_hinge
from skelray.methods.gfp import GFP, GFPConfig
from skelray.optim import OptimConfig
from skelray.rng import generator
from skelray.train import TrainConfig, train

# ----- what the target network reads


def test_motion_is_between_patches_and_ends_in_a_zero_step():
    method, x = paper(), draw(1, 120, 25, 3)
    steps = patchify(x, 4).unflatten(1, (30, 25))
    got = method.cells(x, masking.uniform(1, 750, 0.9, generator(0, "mask"))).unflatten(1, (30, 25))
    assert torch.equal(got[:, :-1], steps[:, 1:] - steps[:, :-1])
    assert not got[:, -1].any()


def targets_of(method: GFP, x: torch.Tensor) -> list[torch.Tensor]:
    return method.target(method.cells(x, masking.uniform(len(x), 750, 0.9, generator(0, "mask"))))


def test_a_constant_added_to_all_coordinates_moves_the_encoder_and_no_target():
    method, x = paper().double().eval(), draw(2, 120, 25, 3).double()
    for one, two in zip(targets_of(method, x), targets_of(method, x + 3), strict=True):
        torch.testing.assert_close(one, two, atol=1e-12, rtol=0)
    assert not torch.allclose(method.encoder(x), method.encoder(x + 3))


@pytest.mark.parametrize("window", ["mean", "flatten"])
def test_windows_of_a_static_clip_have_the_same_target(window):
    method, x = paper(tgn_window=window), draw(2, 1, 25, 3).expand(-1, 120, -1, -1)
    for level in targets_of(method, x):
        assert torch.equal(level, level[:1, :1].expand_as(level))


def test_a_target_reads_its_own_window_and_joint_and_the_global_one_everything():
    method, x = paper().eval(), draw(1, 120, 25, 3).requires_grad_()
    levels = targets_of(method, x)
    read = torch.autograd.grad(levels[0][0, 25 + 7].sum(), x, retain_graph=True)[0][0].abs().sum(-1) > 0
    assert read[:, 7].nonzero().flatten().tolist() == [*range(20, 24), *range(40, 44)]  # the mean of motion: its ends
    assert read.sum() == 8
    assert (torch.autograd.grad(levels[3].sum(), x)[0] != 0).all()


def test_the_target_network_is_unmasked_unless_asked():
    x, mask = draw(1, 120, 25, 3), masking.uniform(1, 750, 0.9, generator(0, "mask"))
    seen = {name: paper(tgn_input=name).cells(x, mask) for name in ("joint", "masked_joint")}
    assert torch.equal(seen["joint"], patchify(x, 4))
    assert not seen["masked_joint"][mask.hidden].any()
    assert torch.equal(seen["masked_joint"][~mask.hidden], seen["joint"][~mask.hidden])


# ----- the loss


def test_constant_features_cost_99_hundredths_of_beta_a_level():
    rows = torch.ones(40, 16)
    assert variance_hinge(rows).item() == pytest.approx(0.99, abs=1e-6)  # 1 without the 1e-4 inside the root
    assert covariance_penalty(rows).item() == 0
    assert 0 <= variance_hinge(draw(40, 16)).item() <= 1
    assert variance_hinge(3 * draw(40, 16)).item() == 0


def test_the_trivial_solution_costs_3_96_beta():
    method = paper(variance_weight=2.0)
    with torch.no_grad():
        for last in (
            each.layers[-1] for each in (*method.decoder.projectors, *method.target.local, *method.target.whole)
        ):
            last.weight.zero_()
            last.bias.fill_(0.3)
    losses = method(one_clip())
    assert losses["loss"].item() == pytest.approx(2 * 3.96, abs=1e-5)
    assert losses["prediction"].item() + losses["covariance"].item() == pytest.approx(0, abs=1e-12)


def test_alpha_weighs_covariance_beta_variance_and_lambda_the_prediction():
    cfg = GFPConfig()
    assert (cfg.prediction_weight, cfg.covariance_weight, cfg.variance_weight, cfg.spread) == (5, 5, 1, 1)
    losses = paper()(one_clip())
    expected = 5 * losses["prediction"] + 5 * losses["covariance"] + losses["variance"]
    torch.testing.assert_close(losses["loss"], expected)


def test_a_rank_starved_level_cannot_be_decorrelated():
    """With n rows of C channels of spread s, L_cov >= s^4 (C / (n - 1) - 1)."""
    rows = draw(17, 64).double()
    rows = (rows - rows.mean(0)) / rows.std(0)
    assert covariance_penalty(0.5 * rows).item() >= 0.5**4 * (64 / 16 - 1)


def deterministic(monkeypatch) -> None:
    """Hide what moves most, so that a body is masked alike wherever it stands in a batch."""
    monkeypatch.setattr(masking, "by_motion", lambda intensity, ratio, *_: masking.lowest(intensity, ratio))


def test_the_order_of_clips_does_not_matter_but_splitting_a_batch_does(five_joints, monkeypatch):
    deterministic(monkeypatch)
    method = build("gfp", five_joints)
    batch = batch_for(method)
    turned = replace(batch, views=[view.flip(0) for view in batch.views], present=batch.present.flip(0))
    torch.testing.assert_close(method(batch)["loss"], method(turned)["loss"])

    method = build("gfp", five_joints, count_absent=True)  # halves of equal size
    for _ in range(20):
        method(batch)
    method.eval()  # BatchNorm at rest: statistics of the loss alone are left
    together, halves = method(batch), [method(half) for half in batch.split(2)]
    means = {name: (halves[0][name] + halves[1][name]) / 2 for name in ("prediction", "variance", "covariance")}
    torch.testing.assert_close(means["prediction"], together["prediction"])
    assert not torch.allclose(means["variance"], together["variance"], rtol=1e-5)
    assert not torch.allclose(means["covariance"], together["covariance"], rtol=1e-5)


def gradients(method: GFP, term: str) -> dict[str, float]:
    """Size of the gradient of one term on each part."""
    method.zero_grad()
    method(batch_for(method))[term].backward()
    total = {}
    for name, part in method.named_children():
        total[name] = sum(p.grad.abs().sum().item() for p in part.parameters() if p.grad is not None)
    return total


def test_the_regulariser_moves_the_target_network_alone_and_the_prediction_moves_both(five_joints):
    method = build("gfp", five_joints)
    for term in ("variance", "covariance"):
        got = gradients(method, term)
        assert got["target"] > 0
        assert got["decoder"] == got["encoder"] == 0
    assert min(gradients(method, "prediction").values()) > 0  # no stop-gradient on either side


def test_every_position_is_predicted_visible_or_not(five_joints):
    method, touched = build("gfp", five_joints), []

    def note(module, inputs, output) -> None:
        output.retain_grad()
        touched.append(output)

    for projector in method.decoder.projectors:
        projector.register_forward_hook(note)
    method(batch_for(method))["loss"].backward()
    assert [(out.shape[:2]) for out in touched] == [(7, 10), (7, 5), (7, 1)]
    assert all((out.grad.abs().sum(-1) > 0).all() for out in touched)


class Same:
    """One batch for ever; masks still change with the step."""

    clips = 4

    def __init__(self, method: GFP):
        self.given = batch_for(method)

    def batch(self, step: int, size: int) -> Batch:
        return replace(self.given, generator=generator(0, "loss", step))


def trained(five_joints, **settings) -> list[dict[str, float]]:
    method, seen = build("gfp", five_joints, **settings), []
    cfg, optim = TrainConfig(clips=4 * 100, batch=4, reports=5), OptimConfig(lr=1e-2)
    train(method, Same(method), cfg, optim, seed=0, report=lambda clips, metrics, state: seen.append(metrics))
    return seen


def test_without_the_regulariser_it_collapses_and_with_it_it_does_not(five_joints):
    """Predicting is easiest when there is nothing to predict: the loss falls with the spread of the targets."""
    alone = trained(five_joints, variance_weight=0.0, covariance_weight=0.0)
    kept = trained(five_joints)
    for level in ("train/std_2", "train/std_4", "train/std_global"):
        falling = [metrics[level] for metrics in alone]
        assert falling == sorted(falling, reverse=True)
        assert falling[0] > 0.1 > 0.02 > falling[-1]
        assert min(metrics[level] for metrics in kept) > 0.08
    assert alone[-1]["train/prediction"] < 0.002 < 0.01 < kept[-1]["train/prediction"]

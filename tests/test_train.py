"""The one loop: what it feeds, when it reports, how it stops and goes on."""

import copy
import math
from dataclasses import dataclass, replace

import pytest
import torch
from conftest import tiny_batch
from pydantic import ValidationError
from torch import nn

from skelray.optim import OptimConfig, clip_gradients, learning_rate, optimiser, set_groups
from skelray.rng import generator
from skelray.train import Diverged, TrainConfig, train
from skelray.trainable import Trainable


@dataclass
class Numbers:
    """A batch of plain numbers."""

    x: torch.Tensor
    step: int

    def split(self, parts: int) -> list["Numbers"]:
        return [replace(self, x=piece) for piece in self.x.chunk(parts)]


class Slope(Trainable):
    """Fits y = 2 x with a little dropout, so that the loop's handling of chance shows."""

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Linear(1, 1)
        self.drop = nn.Dropout(dropout)
        self.progress: list[float] = []
        self.steps: list[int] = []

    def loss(self, batch: Numbers) -> dict[str, torch.Tensor]:
        self.steps.append(batch.step)
        error = (self.drop(self.weight(batch.x)) - 2 * batch.x).square().mean()
        return {"loss": error, "first": batch.x[0, 0]}

    def after_step(self, progress, steps) -> None:
        self.progress.append(progress)


class Line:
    clips = 12

    def batch(self, step: int, size: int) -> Numbers:
        return Numbers(torch.randn(size, 1, generator=generator(0, "line", step)), step)


def run(model, cfg, **more):
    reports = []

    def report(clips, metrics, state):
        reports.append((clips, metrics, copy.deepcopy(state())))

    train(model, Line(), cfg, more.pop("optim", OptimConfig(lr=0.05)), seed=1, report=report, **more)
    return reports


def test_length_in_clips_and_in_epochs():
    assert TrainConfig(clips=100, batch=4).steps(12) == 25
    assert TrainConfig(clips=103, batch=4).steps(12) == 25  # never more clips than the budget
    assert TrainConfig(epochs=2, batch=4).steps(12) == 6
    assert TrainConfig(epochs=0.5, batch=4).steps(12) == 1
    assert TrainConfig(epochs=0.1, batch=4).steps(12) == 1


@pytest.mark.parametrize(
    ("clips_in_epoch", "steps"), [(40_091, 125_200), (37_646, 294 * 400), (63_026, 492 * 400), (5_339, 16_400)]
)
def test_each_epoch_drops_its_incomplete_batch_as_in_the_mamp_recipe(clips_in_epoch, steps):
    assert TrainConfig(epochs=400, batch=128).steps(clips_in_epoch) == steps


@pytest.mark.parametrize("settings", [{}, {"clips": 4, "epochs": 1}])
def test_exactly_one_length(settings):
    with pytest.raises(ValidationError, match="exactly one of clips and epochs"):
        TrainConfig(**settings)


def test_a_batch_that_does_not_fall_into_pieces_is_refused():
    with pytest.raises(ValidationError, match="does not fall into 3 equal pieces"):
        TrainConfig(clips=4, batch=8, accumulate=3)


def test_reports_are_evenly_spaced_in_clips_and_end_with_the_last():
    assert [clips for clips, *_ in run(Slope(), TrainConfig(clips=40, batch=4, reports=5))] == [8, 16, 24, 32, 40]
    assert [clips for clips, *_ in run(Slope(), TrainConfig(clips=8, batch=4, reports=5))] == [4, 8]


def test_reported_losses_are_means_since_the_report_before():
    reports = run(Slope(), TrainConfig(clips=16, batch=4, reports=2))
    firsts = [Line().batch(step, 4).x[0, 0].item() for step in range(4)]
    assert reports[0][1]["train/first"] == pytest.approx(sum(firsts[:2]) / 2)
    assert reports[1][1]["train/first"] == pytest.approx(sum(firsts[2:]) / 2)


def test_progress_reaches_one():
    model = Slope()
    run(model, TrainConfig(clips=16, batch=4, reports=1))
    assert model.progress == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_resume_is_bit_for_bit_the_run_that_never_stopped(stop):
    cfg = TrainConfig(clips=64, batch=4, reports=4)
    whole = Slope(dropout=0.5)
    reports = run(whole, cfg)
    half = Slope(dropout=0.5)
    rest = run(half, cfg, resume=reports[stop][2])
    assert torch.equal(whole.weight.weight, half.weight.weight)
    assert [(clips, metrics) for clips, metrics, _ in rest] == [(c, m) for c, m, _ in reports[stop + 1 :]]
    assert half.steps == list(range(4 * (stop + 1), 16))


def test_a_finished_run_has_nothing_left_to_do():
    model = Slope()
    last = run(model, TrainConfig(clips=16, batch=4, reports=1))[-1][2]
    again = Slope()
    assert run(again, TrainConfig(clips=16, batch=4, reports=1), resume=last) == []
    assert again.steps == []


def test_accumulated_pieces_give_the_gradient_of_the_whole():
    whole, pieces = Slope(), Slope()
    run(whole, TrainConfig(clips=24, batch=8, reports=1))
    run(pieces, TrainConfig(clips=24, batch=8, accumulate=4, reports=1))
    torch.testing.assert_close(whole.weight.weight, pieces.weight.weight)
    assert len(pieces.steps) == 4 * len(whole.steps)


def test_a_loss_that_is_not_finite_ends_the_training_before_anything_is_reported():
    model = Slope()
    with torch.no_grad():
        model.weight.weight.fill_(math.inf)
    with pytest.raises(Diverged, match="after 8 clips"):
        run(model, TrainConfig(clips=16, batch=4, reports=2))


def test_what_the_report_raises_ends_the_training():
    model = Slope()

    def enough(clips, metrics, state):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        train(model, Line(), TrainConfig(clips=40, batch=4), OptimConfig(), seed=0, report=enough)
    assert len(model.steps) == 1


def test_the_gradient_is_clipped():
    """One SGD step of rate 1 moves the weights by exactly the largest norm allowed."""
    model = Slope()
    before = [p.clone() for p in model.parameters()]
    optim = OptimConfig(kind="sgd", lr=1.0, warmup=0, floor=1, clip=1e-3, weight_decay=0)
    run(model, TrainConfig(clips=4, batch=4, reports=1), optim=optim)
    moved = sum(
        float((p.detach() - b.detach()).square().sum()) for p, b in zip(model.parameters(), before, strict=True)
    )
    assert math.sqrt(moved) == pytest.approx(1e-3, rel=1e-2)


def test_learning_rate_of_the_mamp_recipe():
    """400 epochs, 20 of warm-up, 1e-3 to 5e-4."""
    cfg = OptimConfig(lr=1e-3, floor=0.5, warmup=20 / 400)
    rates = {0: 0.0, 20: 1e-3, 210: 7.5e-4, 400: 5e-4, 10: 5e-4}
    for epoch, rate in rates.items():
        assert learning_rate(epoch / 400, cfg) == pytest.approx(rate, abs=1e-12)


def test_biases_and_norms_never_decay_and_tables_only_when_asked(five_joints):
    from skelray import methods

    method_class = methods.load("mamp")
    method = method_class(method_class.Config(encoder={"frames": 8, "width": 16, "depth": 1}), five_joints)
    names = {id(p): name for name, p in method.named_parameters()}

    def decayed(asked):
        matrices, rest = optimiser(method, OptimConfig(decay_tables=asked, weight_decay=0.05)).param_groups
        assert (matrices["weight_decay"], rest["weight_decay"]) == (0.05, 0.0)
        assert len(matrices["params"]) + len(rest["params"]) == len(names)
        return {names[id(p)] for p in matrices["params"]}

    assert {"decoder.mask_token", "encoder.embedding.positions.time"} <= decayed(True)
    assert decayed(True) - decayed(False) == method.tables()
    assert not any(name.endswith("bias") or ".norm" in name for name in decayed(True))


def test_frozen_weights_stay_out_of_the_optimiser():
    model = Slope()
    model.weight.bias.requires_grad_(False)
    before = model.weight.bias.clone()
    run(model, TrainConfig(clips=16, batch=4, reports=1))
    assert torch.equal(model.weight.bias, before)


def test_bfloat16_on_a_cpu_changes_nothing():
    plain, asked = Slope(), Slope()
    run(plain, TrainConfig(clips=16, batch=4))
    run(asked, TrainConfig(clips=16, batch=4, precision="bfloat16"))
    assert torch.equal(plain.weight.weight, asked.weight.weight)


def test_a_batch_splits_into_pieces_that_share_one_generator():
    batch = tiny_batch(clips=4)
    first, second = batch.split(2)
    assert torch.equal(torch.cat([first.views[0], second.views[0]]), batch.views[0])
    assert torch.equal(torch.cat([first.label, second.label]), batch.label)
    assert first.generator is second.generator
    with pytest.raises(ValueError, match="do not fall into 3 equal pieces"):
        batch.split(3)


def test_parts_of_a_model_may_have_a_share_of_the_rate_and_a_decay_that_rises():
    class Slow(Slope):
        def rates(self, progress):
            return {"weight.": 0.2 if progress >= 0.5 else 0.0}

    model = Slow()
    cfg = OptimConfig(kind="sgd", lr=1.0, warmup=0, floor=1, weight_decay=0.1, weight_decay_end=0.3)
    stepper = optimiser(model, cfg)
    rated = [group for group in stepper.param_groups if group["rate"] == "weight."]
    assert {id(p) for group in rated for p in group["params"]} == {id(p) for p in model.weight.parameters()}
    seen = []
    for progress in (0.0, 0.5, 1.0):
        set_groups(stepper, model, progress, cfg)
        seen.append([(group["lr"], group["weight_decay"]) for group in rated])
    assert [{rate for rate, _ in each} for each in seen] == [{0.0}, {0.2}, {0.2}]
    assert [max(decay for _, decay in each) for each in seen] == pytest.approx([0.1, 0.2, 0.3])


def test_gradients_are_clipped_part_by_part_when_asked():
    model = torch.nn.ModuleDict({"small": torch.nn.Linear(2, 2), "large": torch.nn.Linear(2, 2)})
    for scale, part in ((1e-3, model["small"]), (1e3, model["large"])):
        for p in part.parameters():
            p.grad = torch.full_like(p, scale)
    before = model["small"].weight.grad.clone()
    clip_gradients(model, OptimConfig(clip=1.0, clip_parts=True))
    assert torch.equal(model["small"].weight.grad, before)
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model["large"].parameters()))
    assert norm == pytest.approx(1, rel=1e-3)

"""Facts of S-JEPA, each by name: its loss, its centre and its teacher."""

import math
from dataclasses import replace

import pytest
import torch
from cases import batch_for, build
from chance import draw

from skelray.batch import Batch
from skelray.methods.sjepa import SJEPA, SJEPAConfig, cross_entropy, sharpened
from skelray.rng import generator
from skelray.skeletons import layout

STEPS = 156 * 1200  # NTU-60 X-Sub in batches of 256, 1200 epochs


@pytest.fixture
def method(five_joints) -> SJEPA:
    return build("sjepa", five_joints)


@pytest.fixture(scope="module")
def full_size() -> SJEPA:
    with torch.device("meta"):
        return SJEPA(SJEPAConfig(), layout("kinect25"))


def loss_of(method: SJEPA, batch: Batch) -> torch.Tensor:
    return method(replace(batch, generator=generator(0, "loss")))["loss"]


def momenta(steps: int, **settings) -> torch.Tensor:
    """The momenta of a training at up to 2000 evenly spaced steps, float64."""
    method = SJEPA.__new__(SJEPA)
    method.__dict__["cfg"] = SJEPAConfig(**settings)
    points = min(steps, 2000)
    return torch.tensor([method.momentum(point / points, steps) for point in range(points)], dtype=torch.float64)


# ----- sizes


def test_of_750_tokens_676_are_targets_and_74_are_visible(full_size):
    x, order = draw(2, 120, 25, 3).cumsum(1), torch.arange(750).expand(2, -1)
    mask = full_size.mask(x, order, generator(0, "mask"))
    assert mask.hidden.shape == (2, 750)
    assert mask.hidden.sum(1).tolist() == [676, 676]
    assert mask.keep.shape == (2, 74)


def test_the_encoder_has_6_336_000_parameters_and_the_predictors_blocks_3_948_800(full_size):
    def size(module):
        return sum(p.numel() for p in module.parameters())

    assert size(full_size.encoder) == size(full_size.teacher) == 6_336_000
    assert size(full_size.decoder.body.blocks) == 5 * 789_760 == 3_948_800
    assert size(full_size) == 2 * 6_336_000 + size(full_size.decoder)
    assert full_size.centre.shape == (256,)


def test_both_branches_end_in_every_token_and_the_loss_takes_the_hidden_ones(method, monkeypatch):
    shapes = {}
    method.decoder.body.register_forward_hook(lambda m, i, o: shapes.__setitem__("view", i[0].shape))
    method.teacher.register_forward_hook(lambda m, i, o: shapes.__setitem__("target", o.shape))
    monkeypatch.setattr(
        "skelray.methods.sjepa.cross_entropy",
        lambda p, w, tau: shapes.update(predicted=p.shape, wanted=w.shape) or cross_entropy(p, w, tau),
    )
    method(batch_for(method))
    assert shapes == {"view": (7, 20, 16), "target": (7, 20, 16), "predicted": (7 * 15, 16), "wanted": (7 * 15, 16)}


def test_a_step_costs_48_gigaflops_forward_and_1_48_times_mamps_in_all(costs):
    gflops = costs("sjepa")["gflops"]
    assert gflops["pretrain"] == pytest.approx(47.99, rel=0.01)  # published with element-wise operations
    assert gflops["inference"] == pytest.approx(28.32, rel=0.01)
    learnt = 3 * (gflops["encoder"] + gflops["decoder"])  # forward and backward; the target goes forward alone
    assert (learnt + gflops["inference"]) / learnt == pytest.approx(1.48, abs=0.01)


# ----- the loss


def test_both_sides_are_distributions_and_the_loss_is_at_least_the_targets_entropy():
    predicted, wanted = 5 * draw(40, 256), sharpened(draw(40, 256, seed=1), draw(256, seed=2), 0.06)
    torch.testing.assert_close(wanted.sum(-1), torch.ones(40))
    entropy = torch.special.entr(wanted).sum(-1)
    assert (entropy >= 0).all()
    assert (cross_entropy(predicted, wanted, 0.1) >= entropy - 1e-5).all()
    at_best = cross_entropy(0.1 * wanted.clamp_min(1e-37).log(), wanted, 0.1)  # p1 = p2
    torch.testing.assert_close(at_best, entropy, atol=1e-5, rtol=1e-5)
    ones = torch.eye(256)  # each channel wanted in turn: -log p1 of all of them, so p1 sums to 1
    torch.testing.assert_close(
        (-cross_entropy(predicted[:1].expand(256, -1), ones, 0.1)).exp().sum(), torch.tensor(1.0)
    )


def test_a_predictor_that_says_nothing_costs_the_logarithm_of_the_width(method):
    assert math.log(256) == pytest.approx(5.545, abs=5e-4)
    wanted = sharpened(draw(40, 256), torch.zeros(256), 0.06)
    torch.testing.assert_close(cross_entropy(torch.full((40, 256), 3.0), wanted, 0.1), torch.full((40,), math.log(256)))
    torch.nn.init.zeros_(method.decoder.leave.weight)
    assert loss_of(method, batch_for(method)).item() == pytest.approx(math.log(16), rel=1e-5)


@pytest.mark.parametrize(("spread", "perplexity"), [(1.0, 1.5), (0.2, 12)])
def test_the_temperature_makes_targets_nearly_one_hot(spread, perplexity):
    wanted = sharpened(spread * draw(4000, 256), torch.zeros(256), 0.06)
    perplexities = torch.special.entr(wanted).sum(-1).exp()
    assert perplexities.mean().item() == pytest.approx(perplexity, rel=0.03)


def test_a_constant_leaves_the_targets_alone_once_the_centre_has_it():
    target, centre, constant = draw(30, 256), draw(256, seed=1), draw(256, seed=2)
    before = sharpened(target, centre, 0.06)
    assert (sharpened(target + constant, centre, 0.06) - before).abs().max() > 0.5
    torch.testing.assert_close(sharpened(target + constant, centre + constant, 0.06), before, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(sharpened(target + 1.7, centre, 0.06), before, atol=1e-4, rtol=1e-3)


def test_softmaxes_are_taken_in_float32():
    target, predicted = draw(30, 16).bfloat16(), draw(30, 16, seed=1).bfloat16()
    wanted = sharpened(target, torch.zeros(16), 0.06)
    assert wanted.dtype == cross_entropy(predicted, wanted, 0.1).dtype == torch.float32


def test_a_target_at_a_visible_place_moves_neither_loss_nor_centre(five_joints):
    losses, centres = {}, {}
    for over in ("hidden", "all"):
        for shift in (0.0, 5.0):
            method, seen = build("sjepa", five_joints, centre_over=over, flip=0.0), {}
            method.decoder.register_forward_pre_hook(lambda m, inputs, seen=seen: seen.update(mask=inputs[1]))

            def push(m, inputs, output, seen=seen, shift=shift):
                return output + shift * draw(16) * ~seen["mask"].hidden[..., None]

            method.teacher.register_forward_hook(push)
            losses[over, shift] = loss_of(method, batch_for(method)).item()
            method.after_step(0.5, 2)
            centres[over, shift] = method.centre.clone()
    assert len(set(losses.values())) == 1
    assert torch.equal(centres["hidden", 0.0], centres["hidden", 5.0])
    assert not torch.allclose(centres["all", 0.0], centres["all", 5.0])


# ----- the centre


def test_the_centre_starts_at_zero_and_one_step_takes_a_tenth_of_the_mean_target(five_joints):
    method = build("sjepa", five_joints, centre_over="all")
    batch = batch_for(method)
    expected = 0.1 * method.teacher(batch.counted()).mean((0, 1))
    assert not method.centre.any()
    loss_of(method, batch)
    assert not method.centre.any()  # it moves after its use
    method.after_step(0.5, 2)
    torch.testing.assert_close(method.centre, expected)


def test_looking_at_a_loss_in_eval_mode_leaves_the_centre_alone(method):
    method.eval()
    loss_of(method, batch_for(method))
    method.after_step(0.5, 2)
    assert not method.centre.any()


def test_pieces_of_a_batch_move_the_centre_as_the_whole_does(five_joints):
    centres = []
    for parts in (1, 2):
        method = build("sjepa", five_joints, centre_over="all")
        for piece in batch_for(method).split(parts):
            method(piece)
        method.after_step(0.5, 2)
        centres.append(method.centre)
    torch.testing.assert_close(*centres)


def test_the_centre_is_taken_from_the_target_only(method):
    """Fresh predictions are the same whatever the centre; targets are not."""
    batch, predictions, losses = batch_for(method), [], []
    method.decoder.register_forward_hook(lambda m, i, o: predictions.append(o.detach()))
    for _ in range(2):
        losses.append(loss_of(method, batch).item())
        method.centre += draw(16)
    assert torch.equal(*predictions)
    assert losses[0] != losses[1]


# ----- the teacher


def test_the_teacher_starts_as_the_encoder_and_gets_no_gradient(method):
    for mine, theirs in zip(method.teacher.parameters(), method.encoder.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    loss_of(method, batch_for(method)).backward()
    assert all(p.grad is None and not p.requires_grad for p in method.teacher.parameters())
    assert any(p.grad.any() for p in method.encoder.parameters())


def test_one_step_moves_the_teacher_by_its_share_of_the_difference(method):
    before = [p.clone() for p in method.teacher.parameters()]
    with torch.no_grad():
        for p in method.encoder.parameters():
            p += draw(*p.shape)
    method.after_step(1 / STEPS, STEPS)  # the first step
    for old, new, student in zip(before, method.teacher.parameters(), method.encoder.parameters(), strict=True):
        torch.testing.assert_close(new - old, (1 - 0.9999) * (student - old), atol=1e-6, rtol=1e-3)


def test_the_published_momentum_rises_from_0_9999_to_1():
    published = momenta(STEPS)
    assert published[0].item() == pytest.approx(0.9999, abs=1e-9)
    assert (published.diff() >= 0).all()
    assert published[-1].item() == pytest.approx(1, abs=1e-9)
    assert STEPS * (1 - published).mean().item() == pytest.approx(9.36, abs=0.01)
    assert math.log(0.5) / math.log(0.9999) == pytest.approx(6931, abs=1)  # steps to half of a teacher that starts so


@pytest.mark.parametrize(("epochs", "start"), [(100, 0.9988), (200, 0.9994), (400, 0.9997), (1200, 0.9999)])
def test_shorter_trainings_renew_the_teacher_as_often(epochs, start):
    steps = 156 * epochs
    assert momenta(steps)[0].item() == pytest.approx(start, abs=5e-5)
    assert steps * (1 - momenta(steps)).mean().item() == pytest.approx(9.36, abs=0.01)


def test_the_published_momentum_in_100_epochs_would_leave_46_percent_of_the_random_start():
    steps = 156 * 100
    share = momenta(steps, lifetimes=9.36 / 12)  # starts at 0.9999 too
    assert share[0].item() == pytest.approx(0.9999, abs=1e-6)
    assert math.exp(steps * share.log().mean()) == pytest.approx(0.46, abs=0.005)


def test_momenta_stay_between_zero_and_one_however_short_the_training():
    for steps in (1, 2, 10, 19):
        assert ((momenta(steps) >= 0) & (momenta(steps) <= 1)).all()
    assert momenta(1).tolist() == [0]


def test_evaluation_takes_the_teacher(method):
    with torch.no_grad():
        for p in method.encoder.parameters():
            p += 1
    x = batch_for(method).bodies()
    assert torch.equal(method.pretrained(x), method.teacher(x))
    assert not torch.allclose(method.pretrained(x), method.encoder(x))

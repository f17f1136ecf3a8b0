"""Facts of UMD's loss, each by name: who is noised, what is hidden, which head learns where."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from chance import draw
from conftest import tiny_batch

from skelray import masking
from skelray.batch import Batch
from skelray.layers.compare import hidden_error
from skelray.layers.patch import patchify
from skelray.methods.umd import UMD, UMDConfig
from skelray.rng import generator

ENCODER = {"frames": 8, "patch": 2, "width": 16, "depth": 2, "heads": 2}
UMD_TOY = {"clean_share": 0.5, "mask_ratio": 0.75, "noised_mask_ratio": 0.4}
MAE, DIT, MASK_DIT = {"clean_share": 1.0}, {"clean_share": 0.0, "noised_mask_ratio": 0.0}, {"clean_share": 0.0}


def build(skeleton, **settings) -> UMD:
    """A small UMD whose modulations are no longer zero, so that time and gates act."""
    torch.manual_seed(0)
    method = UMD(
        UMDConfig(**{"encoder": ENCODER, "bodies": "all", "decoder_depth": 1, **UMD_TOY, **settings}), skeleton
    )
    for name, weight in method.named_parameters():
        if "modulation" in name or "last" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return method


def losses_of(method: UMD, batch: Batch | None = None) -> dict[str, torch.Tensor]:
    return method(replace(batch or tiny_batch(), generator=generator(0, "loss")))


def bodies(number: int) -> Batch:
    """Clips of one body each."""
    x = tiny_batch(clips=max(2, number)).views[0][:, :1]
    present = torch.arange(len(x))[:, None] < number
    return Batch([x], present, torch.zeros(len(x), dtype=torch.long), generator(0, "loss"))


@contextmanager
def watched(method: UMD):
    """What passes: tokens into the encoder's and decoder's bodies, times, and predictions that keep their gradients."""
    seen = {"encoder": [], "decoder": [], "time": [], "predicted": [], "encoded": []}

    def predicted(module, inputs, output):
        if output.requires_grad:
            output.retain_grad()
        seen["predicted"].append(output)

    hooks = [
        method.encoder.body.register_forward_hook(lambda module, inputs, output: seen["encoder"].append(inputs[0])),
        method.encoder.register_forward_hook(lambda module, inputs, output: seen["encoded"].append(output)),
        method.encoder.time.register_forward_hook(lambda module, inputs, output: seen["time"].append(inputs[0])),
        method.decoder.body.register_forward_hook(lambda module, inputs, output: seen["decoder"].append(inputs[0])),
        method.decoder.register_forward_hook(predicted),
    ]
    yield seen
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize(("share", "noised", "clean"), [(0.5, 4, 3), (0.25, 6, 1), (0.0, 7, 0), (1.0, 0, 7)])
def test_the_first_bodies_are_noised_and_the_floor_of_the_clean_share_stays_clean(five_joints, share, noised, clean):
    method = build(five_joints, clean_share=share)
    with watched(method) as seen:
        losses_of(method)
    assert [len(x) for x in seen["encoder"]] == [noised, clean]


def test_time_0_is_noise_free_alone_and_noised_bodies_are_told_their_step_plus_one(five_joints):
    method, batch = build(five_joints, diffusion_steps=3), bodies(400)
    with watched(method) as seen:
        losses_of(method, batch)
    noised, clean = seen["time"]
    assert noised.unique().tolist() == [1, 2, 3]
    assert not clean.any()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_few_bodies_lose_neither_half(five_joints, number):
    method = build(five_joints)
    losses = losses_of(method, bodies(number))
    losses["loss"].backward()
    assert (losses["clean"] > 0) == (number == 2)
    assert (losses["noised_eps"] > 0) == (losses["noised_x0"] > 0) == (number > 0)
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in method.parameters())


def test_the_loss_is_the_clean_share_times_clean_plus_the_rest_times_half_the_noised_sum(five_joints):
    losses = losses_of(build(five_joints, clean_share=0.25))
    noised = 0.5 * (losses["noised_eps"] + losses["noised_x0"])
    torch.testing.assert_close(losses["loss"], 0.25 * losses["clean"] + 0.75 * noised)


def test_the_weights_of_the_heads_act_within_the_noised_half(five_joints):
    losses = losses_of(build(five_joints, eps_weight=0.5, x0_weight=0.1))
    noised = 0.5 * (0.5 * losses["noised_eps"] + 0.1 * losses["noised_x0"])
    torch.testing.assert_close(losses["loss"], 0.5 * losses["clean"] + 0.5 * noised)


def touched(five_joints, **settings) -> tuple[list[torch.Tensor], list[torch.Tensor], list[int]]:
    """Whether the loss reads x0 and eps of every token in each pass, and how many tokens each pass sees."""
    method = build(five_joints, **settings)
    with watched(method) as seen:
        losses_of(method)["loss"].backward()
    grads = [output.grad.abs().unflatten(-1, (2, -1)).sum(-1) > 0 for output in seen["predicted"] if len(output)]
    visible = [x.shape[1] - 4 for x in seen["encoder"] if len(x)]
    return [grad[..., 0] for grad in grads], [grad[..., 1] for grad in grads], visible


def test_noised_bodies_teach_eps_on_visible_and_x0_on_hidden_tokens_and_nothing_else(five_joints):
    (x0, clean_x0), (eps, clean_eps), visible = touched(five_joints)
    assert visible == [12, 5]
    assert torch.equal(x0, ~eps)
    assert (eps.sum(1) == 12).all()
    assert (clean_x0.sum(1) == 15).all()  # the hidden ones
    assert not clean_eps.any()


def test_the_head_of_x0_learns_exactly_where_the_mask_hides(five_joints, monkeypatch):
    masks, uniform = [], masking.uniform
    monkeypatch.setattr(masking, "uniform", lambda *given: masks.append(uniform(*given)) or masks[-1])
    (noised, clean), _, _ = touched(five_joints)
    assert torch.equal(noised, masks[0].hidden)
    assert torch.equal(clean, masks[1].hidden)


def test_without_masking_both_heads_learn_on_every_noised_token(five_joints):
    (x0, _), (eps, _), visible = touched(five_joints, noised_mask_ratio=0.0)
    assert visible == [20, 5]
    assert x0.all()
    assert eps.all()


def test_mae_dit_and_maskdit_are_settings(five_joints):
    """MAE: x0 on hidden tokens without noise. DiT: both heads on all. MaskDiT: eps on visible, x0 on hidden tokens."""
    (x0,), (eps,), visible = touched(five_joints, **MAE)
    assert (visible, x0.sum(1).unique().tolist(), eps.any()) == ([5], [15], False)
    (x0,), (eps,), visible = touched(five_joints, **DIT)
    assert (visible, bool(x0.all()), bool(eps.all())) == ([20], True, True)
    (x0,), (eps,), visible = touched(five_joints, **MASK_DIT, noised_mask_ratio=0.5)
    assert (visible, torch.equal(x0, ~eps)) == ([10], True)


def test_at_clean_share_1_the_loss_is_that_of_a_masked_auto_encoder(five_joints):
    method, batch = build(five_joints, **MAE), tiny_batch()
    x, chance = batch.counted(), generator(0, "loss")
    torch.randint(1000, (0,), generator=chance)  # nobody is noised
    mask = masking.uniform(7, 20, 0.75, chance)
    condition = method.encoder.time(torch.zeros(7))
    heads = method.decoder(method.encoder(x, condition, mask), 4, condition, mask)
    expected = hidden_error(heads[..., :6], patchify(x, 2), mask.hidden)
    torch.testing.assert_close(losses_of(method)["loss"], expected)


def test_predicting_nothing_costs_the_variance_of_noise_and_of_standardised_coordinates(five_joints):
    method, batch = build(five_joints, mask_ratio=0.5), bodies(600)
    method.encoder.standard.mean.copy_(batch.counted().mean((0, 1, 2)))
    method.encoder.standard.variance.copy_(batch.counted().flatten(0, 2).var(0))
    torch.nn.init.zeros_(method.decoder.leave.weight)
    losses = losses_of(method, batch)
    for part in ("noised_eps", "noised_x0", "clean"):
        assert losses[part].item() == pytest.approx(1.0, abs=0.1)


def test_noise_comes_first_then_positions_then_the_mask(five_joints):
    """What the encoder sees of a noised body are tokens of the whole noised body, each in its place."""
    method = build(five_joints, schedule="linear_beta", diffusion_steps=1)  # one level: x_t can be told from x
    batch, chance = tiny_batch(), generator(0, "loss")
    with watched(method) as seen:
        losses_of(method, batch)
    x = batch.counted()[:4]
    torch.randint(1, (4,), generator=chance)
    level = method.alpha_bar[0].float()
    x_t = level.sqrt() * x + (1 - level).sqrt() * torch.randn(x.shape, generator=chance)
    keep = masking.uniform(4, 20, 0.4, chance).keep
    tokens = method.encoder.embedding(x_t)
    expected = torch.stack([each[kept] for each, kept in zip(tokens, keep, strict=True)])
    torch.testing.assert_close(seen["encoder"][0][:, 4:], expected)


def test_registers_are_never_masked_and_have_no_position(five_joints):
    method = build(five_joints, register_spread=0.5)
    with watched(method) as seen:
        losses_of(method)
    for tokens in seen["encoder"]:
        assert torch.equal(tokens[:, :4], method.encoder.registers.expand(len(tokens), -1, -1))


def test_the_decoder_reads_the_mean_register_as_one_more_token_and_drops_it(five_joints):
    method = build(five_joints, register_spread=0.5)
    with watched(method) as seen:
        losses_of(method)
    for encoded, filled, predicted in zip(seen["encoded"], seen["decoder"], seen["predicted"], strict=True):
        torch.testing.assert_close(filled[:, 0], encoded[:, :4].mean(1))
        assert filled.shape[1] == 21
        assert predicted.shape[1:] == (20, 12)


def test_hidden_places_hold_the_mask_token_and_visible_ones_their_own(five_joints):
    method, z = build(five_joints), draw(2, 4 + 12, 16)
    mask = masking.uniform(2, 20, 0.4, generator(0, "mask"))
    with watched(method) as seen:
        method.decoder(z, 4, torch.zeros(2, 16), mask)
    filled = seen["decoder"][0][:, 1:] - method.decoder.positions()
    expected = method.decoder.mask_token[0, 0].expand(8, -1)
    for body in range(2):
        torch.testing.assert_close(filled[body][mask.hidden[body]], expected)
        torch.testing.assert_close(filled[body][mask.keep[body]], z[body, 4:])


class Same:
    """A source of one batch."""

    clips = 4

    def __init__(self, batch: Batch):
        self.only = batch

    def batch(self, step: int, size: int) -> Batch:
        return self.only


def test_moving_and_stretching_an_axis_of_all_data_changes_nothing_once_measured(five_joints):
    method, batch, losses = build(five_joints), tiny_batch(), []
    stretch, shift = torch.tensor([3.0, 0.5, 20.0]), torch.tensor([1.0, -2.0, 0.3])
    for view in (batch.views[0], batch.views[0] * stretch + shift):
        method.begin(Same(replace(batch, views=[view])))
        losses.append(losses_of(method, replace(batch, views=[view]))["loss"])
    torch.testing.assert_close(losses[0], losses[1], atol=1e-5, rtol=1e-5)

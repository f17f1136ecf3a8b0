"""Facts of AMR, each by name: its energy, its weights and its queries."""

import math
from dataclasses import replace

import pytest
import torch
from chance import draw, rotation
from conftest import tiny_batch

from skelray.layers.patch import motion, patchify, standardise
from skelray.methods.amr import AMR, AMRConfig, energy, energy_weights
from skelray.rng import generator
from skelray.skeletons import layout

KINECT = layout("kinect25")


def test_energy_is_half_the_mean_pairwise_squared_distance():
    x = draw(2, 12, 5, 3)
    pairs = torch.cdist(x.transpose(1, 2), x.transpose(1, 2)).square().mean((2, 3)) / 2
    torch.testing.assert_close(energy(x, 12)[:, 0], pairs)


def test_energy_and_weights_ignore_rigid_motion():
    x = draw(2, 24, 5, 3).double()
    moved = x @ rotation() + torch.tensor([3.0, -1.0, 2.0])
    torch.testing.assert_close(energy(moved, 8), energy(x, 8), atol=4e-6, rtol=4e-6)
    torch.testing.assert_close(
        energy_weights(moved, (4, 8, 12), 0.01, 1e-8), energy_weights(x, (4, 8, 12), 0.01, 1e-8), atol=4e-6, rtol=0
    )


def test_weights_without_eps_ignore_scale():
    x = draw(2, 24, 5, 3)
    tiny = 1e-30  # eps must be positive; this is none
    torch.testing.assert_close(
        energy_weights(50 * x, (4, 8), 0.01, tiny), energy_weights(x, (4, 8), 0.01, tiny), atol=2e-7, rtol=0
    )


def test_weights_lie_in_zero_one_and_rise_with_energy():
    x = draw(1, 12, 40, 3) * torch.linspace(0, 3, 40)[:, None]
    weight = energy_weights(x, (12,), 0.1, 1e-8)[0, 0, :, 0]
    order = energy(x, 12)[0, 0].argsort()
    assert ((weight > 0) & (weight <= 1)).all()
    assert (weight[order].diff() > 0).all()


@pytest.mark.parametrize("k", [0.001, 0.01, 0.1, 1.0])
def test_a_window_of_mean_energy_weighs_one_over_one_plus_k(k):
    x = draw(1, 4, 1, 3).repeat(1, 3, 5, 1)  # every window and joint has the same energy
    expected = torch.full((1, 12, 5, 1), 1 / (1 + k))
    torch.testing.assert_close(energy_weights(x, (4,), k, 1e-30), expected)


def test_without_k_the_loss_is_the_plain_squared_error_bit_for_bit(five_joints):
    settings = {"encoder": {"frames": 8, "patch": 2, "width": 16, "depth": 1, "heads": 2}, "coarse": 2, "windows": (4,)}
    torch.manual_seed(0)
    method = AMR(AMRConfig(k=0.0, decoder_depth=1, **settings), five_joints)
    batch = tiny_batch()
    x = batch.counted()
    got = method(replace(batch, generator=generator(0, "loss")))["loss"]
    predicted = method.decoder(method.encoder(x, method.mask(x, generator(0, "loss"))))
    error = (predicted - standardise(patchify(motion(x), 4))).square()
    assert torch.equal(got, error.sum() / error.numel())


def test_an_empty_body_weighs_one():
    assert torch.equal(energy_weights(torch.zeros(1, 12, 5, 3), (4, 12), 0.01, 1e-8), torch.ones(1, 12, 5, 1))


def test_the_root_of_the_weight_inside_the_norm_is_the_weight_outside():
    weight, error = torch.rand(4, 6), draw(4, 6)
    torch.testing.assert_close((weight.sqrt() * error).square().mean(), (weight * error.square()).mean())


def test_a_constant_weight_scales_the_loss(five_joints, monkeypatch):
    settings = {"encoder": {"frames": 8, "patch": 2, "width": 16, "depth": 1, "heads": 2}, "coarse": 2, "windows": (4,)}
    method = AMR(AMRConfig(k=0.0, decoder_depth=1, **settings), five_joints)
    plain = method(replace(tiny_batch(), generator=generator(0, "loss")))["loss"]
    monkeypatch.setattr("skelray.methods.amr.energy_weights", lambda x, *_: torch.full_like(x[..., :1], 0.25))
    torch.testing.assert_close(method(replace(tiny_batch(), generator=generator(0, "loss")))["loss"], 0.25 * plain)


def test_window_scales_are_averaged():
    x = draw(2, 24, 5, 3)
    each = [energy_weights(x, (n,), 0.1, 1e-8) for n in (4, 8, 12)]
    torch.testing.assert_close(energy_weights(x, (4, 8, 12), 0.1, 1e-8), sum(each) / 3)
    torch.testing.assert_close(energy_weights(x, (4, 8), 0.1, 1e-8, fuse="product"), each[0] * each[1])
    torch.testing.assert_close(energy_weights(x, (4, 8), 0.1, 1e-8, fuse="max"), torch.maximum(each[0], each[1]))


def test_jitter_weighs_little_and_limbs_weigh_much():
    """4 moving joints, 3 mm jitter on the rest: static joints sink with k, moving ones stay."""
    time = torch.linspace(0, 4 * math.pi, 120)
    x = 0.003 * draw(1, 120, 25, 3) / math.sqrt(3)
    x[0, :, :4, 0] += 0.3 * torch.sin(time)[:, None]
    still, moving = [], []
    for k in (0.001, 0.01, 0.1, 1.0):
        weight = energy_weights(x, (4, 8, 12), k, 1e-8)[0, ..., 0]
        still.append(weight[:, 4:].mean().item())
        moving.append(weight[:, :4].mean().item())
    assert still == sorted(still, reverse=True)
    assert still[0] > 0.9 > 0.5 > still[2] > still[3]
    assert moving[1] > 0.98
    assert all(m > s for m, s in zip(moving, still, strict=True))


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    return AMR(AMRConfig(encoder={"width": 32, "heads": 4, "depth": 1}, decoder_depth=2), KINECT).decoder.eval()


def test_queries_do_not_care_about_the_order_of_visible_tokens(decoder):
    z = draw(2, 74, 32)
    torch.testing.assert_close(decoder(z), decoder(z[:, torch.randperm(74)]), atol=1e-5, rtol=1e-4)


def test_queries_never_read_each_other(decoder):
    """Changing one query leaves every other prediction unchanged."""
    z = draw(2, 74, 32)
    before = decoder(z)
    with torch.no_grad():
        decoder.queries[7] += 1
        after = decoder(z)
        decoder.queries[7] -= 1
    others = torch.arange(125) != 7
    assert torch.equal(before[:, others], after[:, others])
    assert not torch.allclose(before[:, 7], after[:, 7])


def test_with_self_attention_they_do():
    torch.manual_seed(0)
    cfg = AMRConfig(encoder={"width": 32, "heads": 4, "depth": 1}, decoder_depth=1, self_attention=True)
    decoder, z = AMR(cfg, KINECT).decoder.eval(), draw(2, 74, 32)
    before = decoder(z)
    with torch.no_grad():
        decoder.queries[7] += 1
    assert not torch.allclose(before[:, 8], decoder(z)[:, 8])


@pytest.mark.parametrize(("coarse", "queries"), [(1, 750), (6, 125), (30, 25)])
def test_coarseness_changes_queries_and_never_the_encoder(coarse, queries):
    method = AMR(AMRConfig(coarse=coarse), KINECT)
    assert method.decoder.queries.shape == (queries, 256)
    assert method.decoder.leave.out_features == 12 * coarse
    assert sum(p.numel() for p in method.encoder.parameters()) == 6_336_000


def test_amr_counts_every_large_patch_visible_or_not(five_joints):
    """The loss covers all N / r patches: it reads predictions of fully visible patches too."""
    settings = {"encoder": {"frames": 8, "patch": 2, "width": 16, "depth": 1, "heads": 2}, "coarse": 1, "windows": (4,)}
    method = AMR(AMRConfig(mask_ratio=0.5, decoder_depth=1, **settings), five_joints)
    predictions = []

    def note(module, inputs, output):
        output.retain_grad()
        predictions.append(output)

    method.decoder.register_forward_hook(note)
    method(tiny_batch())["loss"].backward()
    touched = predictions[0].grad.abs().sum(-1) > 0
    assert touched.shape == (7, 20)
    assert touched.all()


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"coarse": 7}, "coarse 7 does not divide 30; the nearest that does is 6"),
        ({"windows": (4, 9)}, "window 9 does not divide 120; the nearest that does is"),
        ({"encoder": {"patch": 7}}, "patch 7 does not divide 120; the nearest that does is"),
        ({"encoder": {"heads": 7}}, "heads 7 does not divide 256; the nearest that does is 8"),
    ],
)
def test_what_does_not_divide_is_refused_with_the_nearest_that_does(settings, rule):
    with pytest.raises(ValueError, match=rule):
        AMRConfig(**settings)


@pytest.mark.parametrize("window", [0, -4])
def test_a_window_has_at_least_one_frame(window):
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        AMRConfig(windows=(window,))

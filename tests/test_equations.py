"""Facts of the papers and of the authors' code, each by name: what the golden numbers of test_methods.py mean."""

import math
from dataclasses import replace

import pytest
import torch
from conftest import tiny_batch

from skelray import masking, methods
from skelray.batch import Batch
from skelray.cost import cost
from skelray.layers.compare import hidden_error
from skelray.layers.patch import motion, patchify, standardise, unpatchify
from skelray.methods.amr import AMR, AMRConfig, energy, energy_weights
from skelray.rng import generator
from skelray.skeletons import layout

KINECT = layout("kinect25")
MAE_FAMILY = ("skeletonmae", "mamp")


@pytest.fixture(scope="module")
def costs() -> dict:
    return {name: cost(name) for name in ("skeletonmae", "mamp", "amr")}


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed, "equations"))


def rotation(seed: int = 0) -> torch.Tensor:
    q, r = torch.linalg.qr(draw(3, 3, seed=seed).double())
    q = q * r.diagonal().sign()
    return q if torch.linalg.det(q) > 0 else -q


# ------------------------------------------------------------------ tokens, parameters and FLOPs (dossier E.2, E.3)


@pytest.mark.parametrize("name", MAE_FAMILY)
def test_750_tokens_74_visible_676_hidden_at_ratio_nine_tenths(costs, name):
    assert costs[name]["tokens"] == {"total": 750, "visible": 74, "hidden": 676, "targets": 750}


def test_amr_asks_125_queries_5_steps_by_25_joints(costs):
    assert costs["amr"]["tokens"] == {"total": 750, "visible": 74, "hidden": 676, "targets": 125}


@pytest.mark.parametrize(("ratio", "expected"), [(0.80, 149), (0.85, 112), (0.90, 74), (0.95, 37)])
def test_kept_tokens_are_cut_in_floating_point(ratio, expected):
    assert masking.kept(750, ratio) == expected


def test_kept_tokens_rounded_are_75():
    assert masking.kept(750, 0.9, "round") == 75


@pytest.mark.parametrize("name", ["skeletonmae", "mamp", "amr"])
def test_encoder_has_6_336_000_parameters(costs, name):
    assert costs[name]["parameters"]["encoder"] == 6_336_000


@pytest.mark.parametrize("name", MAE_FAMILY)
@pytest.mark.parametrize(("depth", "total", "decoder_side"), [(3, 8_789_004, 2_453_004), (5, 10_368_524, 4_032_524)])
def test_parameters_of_mae_and_mamp(name, depth, total, decoder_side):
    method_class = methods.load(name)
    method = method_class(method_class.Config(decoder_depth=depth), KINECT)
    assert sum(p.numel() for p in method.parameters()) == total
    assert sum(p.numel() for p in method.decoder.parameters()) == decoder_side


def test_mae_and_mamp_have_the_same_parameters():
    shapes = []
    for name in MAE_FAMILY:
        method_class = methods.load(name)
        shapes.append({key: p.shape for key, p in method_class(method_class.Config(), KINECT).named_parameters()})
    assert shapes[0] == shapes[1]


def test_parameters_of_amr(costs):
    assert costs["amr"]["parameters"]["total"] == 10_409_288
    decoder = AMR(AMRConfig(), KINECT).decoder
    assert sum(p.numel() for p in decoder.parameters()) == 4_073_288


@pytest.mark.parametrize("name", ["skeletonmae", "mamp", "amr"])
def test_flops_of_the_encoder(costs, name):
    gflops = costs[name]["gflops"]
    assert gflops["encoder"] == pytest.approx(1.9612, abs=5e-5)
    assert gflops["inference"] == pytest.approx(28.0996, abs=5e-5)


@pytest.mark.parametrize("name", MAE_FAMILY)
def test_flops_of_mae_and_mamp(costs, name):
    gflops = costs[name]["gflops"]
    assert gflops["decoder"] == pytest.approx(17.5851, abs=5e-5)
    assert gflops["pretrain"] == pytest.approx(19.5463, abs=5e-5)
    assert gflops["linear"] == pytest.approx(13.6966, abs=5e-5)


def test_flops_of_mamp_with_the_short_decoder():
    gflops = cost("mamp", {"decoder_depth": 3})["gflops"]
    assert gflops["decoder"] == pytest.approx(10.5625, abs=5e-5)
    assert gflops["pretrain"] == pytest.approx(12.5237, abs=5e-5)


def test_flops_of_amr(costs):
    assert costs["amr"]["gflops"]["pretrain"] == pytest.approx(3.917, abs=5e-4)
    assert costs["amr"]["gflops"]["linear"] == pytest.approx(3.732, abs=1e-3)


@pytest.mark.parametrize(
    ("coarse", "everything", "linear"),
    [(1, 12.58, 11.92), (2, 7.38, 7.01), (3, 5.65, 5.37), (10, 3.22, 3.08), (30, 2.53, 2.42)],
)
def test_flops_of_amr_by_coarseness(coarse, everything, linear):
    gflops = cost("amr", {"coarse": coarse})["gflops"]
    assert gflops["pretrain"] == pytest.approx(everything, abs=6e-3)
    assert gflops["linear"] == pytest.approx(linear, abs=6e-3)


def test_flops_of_amr_with_self_attention():
    gflops = cost("amr", {"self_attention": True})["gflops"]
    assert gflops["pretrain"] == pytest.approx(4.73, abs=6e-3)
    assert gflops["linear"] == pytest.approx(4.39, abs=6e-3)


# ------------------------------------------------------------------------------------------------- cells and targets


def test_patch_numbers_run_time_first_then_joint_and_frame_before_axis():
    x = torch.arange(4 * 2 * 3).reshape(1, 4, 2, 3).float()  # frame t, joint v, axis c -> 6 t + 3 v + c
    cells = patchify(x, 2)
    assert cells.shape == (1, 4, 6)
    assert cells[0, 1].tolist() == [3, 4, 5, 9, 10, 11]  # joint 1, frames 0 and 1
    assert cells[0, 2].tolist() == [12, 13, 14, 18, 19, 20]  # joint 0, frames 2 and 3


def test_unpatchify_undoes_patchify():
    x = draw(2, 12, 5, 3)
    assert torch.equal(unpatchify(patchify(x, 4), 5, 4), x)


def test_motion_crosses_patch_borders_and_ends_in_zero():
    x = draw(2, 8, 5, 3)
    m = motion(x)
    assert torch.equal(m[:, :-1], x[:, 1:] - x[:, :-1])
    assert not m[:, -1].any()


def test_motion_with_stride_ends_in_that_many_zeros():
    x = draw(2, 8, 5, 3)
    assert torch.equal(motion(x, 3)[:, 2], x[:, 5] - x[:, 2])
    assert not motion(x, 3)[:, -3:].any()


def test_a_standardised_cell_has_eleven_as_its_sum_of_squares():
    cells = standardise(1000 * draw(4, 10, 12))
    torch.testing.assert_close(cells.square().sum(-1), torch.full((4, 10), 11.0), atol=1e-3, rtol=0)
    assert cells.square().mean().item() == pytest.approx(0.9167, abs=1e-4)
    assert standardise(1000 * draw(4, 10, 72)).square().mean().item() == pytest.approx(71 / 72, abs=1e-4)


def test_the_target_of_an_empty_body_is_zero():
    assert not standardise(patchify(motion(torch.zeros(1, 8, 5, 3)), 4)).any()


@pytest.mark.parametrize(
    ("millimetres", "mean_square"), [(0.1, 0.009), (0.3, 0.075), (1, 0.44), (3, 0.81), (10, 0.905), (100, 0.917)]
)
def test_motion_below_a_millimetre_a_frame_is_damped(millimetres, mean_square):
    cells = standardise(millimetres / 1000 * draw(20000, 1, 12))
    assert cells.square().mean().item() == pytest.approx(mean_square, rel=0.06)


# ------------------------------------------------------------------------------------------------ motion-aware masking


def keep_rates(tau: float, bodies: int = 20000) -> list[float]:
    """How often static, quarter-speed and fastest tokens of the mixture of dossier B.2 stay visible."""
    intensity = torch.cat([torch.zeros(375), torch.full((187,), 0.25), torch.ones(188)]).expand(bodies, -1)
    seen = ~masking.by_motion(intensity, 0.9, tau, generator(0, "gumbel")).hidden
    rate = seen.float().mean(0)
    return [rate[:375].mean().item(), rate[375:562].mean().item(), rate[562:].mean().item()]


@pytest.mark.parametrize(
    ("tau", "expected", "tolerance"),
    [(0.6, (0.165, 0.065, 0.0001), 1e-3), (0.75, (0.159, 0.077, 0.0010), 1e-3), (0.80, (0.157, 0.080, 0.0016), 1e-3),
     (1.0, (0.150, 0.088, 0.0059), 1e-3), (2.0, (0.130, 0.099, 0.035), 1e-3)],
)  # fmt: skip
def test_keep_rates_of_the_gumbel_mask(tau, expected, tolerance):
    assert keep_rates(tau, 4000) == pytest.approx(expected, abs=tolerance)


def test_tau_zero_masks_uniformly():
    assert keep_rates(0.0, 4000) == pytest.approx([74 / 750] * 3, abs=1e-3)


def test_a_static_body_is_masked_uniformly():
    seen = ~masking.by_motion(torch.zeros(8000, 750), 0.9, 0.8, generator(0, "static")).hidden
    assert seen.sum(1).tolist() == [74] * 8000
    assert seen.float().mean(0).std().item() < 1.3 * math.sqrt(74 / 750 * (1 - 74 / 750) / 8000)


def test_every_body_keeps_the_same_number_and_the_indices_ascend():
    mask = masking.by_motion(draw(6, 750).abs(), 0.9, 0.8, generator(0, "count"))
    assert mask.keep.shape == (6, 74)
    assert (mask.keep.diff(dim=1) > 0).all()
    assert mask.hidden.sum(1).tolist() == [676] * 6
    assert not mask.hidden.gather(1, mask.keep).any()


def test_masking_intensity_is_displacement_over_a_patch_not_over_a_frame():
    x = torch.zeros(1, 12, 2, 3)
    x[:, :, 1, 0] = 0.01 * torch.arange(12)  # joint 1 moves a centimetre a frame along x
    intensity = masking.motion_intensity(patchify(x, 4), 2).unflatten(1, (3, 2))
    torch.testing.assert_close(intensity[0, :, 1], torch.full((3,), 0.04 / 3))  # four frames, one axis of three
    assert not intensity[0, :, 0].any()


def test_the_first_patch_takes_the_intensity_of_the_second():
    intensity = masking.motion_intensity(patchify(draw(2, 12, 5, 3), 4), 5).unflatten(1, (3, 5))
    assert torch.equal(intensity[:, 0], intensity[:, 1])


def test_mask_distribution_ignores_translation_and_scale_but_not_rotation():
    x = draw(1, 12, 5, 3).double()

    def weights(y):
        intensity = masking.motion_intensity(patchify(y, 4), 5)
        return torch.softmax(intensity / (0.8 * intensity.amax(1, keepdim=True)), 1)

    torch.testing.assert_close(weights(x + 3), weights(x))
    torch.testing.assert_close(weights(7 * x), weights(x))
    assert (weights(x @ rotation()) - weights(x)).abs().max() > 1e-4


@pytest.mark.parametrize("tau", [0.4, 0.75, 0.8, 1.0])
def test_softmax_weights_of_fastest_and_static_token_differ_by_exp_one_over_tau(tau):
    """Of two tokens, the one that is hidden first is drawn with odds exp(1 / tau) : 1."""
    intensity = torch.tensor([[0.003, 0.0]]).expand(200_000, -1)
    hidden = masking.by_motion(intensity, 0.5, tau, generator(0, "odds")).hidden
    share = hidden[:, 0].float().mean().item()
    assert share == pytest.approx(math.exp(1 / tau) / (1 + math.exp(1 / tau)), abs=0.004)


# ----------------------------------------------------------------------------------------------------- MAMP and MAE


def silent(method):
    """Make a decoder predict zero everywhere."""
    torch.nn.init.zeros_(method.decoder.leave.weight)
    return method.eval()


@pytest.mark.parametrize("name", MAE_FAMILY)
def test_predicting_nothing_costs_eleven_twelfths_on_real_motion(name):
    method_class = methods.load(name)
    method = silent(method_class(method_class.Config(encoder={"width": 16, "depth": 1, "heads": 2}), KINECT))
    batch = Batch([100 * draw(2, 1, 120, 25, 3)], torch.ones(2, 1).bool(), torch.zeros(2).long(), generator(0, "loss"))
    full = replace(batch, views=[batch.views[0].cumsum(2)])
    # the last patch of a motion target holds one zero frame, which leaves its variance, and so the bound, in place
    assert method(full)["loss"].item() == pytest.approx(11 / 12, abs=1e-3)


def test_visible_tokens_carry_no_loss():
    mask = masking.uniform(8, 20, 0.5, generator(0, "mask"))
    predicted, target = draw(8, 20, 6), draw(8, 20, 6, seed=1)
    moved = predicted + 5 * (~mask.hidden)[..., None]
    got = hidden_error(predicted, target, mask.hidden)
    assert torch.equal(got, hidden_error(moved, target, mask.hidden))
    torch.testing.assert_close(got, (predicted - target).square().mean(-1)[mask.hidden].mean())


def test_mamp_ignores_where_the_body_stands_but_mae_does_not_ignore_shape():
    """A translation leaves MAMP's target unchanged; SkeletonMAE's too, because each cell is standardised over axes
    only when all axes move alike."""
    x = draw(1, 8, 5, 3)
    shift = torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(motion(x + shift), motion(x), atol=1e-6, rtol=0)
    assert (standardise(patchify(x + shift, 4)) - standardise(patchify(x, 4))).abs().max() > 0.1


def test_a_fresh_mamp_starts_well_above_the_plateau():
    torch.manual_seed(0)
    method_class = methods.load("mamp")
    method = method_class(method_class.Config(), KINECT)
    batch = Batch([draw(2, 1, 120, 25, 3)], torch.ones(2, 1).bool(), torch.zeros(2).long(), generator(0, "loss"))
    with torch.no_grad():
        assert method(batch)["loss"].item() == pytest.approx(2.7, abs=0.4)


# ---------------------------------------------------------------------------------------------------------------- AMR


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
    """4 moving joints, 3 mm jitter on the rest (dossier B.3): static joints sink with k, moving ones stay."""
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

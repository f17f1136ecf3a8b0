"""Facts of the papers and of the authors' code on cells, targets, masks and the MAE family, each by name."""

import math
from dataclasses import replace

import pytest
import torch
from chance import draw, rotation

from skelray import masking, methods
from skelray.batch import Batch
from skelray.layers.compare import hidden_error
from skelray.layers.patch import motion, patchify, standardise, unpatchify
from skelray.rng import generator
from skelray.skeletons import layout

KINECT = layout("kinect25")
MAE_FAMILY = ("skeletonmae", "mamp")


# ----- cells and targets


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


# ----- motion-aware masking


def keep_rates(tau: float, bodies: int = 20000) -> list[float]:
    """How often static, quarter-speed and fastest tokens of the mixture of MAMP stay visible."""
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


# ----- MAMP and SkeletonMAE


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

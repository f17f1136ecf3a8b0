"""Facts of the cost tables, each by name: tokens, parameters and FLOPs (what the papers print and the code counts)."""

import pytest

from skelray import masking, methods
from skelray.methods.amr import AMR, AMRConfig
from skelray.skeletons import layout

KINECT = layout("kinect25")
MAE_FAMILY = ("skeletonmae", "mamp")
SAME_ENCODER = (*MAE_FAMILY, "amr", "sjepa", "gfp", "macdiff")


@pytest.mark.parametrize("name", [*MAE_FAMILY, "sjepa"])
def test_750_tokens_74_visible_676_hidden_at_ratio_nine_tenths(costs, name):
    assert costs(name)["tokens"] == {"total": 750, "visible": [74], "hidden": [676], "targets": 750}


def test_amr_asks_125_queries_5_steps_by_25_joints(costs):
    assert costs("amr")["tokens"] == {"total": 750, "visible": [74], "hidden": [676], "targets": 125}


@pytest.mark.parametrize(("ratio", "expected"), [(0.80, 149), (0.85, 112), (0.90, 74), (0.95, 37)])
def test_kept_tokens_are_cut_in_floating_point(ratio, expected):
    assert masking.kept(750, ratio) == expected


def test_kept_tokens_rounded_are_75():
    assert masking.kept(750, 0.9, "round") == 75


@pytest.mark.parametrize("name", SAME_ENCODER)
def test_encoder_has_6_336_000_parameters(costs, name):
    assert costs(name)["parameters"]["encoder"] == 6_336_000


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
    assert costs("amr")["parameters"]["total"] == 10_409_288
    decoder = AMR(AMRConfig(), KINECT).decoder
    assert sum(p.numel() for p in decoder.parameters()) == 4_073_288


@pytest.mark.parametrize("name", SAME_ENCODER[:5])
def test_flops_of_the_encoder(costs, name):
    gflops = costs(name)["gflops"]
    assert gflops["encoder"] == pytest.approx(1.9612, abs=5e-5)
    assert gflops["inference"] == pytest.approx(28.0996, abs=5e-5)


@pytest.mark.parametrize("name", MAE_FAMILY)
def test_flops_of_mae_and_mamp(costs, name):
    gflops = costs(name)["gflops"]
    assert gflops["decoder"] == pytest.approx(17.5851, abs=5e-5)
    assert gflops["pretrain"] == pytest.approx(19.5463, abs=5e-5)
    assert gflops["linear"] == pytest.approx(13.6966, abs=5e-5)


def test_flops_of_mamp_with_the_short_decoder(costs):
    gflops = costs("mamp", decoder_depth=3)["gflops"]
    assert gflops["decoder"] == pytest.approx(10.5625, abs=5e-5)
    assert gflops["pretrain"] == pytest.approx(12.5237, abs=5e-5)


def test_flops_of_amr(costs):
    assert costs("amr")["gflops"]["pretrain"] == pytest.approx(3.917, abs=5e-4)
    assert costs("amr")["gflops"]["linear"] == pytest.approx(3.732, abs=1e-3)


@pytest.mark.parametrize(
    ("coarse", "everything", "linear"),
    [(1, 12.58, 11.92), (2, 7.38, 7.01), (3, 5.65, 5.37), (10, 3.22, 3.08), (30, 2.53, 2.42)],
)
def test_flops_of_amr_by_coarseness(costs, coarse, everything, linear):
    gflops = costs("amr", coarse=coarse)["gflops"]
    assert gflops["pretrain"] == pytest.approx(everything, abs=6e-3)
    assert gflops["linear"] == pytest.approx(linear, abs=6e-3)


def test_flops_of_amr_with_self_attention(costs):
    gflops = costs("amr", self_attention=True)["gflops"]
    assert gflops["pretrain"] == pytest.approx(4.73, abs=6e-3)
    assert gflops["linear"] == pytest.approx(4.39, abs=6e-3)


def within(published: float, share: float = 0.01):
    """Equal to a published figure to 1 % or so."""
    return pytest.approx(published, rel=share)


@pytest.mark.parametrize("name", methods.available())
def test_every_cost_is_within_one_per_cent_of_the_published_figure_or_explained(costs, name):
    ours = costs(name)["gflops"]
    for figure in costs(name)["published"]:
        assert ours[figure["what"]] == within(figure["gflops"]) or figure["difference"]


def test_mamp_costs_the_published_19_67(costs):
    assert costs("mamp")["gflops"]["pretrain"] == within(19.67)
    assert costs("mamp")["gflops"]["linear"] == within(13.7, 5e-4)


def test_gfp_costs_the_published_1_97_and_1_57_and_0_64(costs):
    gflops = costs("gfp")["gflops"]
    assert [gflops[part] for part in ("encoder", "decoder", "target")] == [within(1.97), within(1.57), within(0.64)]
    assert sum(gflops[part] for part in ("encoder", "decoder", "target")) == within(4.18)


def test_gfp_predicts_251_targets(costs):
    assert costs("gfp")["tokens"]["targets"] == 150 + 75 + 25 + 1


def test_flattened_windows_do_not_fit_the_target_network_that_gfp_publishes(costs):
    assert costs("gfp", tgn_window="flatten")["gflops"]["target"] == pytest.approx(0.69, abs=0.01)


def test_sjepa_costs_the_published_47_99(costs):
    gflops = costs("sjepa")["gflops"]
    assert gflops["pretrain"] == within(47.99)
    assert gflops["target"] == gflops["inference"] == within(28.32)
    assert gflops["linear"] == within(32.8)


def test_a_teacher_is_counted_once_and_all_else_three_times(costs):
    gflops, whole = costs("sjepa")["gflops"], costs("sjepa")["schedule"]
    assert whole["gflops"] == pytest.approx(3 * (gflops["pretrain"] - gflops["target"]) + gflops["target"])


@pytest.mark.parametrize(("name", "clip", "eflop"), [("gfp", 12.5, 0.20), ("mamp", 59.0, 0.95), ("sjepa", 87.3, 4.2)])
def test_whole_schedules_forward_and_backward(costs, name, clip, eflop):
    whole = costs(name)["schedule"]
    covariance = 3 * costs(name)["gflops"]["rest"]  # the loss of GFP, which its figures leave out
    assert whole["gflops"] - covariance == within(clip)
    assert whole["eflop"] * (1 - covariance / whole["gflops"]) == within(eflop, 0.02)


def test_whole_schedules_of_the_diffusion_methods_encode_one_body(costs):
    for name, pflop in (("macdiff", 565), ("umd", 525)):
        assert costs(name)["schedule"]["bodies"] == 1
        assert costs(name)["schedule"]["gflops"] * 400 * 40_091 / 1e6 == within(pflop)  # at 400 epochs


@pytest.mark.parametrize(("depth", "gflops", "size"), [(2, 4.307, 2_259_980), (5, 10.754, 5_618_444)])
def test_macdiff_by_decoder_depth_for_one_body(costs, depth, gflops, size):
    found = costs("macdiff", decoder_depth=depth)
    assert found["gflops"]["encoder"] / 2 == pytest.approx(0.994, abs=5e-4)
    assert found["gflops"]["decoder"] / 2 == pytest.approx(gflops, abs=6e-4)
    assert found["parameters"]["total"] - found["parameters"]["encoder"] == size


def test_macdiff_sees_75_tokens_and_its_decoder_is_92_per_cent(costs):
    gflops = costs("macdiff")["gflops"]
    assert costs("macdiff")["tokens"] == {"total": 750, "visible": [75], "hidden": [675], "targets": 750}
    assert gflops["pretrain"] / 2 == pytest.approx(11.749, abs=5e-3)
    assert gflops["decoder"] / gflops["pretrain"] == pytest.approx(0.92, abs=0.005)


def test_umd_for_one_body(costs):
    found = costs("umd")
    assert found["parameters"]["total"] == 14_648_600
    assert found["parameters"]["encoder"] == 9_757_952
    assert found["tokens"]["hidden"] == [338, 676]
    assert found["gflops"]["pretrain"] / 2 == within(10.92)  # half of the bodies noised, half clean


@pytest.mark.parametrize(
    ("ratio", "gflops"), [(0.9, 8.104), (0.75, 9.777), (0.45, 13.731), (0.375, 14.844), (0, 21.204)]
)
def test_umd_by_mask_ratio_for_one_body(costs, ratio, gflops):
    found = costs("umd", clean_share=0.0, noised_mask_ratio=ratio)
    assert found["gflops"]["pretrain"] / 2 == within(gflops, 0.005)


def test_slim_reads_205_tokens_and_never_fewer_when_masked(costs):
    assert costs("slim")["tokens"]["total"] == 200
    assert costs("slim")["tokens"]["visible"] == [205, 105, 55, 30]


def test_slim_is_4_8_times_cheaper_in_inference_and_not_7_89(costs):
    assert costs("slim")["gflops"]["inference"] / 2 == pytest.approx(2.940, abs=5e-3)
    ratio = costs("mamp")["gflops"]["inference"] / costs("slim")["gflops"]["inference"]
    assert ratio == within(4.8)
    assert ratio != within(7.89, 0.3)


def test_slim_parameters(costs):
    sizes = costs("slim")["parameters"]
    assert sizes["encoder"] == 6_368_768
    assert sizes["heads"] == 2 * 22_089_984
    assert sizes["trained"] == within(50.55e6, 1e-4)
    assert sizes["teacher"] == sizes["trained"]


def test_slim_trains_on_ten_views_of_one_body(costs):
    gflops, whole = costs("slim")["gflops"], costs("slim")["schedule"]
    assert gflops["encoder"] / 2 == within(12.4)
    assert gflops["target"] / 2 == within(5.9)
    assert (whole["clips"], whole["bodies"]) == (187_500 * 768, 1)
    assert whole["gflops"] == within(69, 0.03)
    assert whole["eflop"] == within(9.9, 0.03)

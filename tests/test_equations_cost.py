"""Facts of the cost tables, each by name: tokens, parameters and FLOPs (what the papers print and the code counts)."""

import pytest

from skelray import masking, methods
from skelray.cost import cost
from skelray.methods.amr import AMR, AMRConfig
from skelray.skeletons import layout

KINECT = layout("kinect25")
MAE_FAMILY = ("skeletonmae", "mamp")


@pytest.fixture(scope="module")
def costs() -> dict:
    return {name: cost(name) for name in ("skeletonmae", "mamp", "amr")}


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

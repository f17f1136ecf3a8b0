"""Facts of GFP, each by name: tokens, levels of its pyramid, parameters and FLOPs, and kernels that do not fit."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from chance import draw
from paper_gfp import KINECT, one_clip, paper
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skelray import masking
from skelray.layers import attention
from skelray.methods import gfp
from skelray.methods.gfp import GFP, GFPConfig
from skelray.rng import generator

# ----- tokens, targets, parameters, FLOPs


def size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def gflops_of(module: nn.Module, run: Callable[[], Any]) -> dict[str, float]:
    """Of matrix products by direct part of a module, and under "" of all; attention written out."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), attention.explicit(), counter:
        run()
    found = {name: sum(kinds.values()) / 1e9 for name, kinds in counter.get_flop_counts().items()}
    return {
        "": found["Global"],
        **{name: found.get(f"{type(module).__name__}.{name}", 0.0) for name, _ in module.named_children()},
    }


@pytest.fixture(scope="module")
def whole() -> GFP:
    """The method at the paper's size."""
    return GFP(GFPConfig(), KINECT).eval()


@pytest.fixture(scope="module")
def gflops(whole) -> dict[str, float]:
    return gflops_of(whole, lambda: whole(one_clip()))


def test_thirty_steps_750_tokens_74_visible_676_masked():
    method, seen = paper(), []
    method.decoder.fill.register_forward_hook(lambda module, inputs, output: seen.append(inputs[1].hidden.sum(1)))
    method(one_clip())
    assert method.cfg.encoder.steps == 30
    assert method.encoder.tokens == 750
    assert seen[0].tolist() == [676, 676]
    assert masking.kept(750, 0.9) == 74
    assert masking.kept(750, 0.9, "round") == 75


@pytest.mark.parametrize("decoder_input", ["cascade", "fresh"])
def test_251_targets_in_levels_of_150_75_25_and_1(decoder_input):
    method, x = paper(decoder_input=decoder_input), draw(2, 120, 25, 3)
    mask = masking.uniform(2, 750, 0.9, generator(0, "mask"))
    predicted, targets = method.decoder(method.encoder(x, mask), mask), method.target(method.cells(x, mask))
    assert [p.shape for p in predicted] == [t.shape for t in targets]
    counts = [level.shape[1] for level in targets]
    assert counts == [150, 75, 25, 1]
    assert sum(counts) == 251
    assert 750 / sum(counts) == pytest.approx(2.988, abs=5e-4)
    assert method.levels == ["5", "10", "30", "global"]


@pytest.mark.parametrize(
    ("decoder_input", "factors"),
    [("cascade", [(5, 1), (2, 1), (3, 1), (1, 25)]), ("fresh", [(5, 1), (10, 1), (30, 1), (30, 25)])],
)
def test_the_cascade_pools_by_5_2_3_and_then_25_joints(decoder_input, factors, monkeypatch):
    method, seen, plain = paper(decoder_input=decoder_input), [], gfp.pool

    def noted(grid, steps, joints):
        seen.append((grid.shape[1] // steps, grid.shape[2] // joints))
        return plain(grid, steps, joints)

    monkeypatch.setattr(gfp, "pool", noted)
    mask = masking.uniform(1, 750, 0.9, generator(0, "mask"))
    method.decoder(draw(1, 74, 8), mask)
    assert seen == factors


def test_no_block_of_the_decoder_sees_more_than_150_tokens():
    method, seen = paper(), []
    for level in method.decoder.levels:
        level.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[1]))
    method(one_clip())
    assert seen == [150, 75, 25, 1]


def test_parameters(whole):
    assert size(whole.encoder) == 6_336_000
    assert size(whole.encoder.body.blocks[0]) == 789_760
    assert size(whole.decoder.levels) / 1e6 == pytest.approx(3.2, abs=0.05)
    assert size(whole.decoder.projectors) / 1e6 == pytest.approx(10.9, abs=0.05)
    assert size(whole.target) / 1e6 == pytest.approx(28.4, abs=0.05)


def test_flops_of_decoder_and_target_network(gflops):
    assert gflops["encoder"] == pytest.approx(1.9612, abs=5e-5)
    assert gflops["decoder"] == pytest.approx(1.56, rel=0.01)
    assert gflops["target"] == pytest.approx(0.64, rel=0.01)


def test_training_sums_to_4_18_and_is_4_7_times_below_mamp(gflops):
    total = gflops["encoder"] + gflops["decoder"] + gflops["target"]
    assert total == pytest.approx(4.18, rel=0.01)
    assert 19.67 / total == pytest.approx(4.7, rel=0.01)  # MAMP's, in the convention of the published figures


def test_the_masked_encoder_is_14_38_times_cheaper(whole):
    x = draw(2, 120, 25, 3)
    mask = masking.uniform(2, 750, 0.9, generator(0, "mask"))
    full, masked = (gflops_of(whole.encoder, lambda m=m: whole.encoder(x, m))["body"] for m in (None, mask))
    assert full / masked == pytest.approx(14.38, rel=2e-3)


def test_flattened_windows_cost_0_691():
    target = GFP(GFPConfig(tgn_window="flatten"), KINECT).target.eval()
    assert gflops_of(target, lambda: target(draw(2, 750, 12)))[""] == pytest.approx(0.691, rel=0.01)


# ----- levels as the config has them


@pytest.mark.parametrize(
    ("frames", "patch", "windows"),
    [(120, 4, (5, 10, 30)), (48, 4, (2, 4, 12)), (8, 2, (4,)), (28, 4, (7,)), (4, 4, (1,))],
)
def test_kernels_are_a_sixth_a_third_and_all_of_the_steps_where_whole(frames, patch, windows):
    assert GFPConfig(encoder={"frames": frames, "patch": patch}).windows == windows


@pytest.mark.parametrize("settings", [{"without": n} for n in range(3)] + [{"kernels": (3, 6)}, {"kernels": ()}])
@pytest.mark.parametrize("global_level", [True, False])
@pytest.mark.parametrize("decoder_input", ["cascade", "fresh"])
def test_any_level_may_be_dropped(settings, global_level, decoder_input):
    if settings == {"kernels": ()} and not global_level:
        with pytest.raises(ValueError, match="no level is left to predict"):
            GFPConfig(global_level=False, **settings)
        return
    method = paper(global_level=global_level, decoder_input=decoder_input, **settings)
    losses = method(one_clip())
    assert sum(name.startswith("std_") for name in losses) == len(method.cfg.windows) + global_level
    assert torch.isfinite(losses["loss"])


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"kernels": (7,)}, "does not divide 30; the nearest that does is 6"),
        ({"kernels": (5, 12, 30)}, "kernel .in patch steps. 5 does not divide 12; the nearest that does is"),
        ({"kernels": (5, 10, 40)}, "kernel .in patch steps. 10 does not divide 40|40 does not divide 30; the nearest"),
        ({"kernels": (5, 5, 30)}, "each must be longer than the one before"),
        ({"kernels": (10, 5, 30)}, "do not rise: the shortest comes first"),
        ({"prediction_weight": 0, "covariance_weight": 0, "variance_weight": 0}, "are all 0: nothing is learned"),
        ({"without": 3}, "names no kernel of"),
        ({"kernels": (5, 10, 30), "encoder": {"frames": 48}}, "does not divide 12; the nearest that does is 12"),
    ],
)
def test_kernels_that_do_not_nest_are_refused_with_the_rule(settings, rule):
    with pytest.raises(ValueError, match=rule):
        GFPConfig(**settings)

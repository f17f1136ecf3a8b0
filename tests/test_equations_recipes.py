"""Facts across methods and of their schedules, each by name: recipes, costs beside each other, sampling steps."""

import pytest
import torch
from conftest import REPOSITORY
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from skelray import methods, noise
from skelray.layers import attention
from skelray.layers.transformer import Transformer
from skelray.optim import OptimConfig, learning_rate, weight_decay
from skelray.rng import generator
from skelray.sweep import config as sweep_config
from skelray.train import TrainConfig

NTU60 = 40_091  # training clips of X-Sub


def recipe(name: str) -> tuple[TrainConfig, OptimConfig, dict]:
    """The whole published recipe: what stands under `base` of the search space, over the defaults."""
    base = sweep_config.load(REPOSITORY / f"search_spaces/{name}.yaml").spaces[name].base
    parts = {part: {} for part in ("train", "optim", "method")}
    for key, value in base.items():
        part, _, field = key.partition(".")
        parts[part][field] = value
    return TrainConfig(**parts["train"]), OptimConfig(**parts["optim"]), parts["method"]


@pytest.mark.parametrize(
    ("name", "epochs", "batch", "warmup", "peak", "end", "betas", "clip"),
    [
        ("sjepa", 1200, 256, 20, 1e-3, 5e-4, (0.9, 0.95), None),
        ("gfp", 400, 128, 20, 1e-3, 5e-4, (0.9, 0.95), None),
        ("macdiff", 500, 128, 20, 1e-3, 1e-5, (0.9, 0.95), None),
        ("umd", 400, 128, 20, 1e-3, 1e-5, (0.9, 0.95), 1.0),
        ("slim", 150, 768, 20, 1.7321e-4, 1e-6, (0.9, 0.999), 3.0),
    ],
)
def test_the_recipe_warms_up_for_20_epochs_from_0_and_ends_at_the_floor(
    name, epochs, batch, warmup, peak, end, betas, clip
):
    train, optim, _ = recipe(name)
    assert (train.batch, optim.betas, optim.clip, optim.kind) == (batch, betas, clip, "adamw")
    assert train.steps(NTU60) == {"slim": 187_500}.get(name, epochs * (NTU60 // batch))
    assert learning_rate(0.0, optim) == 0
    assert learning_rate(warmup / 2 / epochs, optim) == pytest.approx(peak / 2, rel=1e-4)
    assert learning_rate(warmup / epochs, optim) == pytest.approx(peak, rel=1e-4)
    assert learning_rate(1.0, optim) == pytest.approx(end, rel=1e-3)
    decays = [weight_decay(progress, optim) for progress in (0.0, 0.5, 1.0)]
    assert decays == pytest.approx([0.04, 0.12, 0.2] if name == "slim" else [0.05] * 3)


@pytest.mark.parametrize("name", ["sjepa", "gfp", "macdiff", "umd", "slim"])
def test_what_the_recipe_says_of_the_method_is_its_default(name):
    """So that a method made without a sweep is the published one too."""
    config = methods.load(name).Config
    assert config(**recipe(name)[2]) == config()


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("sjepa", {"mask_ratio": 0.9, "masking": "motion", "tau_prediction": 0.1, "tau_target": 0.06}),
        ("sjepa", {"centre_rate": 0.9, "decoder_depth": 5, "rotation": 30, "flip": 0.5, "translation": 0.02}),
        ("gfp", {"mask_ratio": 0.9, "tau": 0.8, "local_hidden": 512, "global_hidden": 2048, "tgn_depth": 3}),
        ("gfp", {"all_kernels": (5, 10, 30), "prediction_weight": 5, "covariance_weight": 5, "variance_weight": 1}),
        ("macdiff", {"mask_ratio": 0.9, "masking": "uniform", "schedule": "inverse_cosine", "diffusion_steps": 1000}),
        ("macdiff", {"target": "eps", "loss_tokens": "masked", "condition_dropout": 0.1, "uniformity": 0.02}),
        ("macdiff", {"bodies": "first", "jitter": 0.005, "layer_mask": 0, "decoder_depth": 5, "step_weight": "none"}),
        ("umd", {"bodies": "first", "clean_share": 0.5, "mask_ratio": 0.9, "noised_mask_ratio": 0.45, "registers": 4}),
        ("umd", {"schedule": "cosine", "eps_weight": 1, "x0_weight": 1, "decoder_depth": 4, "adaln": True}),
        ("slim", {"bodies": "random", "tau_student": 0.1, "tau_teacher": (0.04, 0.07), "tau_warmup": 30 / 150}),
        ("slim", {"mask_ratio": (0.5, 0.9), "masked_share": 0.5, "mask_local": True, "masking": "stm"}),
        ("slim", {"clip_weight": 1, "token_weight": 1, "koleo_weight": 0.1, "sinkhorn_iterations": 3}),
        ("slim", {"prototypes": 65_536, "bottleneck": 256, "head_width": 2048, "head_depth": 3, "momentum": 0.994}),
    ],
)
def test_defaults_are_what_papers_and_code_state(name, stated):
    config = methods.load(name).Config()
    assert {field: getattr(config, field) for field in stated} == stated


def test_1200_epochs_of_sjepa_cost_4_44_times_mamps_400(costs):
    sjepa, mamp = costs("sjepa")["schedule"]["eflop"], costs("mamp", decoder_depth=5)["schedule"]["eflop"]
    assert sjepa / mamp == pytest.approx(4.44, rel=0.01)


def test_umd_costs_about_as_much_as_macdiff_at_either_pair_of_ratios(costs):
    pairs = {(0.9, 0.45): 10.92, (0.75, 0.375): 12.31}
    other = costs("macdiff")["gflops"]["pretrain"] / 2
    for (clean, noised), gflops in pairs.items():
        found = costs("umd", mask_ratio=clean, noised_mask_ratio=noised)["gflops"]["pretrain"] / 2
        assert found == pytest.approx(gflops, rel=0.003)  # a token fewer in each half than the rounded figure
        assert abs(found / other - 1) < 0.075


@pytest.mark.parametrize(
    ("depth", "tokens", "gflops"), [(8, 750, 28.090), (8, 74, 1.952), (8, 75, 1.980), (5, 750, 17.556)]
)
def test_flops_of_blocks_alone_for_two_bodies(depth, tokens, gflops):
    with torch.device("meta"):
        blocks: nn.Module = Transformer(256, depth, 8)
        x = torch.empty(2, tokens, 256)
    with torch.no_grad(), attention.explicit(), FlopCounterMode(display=False) as counter:
        blocks(x)
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, abs=6e-4)


def deviation(level: Tensor, times: list[int]) -> float:
    """Of what DDIM makes of unit white data with the Bayes-optimal denoiser."""
    one = torch.ones(1, dtype=torch.float64)
    return noise.ddim(lambda x_t, t: (1 - level[t]).sqrt() * x_t, one, level, times, generator(0, "none")).item()


@pytest.mark.parametrize(("name", "helps"), [("inverse_cosine", True), ("cosine", False), ("linear_beta", False)])
def test_steps_spread_evenly_in_log_snr_help_the_inverse_cosine_and_hurt_the_others(name, helps):
    level = noise.alpha_bar(name, 1000)
    ratio = noise.snr(level).log()
    wanted = torch.linspace(ratio[-1].item(), ratio[0].item(), 78, dtype=torch.float64)
    times = sorted({int((ratio - each).abs().argmin()) for each in wanted}, reverse=True)  # several fall on one step
    spread, even = deviation(level, times), deviation(level, noise.ddim_times(len(times), 1000))
    assert (spread > even) == helps
    if helps:
        assert (len(times), round(spread, 3)) == (47, 0.967)


def test_the_inverse_cosine_has_no_step_cleaner_than_a_log_snr_of_6_2():
    ends = {name: noise.snr(noise.alpha_bar(name, 1000))[0].log().item() for name in ("inverse_cosine", "cosine")}
    assert ends["inverse_cosine"] == pytest.approx(6.2, abs=0.05)
    assert ends["cosine"] > 10

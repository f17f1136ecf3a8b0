"""Facts of MacDiff, each by name: its sizes, its condition map, its modulation and its loss."""

import math
from dataclasses import replace

import pytest
import torch
from chance import draw
from conftest import tiny_batch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skelray import masking, noise
from skelray.layers import attention
from skelray.layers.modulation import Denoiser, Modulation, condition_map, sinusoid
from skelray.layers.patch import patchify
from skelray.methods.macdiff import MacDiff, MacDiffConfig, uniformity
from skelray.optim import OptimConfig
from skelray.rng import generator
from skelray.skeletons import layout
from skelray.train import TrainConfig, train

KINECT = layout("kinect25")
ENCODER = {"frames": 8, "patch": 2, "width": 16, "depth": 1, "heads": 2}


def build(skeleton, **settings) -> MacDiff:
    torch.manual_seed(0)
    return MacDiff(MacDiffConfig(**{"encoder": ENCODER, "mask_ratio": 0.75, "decoder_depth": 2, **settings}), skeleton)


def losses(method: MacDiff, seed: int = 0) -> dict[str, torch.Tensor]:
    return method(replace(tiny_batch(), generator=generator(seed, "loss")))


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("ratio", "visible"),
    [
        (0.0, 750),
        (0.375, 469),
        (0.45, 413),
        (0.5, 375),
        (0.7, 225),
        (0.75, 188),
        (0.8, 150),
        (0.85, 113),
        (0.9, 75),
        (0.95, 38),
    ],
)
def test_visible_tokens_are_rounded(ratio, visible):
    method = MacDiff(MacDiffConfig(mask_ratio=ratio, encoder={"width": 8, "depth": 1}, decoder_depth=1), KINECT)
    keep, hidden = method.mask(draw(2, 120, 25, 3), generator(0, "mask"))
    assert keep.shape == (2, visible)
    assert hidden.sum(1).tolist() == [750 - visible] * 2


def test_parameters_at_full_size():
    with torch.device("meta"):
        methods = {depth: MacDiff(MacDiffConfig(decoder_depth=depth), KINECT) for depth in (2, 3, 4, 5)}
    assert {depth: count(m.decoder) for depth, m in methods.items()} == {
        2: 2_259_980, 3: 3_379_468, 4: 4_498_956, 5: 5_618_444
    }  # fmt: skip
    assert count(methods[5].encoder) == 6_336_000
    assert count(methods[5].encoder.body.blocks[0]) == 789_760
    assert count(methods[5].decoder.blocks[0]) == 1_119_488
    assert count(methods[5].decoder.blocks[0].norm1) == 165_376
    assert (count(methods[5]), count(methods[3])) == (11_954_444, 9_715_468)


def test_flops_at_full_size():
    def gflops(module, *inputs) -> float:
        with torch.no_grad(), attention.explicit(), FlopCounterMode(display=False) as counter:
            module(*inputs)
        return counter.get_total_flops() / 1e9

    with torch.device("meta"):
        x, z, time = torch.empty(1, 120, 25, 3), torch.empty(1, 750, 256), torch.zeros(1, dtype=torch.long)
        method = MacDiff(MacDiffConfig(), KINECT)
        masks = [masking.Mask(torch.zeros(1, k, dtype=torch.long), torch.zeros(1, 750).bool()) for k in (75, 150, 375)]
        encoder = [gflops(method.encoder, x, mask) for mask in (*masks, None)]
        decoder = [gflops(Denoiser(method.cfg.encoder, KINECT, depth), x, time, z) for depth in (2, 3, 4, 5)]
        norm = gflops(method.decoder.blocks[0].norm1, z, torch.empty(1, 64), z)
    assert encoder == pytest.approx([0.994, 2.076, 5.875, 14.050], abs=5.1e-4)
    assert encoder[3] / encoder[0] == pytest.approx(14.13, abs=6e-3)
    assert decoder == pytest.approx([4.307, 6.456, 8.605, 10.754], abs=5.1e-4)
    assert encoder[0] + decoder[3] == pytest.approx(11.749, abs=5.1e-4)
    assert decoder[3] / (encoder[0] + decoder[3]) == pytest.approx(0.92, abs=6e-3)
    assert 2 * norm == pytest.approx(0.39, abs=6e-3)
    assert decoder[3] - decoder[2] == pytest.approx(2.15, abs=6e-3)


def test_what_ninety_percent_masking_leaves_of_a_joint_and_of_a_slot():
    seen = ~masking.uniform(4000, 750, 0.9, generator(0, "mask"), "round").hidden.unflatten(1, (30, 25))
    assert (~seen.any(1)).float().mean().item() == pytest.approx(0.040, abs=3e-3)  # joints without a visible token
    assert (~seen.any(2)).float().mean().item() == pytest.approx(0.069, abs=3e-3)  # slots of four frames


def test_the_condition_is_its_own_token_where_visible_and_the_mean_elsewhere():
    whole = draw(3, 20, 16)  # as if the encoder were the identity: each token at its own place
    mask = masking.uniform(3, 20, 0.75, generator(0, "mask"), "round")
    tokens = whole.gather(1, mask.keep[..., None].expand(-1, -1, 16))
    z = condition_map(tokens, mask, "local_global")
    assert torch.equal(z[~mask.hidden], whole[~mask.hidden])
    for body in range(3):
        hidden = z[body][mask.hidden[body]]
        torch.testing.assert_close(hidden, tokens[body].mean(0).expand(15, 16))
    torch.testing.assert_close(condition_map(tokens, mask, "global"), tokens.mean(1, keepdim=True).expand(3, 20, 16))
    assert not condition_map(tokens, mask, "none").any()


def test_condition_dropout_takes_whole_bodies_and_only_in_training(five_joints):
    method = build(five_joints, condition_dropout=0.1, layer_mask=0.15, decoder_depth=200)
    told, live = method.draw_dropout(4000, generator(0, "drop"))
    assert told.shape == (4000, 1, 1)  # one draw for all tokens and all layers of a body
    assert live.shape == (200, 2)  # one draw for each modulation, shared by the batch
    for drawn, rate in ((told, 0.1), (live, 0.15)):
        assert set(drawn.unique().tolist()) == {0.0, 1.0}
        error = math.sqrt(rate * (1 - rate) / drawn.numel())
        assert 1 - drawn.mean().item() == pytest.approx(rate, abs=3 * error)
    told, live = method.eval().draw_dropout(4000, generator(0, "drop"))
    assert told.min() == 1
    assert live is None


def test_the_layer_mask_zeroes_the_condition_of_single_modulations(five_joints):
    method, seen = build(five_joints), []
    for block in method.decoder.blocks:
        for norm in (block.norm1, block.norm2):
            norm.register_forward_hook(lambda module, inputs, output: seen.append(inputs[2].abs().sum().item() > 0))
    live = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    method.decoder(draw(2, 8, 5, 3), torch.zeros(2, dtype=torch.long), draw(2, 20, 16), live)
    assert seen == [True, False, False, True]


def test_modulation_has_time_inside_and_the_condition_outside_and_no_one_plus():
    norm = Modulation(16)
    h, z, time = draw(2, 5, 16), draw(2, 5, 16, seed=1), draw(2, 64, seed=2)
    scale_t, shift_t = norm.of_time(time).chunk(2, -1)
    scale_z, shift_z = norm.of_condition(z).chunk(2, -1)
    plain = (h - h.mean(-1, keepdim=True)) / (h.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(norm(h, time, z), scale_z * (scale_t[:, None] * plain + shift_t[:, None]) + shift_z)


def test_time_is_cosines_then_sines_of_the_raw_index():
    got = sinusoid(torch.tensor([0, 1, 999]), 64)
    frequency = 10_000 ** (-torch.arange(32) / 32)
    assert torch.equal(got[0], torch.tensor([1.0] * 32 + [0.0] * 32))
    torch.testing.assert_close(got[:, :32], torch.cos(torch.tensor([[0], [1], [999]]) * frequency), atol=1e-4, rtol=0)
    torch.testing.assert_close(got[:, 32:], torch.sin(torch.tensor([[0], [1], [999]]) * frequency), atol=1e-4, rtol=0)


def test_without_a_condition_every_block_starts_as_the_identity_and_wakes_up(five_joints):
    class Source:
        clips = 4

        def batch(self, step, size):
            return replace(tiny_batch(), generator=generator(0, "loss", step))

    def change(method) -> float:
        h, time, nothing = draw(2, 20, 16), sinusoid(torch.tensor([3, 700]), 64), torch.zeros(2, 20, 16)
        return max((block(h, time, nothing, nothing) - h).abs().max().item() for block in method.decoder.blocks)

    method = build(five_joints, condition_dropout=1.0)
    assert change(method) == 0
    train(method, Source(), TrainConfig(clips=32, batch=4, reports=1), OptimConfig(lr=1e-2, warmup=0), seed=0)
    assert change(method) > 1e-3


def test_uniformity_at_known_points():
    assert uniformity(draw(2, 1, 16).expand(-1, 75, -1)).item() == pytest.approx(1)
    assert uniformity(torch.eye(256)[None, :75]).item() == pytest.approx(1 / 75)  # orthogonal: its floor, 0.0133
    one, shared = draw(20, 75, 256), draw(20, 1, 256, seed=1)
    assert uniformity(one).item() == pytest.approx(0.0172, abs=2e-4)
    assert uniformity(draw(2, 750, 256)).item() == pytest.approx(0.0052, abs=1e-4)
    assert uniformity(one + shared).item() == pytest.approx(0.26, abs=0.01)
    assert uniformity(one + 3 * shared).item() == pytest.approx(0.81, abs=0.01)


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
def test_the_loss_of_a_perfect_denoiser_is_zero(five_joints, target):
    """Also: the target is cut into cells exactly as the prediction is."""
    method = build(five_joints, target=target, uniformity=0.0, loss_tokens="all")
    x0 = method.standard(tiny_batch().chosen("first").counted()).double()

    def perfect(x_t, step, z, live):
        level = method.levels[step][:, None, None, None]
        eps = noise.eps_of_x0(x_t.double(), x0, level)
        return patchify(noise.wanted(target, x0, eps, level), 2)

    method.decoder.forward = perfect
    assert losses(method)["loss"].item() < 1e-8


def test_guessing_nothing_about_eps_costs_one(five_joints):
    method = build(five_joints)
    method.decoder.forward = lambda x_t, step, z, live: torch.zeros(len(x_t), 20, 6)
    seen = [losses(method, seed)["denoising"].item() for seed in range(40)]
    assert sum(seen) / 40 == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("settings", "ignored"), [({}, True), ({"loss_tokens": "all"}, False), ({"mask_ratio": 0.0}, False)]
)
def test_the_loss_ignores_what_is_said_of_visible_tokens(five_joints, settings, ignored):
    """With nothing hidden, at mask ratio 0, every token counts."""
    method, said = build(five_joints, **settings), []
    method.decoder.register_forward_hook(lambda module, inputs, output: said.append(output) or output.retain_grad())
    hidden = method.mask(tiny_batch().chosen("first").counted(), generator(0, "loss")).hidden
    losses(method)["loss"].backward()
    touched = said[0].grad.abs().sum(-1) > 0
    assert touched[hidden].all()
    assert (~touched[~hidden]).all() == ignored
    assert touched.all() != ignored


def encoder_gradient(method: MacDiff, key: str = "loss") -> float:
    method.zero_grad()
    losses(method)[key].backward()
    return sum(p.grad.abs().sum().item() for p in method.encoder.parameters() if p.grad is not None)


def test_the_encoder_learns_through_the_condition_map_alone(five_joints):
    assert encoder_gradient(build(five_joints, condition_dropout=1.0, uniformity=0.0)) == 0
    assert encoder_gradient(build(five_joints, condition="none", uniformity=0.0)) == 0
    assert encoder_gradient(build(five_joints, condition_dropout=0.0, uniformity=0.0)) > 0
    assert encoder_gradient(build(five_joints, condition_dropout=1.0)) > 0  # through the uniformity term


def test_the_denoiser_sees_the_whole_noisy_clip_and_the_encoder_none_of_its_noise(five_joints):
    method, shapes = build(five_joints), []
    method.decoder.blocks[0].register_forward_hook(lambda module, inputs, output: shapes.append(inputs[0].shape))
    losses(method)
    assert shapes == [(4, 20, 16)]  # the first body of each of 4 clips, every token
    before = {"jitter": 0.0, "uniformity": 1.0}
    one, two = (build(five_joints, diffusion_steps=steps, **before) for steps in (10, 1000))
    assert torch.equal(losses(one)["uniformity"], losses(two)["uniformity"])


def test_step_weights_multiply_the_error_of_their_step(five_joints):
    plain, weighted = build(five_joints), build(five_joints, step_weight="min_snr")
    assert (plain.weights == 1).all()
    weighted.weights.fill_(0.25)
    torch.testing.assert_close(losses(weighted)["denoising"], 0.25 * losses(plain)["denoising"])

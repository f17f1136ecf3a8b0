"""Facts of UMD's network, each by name: adaLN-Zero, folding, registers, sizes, and sampling."""

import math

import pytest
import torch
from chance import draw
from torch.utils.flop_counter import FlopCounterMode

from skelray import masking, noise
from skelray.errors import BadInput
from skelray.layers import attention
from skelray.layers.adaln import AdaBlock, ConditionedTransformer, TimeEmbedding
from skelray.layers.patch import patchify
from skelray.layers.registers import RegisterEncoder
from skelray.layers.transformer import Block
from skelray.methods.umd import UMD, UMDConfig
from skelray.rng import generator
from skelray.skeletons import layout

KINECT = layout("kinect25")
ENCODER = {"frames": 8, "patch": 2, "width": 16, "depth": 2, "heads": 2}


def size(module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def wake(module, std: float = 0.1) -> None:
    """Modulations that are no longer zero, and affine parts that are no longer one and zero."""
    for name, weight in module.named_parameters():
        if any(part in name for part in ("modulation", "last", "norm", "bias")):
            torch.nn.init.normal_(weight, mean=float("norm" in name and "weight" in name), std=std)


@pytest.fixture
def toy(five_joints) -> UMD:
    torch.manual_seed(0)
    return UMD(UMDConfig(encoder=ENCODER, decoder_depth=1), five_joints).eval()


@pytest.mark.parametrize(
    ("settings", "total", "encoder"),
    [
        ({}, 14_648_600, 9_757_952),
        ({"decoder_depth": 5}, 15_833_112, 9_757_952),
        ({"adaln": False}, 9_779_992, 9_757_952 - 8 * 394_752),
    ],
)
def test_parameters_of_the_port(settings, total, encoder):
    with torch.device("meta"):
        method = UMD(UMDConfig(**settings), KINECT)
    assert (size(method), size(method.encoder)) == (total, encoder)


def test_adaln_adds_394_752_parameters_to_a_block_and_folding_takes_them_away():
    with torch.device("meta"):
        block = AdaBlock(256, 8)
        assert size(block) - size(block.plain) == 394_752
        assert sum(weight.numel() for weight in block.folded(torch.zeros(1, 256)).values()) == 789_760


@pytest.mark.parametrize(
    ("ratio", "gflops"), [(0.9, 8.104), (0.75, 9.777), (0.45, 13.731), (0.375, 14.844), (0.0, 21.204)]
)
def test_flops_of_one_body(ratio, gflops):
    """With K rounded up (75, 188, 413, 469, 750), where training cuts it down."""
    method = UMD(UMDConfig(), KINECT).to("meta")
    visible = math.ceil(round(750 * (1 - ratio), 9))
    mask = masking.Mask(
        torch.zeros(1, visible, dtype=torch.long, device="meta"), torch.zeros(1, 750, dtype=torch.bool, device="meta")
    )
    x, time = torch.zeros(1, 120, 25, 3, device="meta"), torch.zeros(1, device="meta")
    with torch.no_grad(), attention.explicit(), FlopCounterMode(display=False) as counter:
        method.predict(x, time, mask)
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, abs=6e-4)


def test_tokens_kept_are_cut_in_floating_point():
    assert [masking.kept(750, ratio) for ratio in (0.9, 0.45, 0.75, 0.375)] == [74, 412, 187, 468]


def test_blocks_start_as_the_identity_and_time_has_no_effect(toy):
    x, norm = draw(3, 8, 5, 3), torch.nn.LayerNorm(16)
    tokens = toy.encoder.embed(x)
    for time in (0.0, 500.0, 1000.0):
        condition = toy.encoder.time(torch.full((3,), time))
        assert torch.equal(toy.encoder(x, condition), norm(tokens))
        assert torch.equal(toy.decoder.body(tokens, condition), norm(tokens))
    assert torch.equal(toy.predict(x, torch.zeros(3))[0], toy.predict(x, torch.full((3,), 9.0))[0])


def test_without_adaln_time_is_a_token_that_every_block_reads_and_drops():
    torch.manual_seed(0)
    body, x = ConditionedTransformer(16, 2, 2, adaln=False), draw(3, 5, 16)
    conditions = draw(2, 3, 16)
    one, other = body(x, conditions[0]), body(x, conditions[1])
    assert one.shape == x.shape
    assert not torch.allclose(one, other)


def test_the_modulation_is_shift_scale_gate_for_attention_then_for_the_mlp():
    torch.manual_seed(0)
    block, x, condition = AdaBlock(16, 2), draw(3, 5, 16), draw(3, 16, seed=1)
    wake(block)
    a, b, c, d, e, f = block.modulation(condition)[:, None].split(16, dim=-1)
    plain = block.plain
    middle = x + c * plain.attention((1 + b) * plain.norm1(x) + a)
    expected = middle + f * plain.mlp((1 + e) * plain.norm2(middle) + d)
    torch.testing.assert_close(block(x, condition), expected)


def test_a_block_folded_at_one_condition_is_a_plain_block():
    torch.manual_seed(0)
    block, x, condition = AdaBlock(32, 4).double(), draw(3, 7, 32).double(), draw(1, 32, seed=1).double()
    wake(block, 0.5)
    plain = Block(32, 4).double()
    plain.load_state_dict(block.folded(condition))
    torch.testing.assert_close(plain(x), block(x, condition.expand(3, -1)), atol=1e-12, rtol=0)


def test_evaluation_is_time_0_folded_into_plain_blocks_to_2e_6():
    """At the paper's size: two complete bodies."""
    torch.manual_seed(0)
    method = UMD(UMDConfig(decoder_depth=1), KINECT).eval()
    wake(method, 0.02)
    method.encoder.standard.give((0.1, -0.2, 3.0), (0.02, 0.08, 0.03))
    x = 0.2 * draw(2, 120, 25, 3)
    plain = RegisterEncoder(method.cfg.encoder, KINECT, method.cfg.registers).eval()
    plain.load_state_dict(method.encoder.folded())
    with torch.no_grad():
        z = method.encoder(method.encoder.standard(x), method.encoder.time(torch.zeros(2)))
        assert torch.equal(method.pretrained(x), plain(x))
    assert size(plain.body) == 8 * 789_760 + 512
    assert (plain(x) - z[:, 4:]).abs().max() < 2e-6
    assert not torch.allclose(z, method.encoder(method.encoder.standard(x), method.encoder.time(torch.ones(2))))


def test_evaluation_lets_gradients_through_to_what_was_folded(toy):
    wake(toy)
    toy.pretrained(draw(2, 8, 5, 3)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in toy.encoder.parameters())


def test_time_is_sines_then_cosines_of_frequencies_from_1_to_1_in_10_000():
    seen, embedding = [], TimeEmbedding(256)
    embedding.layers.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    embedding(torch.tensor([0.0, 7.0, 1000.0]))
    assert torch.equal(seen[0][0], torch.cat([torch.zeros(128), torch.ones(128)]))
    for pair in (0, 1, 64, 127):
        angle = 7 * 10_000 ** (-pair / 127)
        torch.testing.assert_close(seen[0][1, [pair, 128 + pair]], torch.tensor([math.sin(angle), math.cos(angle)]))


@pytest.mark.parametrize(("spread", "equal"), [(0.0, True), (0.02, False)])
def test_registers_that_start_equal_never_part(five_joints, spread, equal):
    torch.manual_seed(0)
    method = UMD(UMDConfig(encoder=ENCODER, decoder_depth=1, register_spread=spread), five_joints)
    wake(method)
    _, eps = method.predict(draw(3, 8, 5, 3), torch.full((3,), 9.0))
    eps.square().sum().backward()
    grad = method.encoder.registers.grad
    assert grad.any()
    assert torch.allclose(grad, grad[:1].expand_as(grad), rtol=1e-4) is equal


@pytest.mark.parametrize(("steps", "first", "last"), [(125, [1000, 992, 984], 8), (1000, [1000, 999, 998], 1)])
def test_sampling_tells_1000_992_and_so_on_to_8_and_sees_every_token(five_joints, toy, monkeypatch, steps, first, last):
    """Steps 999, 991, ..., 7, each told as step + 1; the last ends without noise."""
    told = []

    def perfect(x_t, time, mask=None):
        told.append(int(time))
        level = toy.alpha_bar[told[-1] - 1]
        return None, patchify(noise.eps_of_x0(x_t, 0 * x_t + 0.5, level), 2)

    monkeypatch.setattr(toy, "predict", lambda x, time, mask=None: perfect(x, time) if mask is None else None)
    toy.encoder.standard.give((1.0, 2.0, 3.0), (4.0, 9.0, 16.0))
    sample = toy.generate(None, 2, generator(0, "sample"), steps=steps)
    assert (told[:3], told[-1], len(told)) == (first, last, steps)
    torch.testing.assert_close(sample, torch.tensor([2.0, 3.5, 5.0]).expand(2, 8, 5, 3), atol=1e-4, rtol=0)


def test_the_first_step_of_a_cosine_makes_253_of_an_error_of_eps_and_the_bound_stops_it(toy):
    level = toy.alpha_bar
    assert (level[991] / level[999]).sqrt().item() == pytest.approx(253, abs=1)
    free, bounded = (toy.generate(None, 2, generator(0, "sample"), bound=bound) for bound in (None, 5.0))
    assert bounded.abs().max() <= 5.0 + 1e-4 < 100 < free.abs().max()


def test_a_sample_is_a_function_of_the_generator(toy):
    one, same, other = (toy.generate(None, 2, generator(seed, "sample"), steps=5, bound=3.0) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)
    assert one.abs().max() <= 3.0 + 1e-4  # standard deviations: the last x0 is what is left


@pytest.mark.parametrize("given", [{"steps": 0}, {"steps": 1001}, {"guidance": 1.0}, {"x": torch.zeros(1, 8, 5, 3)}])
def test_sampling_refuses_what_it_cannot_do(toy, given):
    with pytest.raises(BadInput, match=r"umd generates from noise alone|do not lie within 1\.\.1000"):
        toy.generate(given.pop("x", None), 1, generator(0, "sample"), **given)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"eps_weight": 0, "x0_weight": 0}, "noise would teach nothing; 1 and 1 would do"),
        ({"encoder": {"width": 15, "heads": 5}}, "width 15 is odd; a time takes pairs: 16 would do"),
        ({"mask_ratio": 0}, "greater than 0"),
        ({"clean_share": 1.5}, "less than or equal to 1"),
        ({"schedule": "family", "schedule_tau": 1.8}, "less than 1.79"),
    ],
)
def test_what_cannot_work_is_refused_with_the_rule(settings, rule):
    with pytest.raises(ValueError, match=rule):
        UMDConfig(**settings)

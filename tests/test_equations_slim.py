"""Facts of SLiM, each by name: sizes, FLOPs, rotary time, losses, teacher and schedules."""

import math
from dataclasses import replace

import pytest
import torch
from cases import batch_for, build
from chance import draw
from conftest import REPOSITORY
from torch.utils.flop_counter import FlopCounterMode

from skelray.layers import attention
from skelray.layers.compact import CompactConfig, CompactEncoder
from skelray.layers.distil import Balance, agreement, token_agreement
from skelray.layers.ema import rising
from skelray.layers.prototypes import Prototypes
from skelray.layers.rotary import rotated, turns
from skelray.methods.slim import SLiM, SLiMConfig
from skelray.optim import groups
from skelray.rng import generator
from skelray.skeletons import layout
from skelray.sweep import config as sweep_config

KINECT = layout("kinect25")
SPACE = REPOSITORY / "search_spaces/slim.yaml"


@pytest.fixture(scope="module")
def full() -> SLiM:
    """At the paper's size, without its numbers."""
    with torch.device("meta"):
        return SLiM(SLiMConfig(), KINECT)


@pytest.fixture(scope="module")
def encoder() -> CompactEncoder:
    torch.manual_seed(0)
    made = CompactEncoder(CompactConfig(width=32, depth=2, heads=2), KINECT)
    torch.nn.init.normal_(made.mask_token)
    return made.eval()


def size(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(("frames", "tokens"), [(64, 205), (32, 105), (16, 55), (8, 30)])
def test_200_patch_tokens_with_class_token_and_registers_205_and_fewer_of_locals(encoder, frames, tokens):
    assert encoder(draw(2, frames, 25, 3)).shape == (2, tokens, 32)
    assert encoder.tokens == 200
    assert encoder.front == 5


def test_a_token_has_24_numbers(full):
    assert size(full.encoder.embedding) == 24 * 256 + 256 == 6_144 + 256


def test_parameters_of_encoder_block_and_swiglu(full):
    assert size(full.encoder) == 6_368_768
    assert size(full.encoder.body.blocks[0]) == 794_208
    assert full.encoder.body.blocks[0].mlp.leave.in_features == 688


def test_parameters_of_heads_and_of_all_that_is_trained(full):
    assert [size(head) for head in full.heads.heads] == [22_089_984, 22_089_984]
    trained = sum(weight.numel() for weight in full.parameters() if weight.requires_grad)
    assert trained == 6_368_768 + 2 * 22_089_984 == 50_548_736
    assert size(full.teacher) + size(full.teacher_heads) == trained
    with torch.device("meta"):
        assert len(SLiM(SLiMConfig(separate_heads=False), KINECT).heads.heads) == 1


@pytest.mark.parametrize(("frames", "gflops"), [(64, 2.940), (32, 1.420), (16, 0.721), (8, 0.387)])
def test_flops_of_one_body(full, frames, gflops):
    counter = FlopCounterMode(display=False)
    with attention.explicit(), counter, torch.no_grad():
        full.encoder(torch.empty(1, frames, 25, 3, device="meta"))
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, abs=6e-4)


def test_rotary_time_knows_distances_alone():
    query, key = draw(1, 2, 1, 32), draw(1, 2, 1, 32, seed=1)
    step = torch.arange(40.0)
    q, k = (rotated(x.expand(1, 2, 40, 32), *turns(step, 32)) for x in (query, key))
    score = q @ k.mT
    for distance in (0, 3, -7):
        same = score.diagonal(distance, 2, 3)
        torch.testing.assert_close(same, same[..., :1].expand_as(same), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(score[..., 0, 0], score[..., 0, 3])


def test_rotary_angles_turn_halves_with_base_10000():
    x = draw(1, 1, 1, 32)
    turned = rotated(x, *turns(torch.tensor([5.0]), 32))[0, 0, 0]
    for plane in (0, 3, 15):
        angle = torch.tensor(5.0 * 10_000 ** (-2 * plane / 32))
        a, b = x[0, 0, 0, plane], x[0, 0, 0, plane + 16]
        expected = torch.stack([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()])
        torch.testing.assert_close(turned[[plane, plane + 16]], expected)
    assert torch.equal(rotated(x, *turns(torch.zeros(1), 32)), x)  # class token and registers


def test_time_has_no_table_and_starts_again_in_every_crop(encoder):
    own = {name for name, _ in encoder.named_parameters(recurse=False)}
    assert own == {"class_token", "registers", "mask_token", "joint"}
    assert encoder.joint.shape == (1 + 25, 32)


def test_hidden_tokens_are_replaced_so_that_length_stays_and_content_goes(encoder):
    x, other = draw(2, 64, 25, 3), draw(2, 64, 25, 3, seed=1)
    hidden = torch.rand(2, 200, generator=generator(0, "hidden")) < 0.7
    swapped = torch.where(hidden.unflatten(1, (8, 25)).repeat_interleave(8, 1)[..., None], other, x)
    with torch.no_grad():
        seen = encoder(x, hidden)
        assert seen.shape == encoder(x).shape == (2, 205, 32)
        torch.testing.assert_close(encoder(swapped, hidden), seen)
        assert not torch.allclose(encoder(swapped), encoder(x))
        nothing = torch.zeros_like(hidden)
        assert torch.equal(encoder(x, nothing), encoder(x))  # masking nothing changes nothing
    first = seen[0, 5:][hidden[0]][:2]
    assert not torch.allclose(first[0], first[1])  # a hidden token knows its joint and its time


def test_18_terms_and_ln_of_the_prototypes_for_uniform_predictions():
    prototypes, bodies = 65_536, 2
    target = Balance("sinkhorn", prototypes, (0.04, 0.07), 0.2)(draw(2 * bodies, prototypes)).unflatten(0, (2, bodies))
    uniform = torch.zeros(10, bodies, prototypes)
    assert agreement(uniform, target, 0.1).item() == pytest.approx(math.log(65_536), rel=1e-5)
    assert math.log(65_536) == pytest.approx(11.09, abs=1e-3)
    pairs = [(view, teacher) for view in range(10) for teacher in range(2) if view != teacher]
    assert len(pairs) == 16 + 2
    views = draw(10, bodies, 50, seed=1)
    target = draw(2, bodies, 50, seed=2).softmax(-1)
    by_hand = [-(target[g] * (views[v] / 0.1).log_softmax(-1)).sum(-1).mean() for v, g in pairs]
    torch.testing.assert_close(agreement(views, target, 0.1), torch.stack(by_hand).mean())


def test_a_global_is_never_compared_with_itself():
    views, target = draw(2, 3, 20), draw(2, 3, 20, seed=1).softmax(-1)
    views.requires_grad_(True)
    before = agreement(views, target, 0.1)
    (grad,) = torch.autograd.grad(before, views)
    moved = torch.stack([target[0], target[1].roll(1, -1)])  # only the target of G2
    (other,) = torch.autograd.grad(agreement(views, moved, 0.1), views)
    assert torch.equal(grad[1], other[1])
    assert not torch.allclose(grad[0], other[0])


def test_token_loss_counts_unmasked_views_in_its_divisor():
    hidden = torch.zeros(4, 20, dtype=torch.bool)
    hidden[0, :5], hidden[2, 3:] = True, True
    target = draw(22, 64, seed=1).softmax(-1)
    loss = token_agreement(torch.zeros(22, 64), target, hidden, 0.1)
    assert loss.item() == pytest.approx(math.log(64) / 2, rel=1e-5)  # half of the globals are masked
    tokens = draw(22, 64)
    error = -(target * (tokens / 0.1).log_softmax(-1)).sum(-1)
    torch.testing.assert_close(token_agreement(tokens, target, hidden, 0.1), (error[:5].mean() + error[5:].mean()) / 4)


def test_rows_of_the_targets_sum_to_1_and_prototypes_are_used_alike():
    even = Balance("sinkhorn", 8, (0.04, 0.07), 0.2)
    scores = 0.1 * draw(400, 8) + 0.1 * torch.arange(8)  # the last ones are far ahead
    target = even(scores)
    torch.testing.assert_close(target.sum(1), torch.ones(400))
    torch.testing.assert_close(target.sum(0), torch.full((8,), 50.0), rtol=0.1, atol=0)
    assert (scores / 0.04).softmax(-1).sum(0).max() > 150
    centring = Balance("centring", 8, (0.04, 0.07), 0.2)
    scores = draw(400, 8)
    torch.testing.assert_close(centring(scores), (scores / 0.04).softmax(-1))  # the centre starts at 0
    torch.testing.assert_close(centring.centre, 0.1 * scores.mean(0))


def test_the_teachers_temperature_rises_to_iteration_37_500():
    even = Balance("sinkhorn", 8, (0.04, 0.07), 30 / 150)
    for iteration, tau in ((0, 0.04), (18_750, 0.055), (37_500, 0.07), (187_500, 0.07)):
        even.progress.fill_(iteration / 187_500)
        assert even.temperature.item() == pytest.approx(tau, abs=1e-6)


def test_prototypes_are_directions_with_a_gain():
    layer, rows = Prototypes(8, 5), torch.nn.functional.normalize(draw(3, 8), dim=-1)
    cosine = torch.nn.functional.cosine_similarity(rows[:, None], layer.weight, dim=-1)
    torch.testing.assert_close(layer(rows), cosine)
    with torch.no_grad():
        layer.weight *= 7
    torch.testing.assert_close(layer(rows), cosine)


def test_the_teacher_gets_whole_globals_and_no_gradient(five_joints):
    method, seen = build("slim", five_joints), []
    method.teacher.register_forward_hook(lambda module, inputs, output: seen.append(inputs))
    batch = batch_for(method)
    method(batch)["loss"].backward()
    ((x,),) = seen  # no mask
    assert torch.equal(x, torch.cat([batch.counted(view=0), batch.counted(view=1)]))
    frozen = [*method.teacher.parameters(), *method.teacher_heads.parameters()]
    assert all(weight.grad is None and not weight.requires_grad for weight in frozen)
    assert all(weight.grad is not None for weight in method.parameters() if weight.requires_grad)


def test_the_teacher_starts_equal_and_follows_with_a_rising_momentum(five_joints):
    method = build("slim", five_joints)
    start = {name: weight.clone() for name, weight in method.encoder.named_parameters()}
    assert all(torch.equal(weight, start[name]) for name, weight in method.teacher.named_parameters())
    with torch.no_grad():
        for weight in method.encoder.parameters():
            weight += 1
    method.after_step(1 / 1000, 1000)
    for name, weight in method.teacher.named_parameters():
        torch.testing.assert_close(weight - start[name], torch.full_like(weight, 1 - 0.994), atol=1e-6, rtol=1e-4)
    assert float(method.even_clips.progress) == pytest.approx(1 / 1000)


def test_losses_add_up_by_their_weights(five_joints):
    batch = batch_for(build("slim", five_joints))
    method = build("slim", five_joints, clip_weight=0.5, token_weight=2.0, koleo_weight=0.3)
    losses = method(replace(batch, generator=generator(0, "loss")))
    torch.testing.assert_close(losses["loss"], 0.5 * losses["clip"] + 2 * losses["token"] + 0.3 * losses["koleo"])


def test_patch_embedding_learns_slower_and_prototypes_wait_for_the_first_of_150_epochs(five_joints):
    method = build("slim", five_joints)
    names = [name for name, _ in method.named_parameters()]
    early, later = method.rates(0.0), method.rates(1 / 150)
    assert later == {"encoder.embedding.": 0.2}
    still = [name for name in names if any(name.startswith(prefix) for prefix in early if early[prefix] == 0)]
    assert still == [f"heads.heads.{n}.prototypes.{kind}" for n in (0, 1) for kind in ("weight", "gain")]
    assert any(name.startswith("encoder.embedding.") for name in names)


def test_the_recipe_is_187_500_steps_at_a_rate_after_the_root_of_the_batch():
    base = sweep_config.load(SPACE).spaces["slim"].base
    assert base["optim.lr"] == pytest.approx(2e-4 * math.sqrt(768 / 1024), rel=1e-4)
    assert base["optim.lr"] * base["optim.floor"] == pytest.approx(1e-6, rel=1e-4)
    assert base["train.clips"] == 187_500 * base["train.batch"] == 150 * 1_250 * 768
    lifetimes = sum(1 - rising(step / 187_500, base["method.momentum"]) for step in range(187_500))
    assert lifetimes == pytest.approx(562, abs=1)


def test_tables_decay_with_the_gain_of_the_prototypes(five_joints):
    method = build("slim", five_joints)
    optim = sweep_config.load(SPACE).trial("slim", {}).optim
    assert optim.decay_tables
    decayed = {id(weight) for group in groups(method, optim) if group["decays"] for weight in group["params"]}
    front = method.encoder.class_token, method.encoder.registers, method.encoder.mask_token, method.encoder.joint
    assert all(id(weight) in decayed for weight in front)
    assert id(method.heads.heads[0].prototypes.gain) in decayed

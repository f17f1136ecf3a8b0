"""Facts of SLiM, each by name: its whole loss by hand, its tubes counted, its teacher's heads, and fused FLOPs."""

import numpy as np
import pytest
import torch
from cases import batch_for, build
from chance import draw
from torch.utils.flop_counter import FlopCounterMode

from skelray import tubes
from skelray.layers.compact import CompactConfig, CompactEncoder
from skelray.methods.slim import SLiM
from skelray.optim import OptimConfig
from skelray.rng import generator
from skelray.skeletons import layout
from skelray.train import TrainConfig, train

KINECT = layout("kinect25")


def balanced(scores: torch.Tensor, tau: float) -> torch.Tensor:
    """Sinkhorn and Knopp as written down: three times every prototype, then every row, gets the same share."""
    share = (scores.double() / tau).exp()
    for _ in range(3):
        share = share / share.sum(0) / share.shape[1]
        share = share / share.sum(1, keepdim=True) / len(share)
    return share * len(share)


def cross_entropy(target: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    return -(target * (scores.double() / 0.1).log_softmax(-1)).sum(-1)


def test_the_loss_by_hand_same_place_for_tokens_other_global_for_classes_and_neighbours_of_each_global(five_joints):
    """Term by term from what the encoder and the heads gave: 7 bodies in 2 globals and 4 locals, half masked."""
    method, seen = build("slim", five_joints, tau_teacher=(0.5, 0.5)), {}
    method.encoder.register_forward_hook(lambda m, i, o: seen.setdefault("encoder", []).append((i[1], o)))
    method.heads.register_forward_hook(lambda m, i, o: seen.__setitem__("student", (i, o)))
    method.teacher_heads.register_forward_hook(lambda m, i, o: seen.__setitem__("teacher", o))
    losses = method(batch_for(method))
    (hidden, whole), (classes, _) = seen["encoder"][0], seen["student"][0]
    (clips, tokens), (known_clips, known_tokens) = seen["student"][1], seen["teacher"]

    assert torch.equal(classes, torch.cat([output[:, 0] for _, output in seen["encoder"]]))
    views, target = clips.unflatten(0, (6, 7)), balanced(known_clips, 0.5).unflatten(0, (2, 7))
    pairs = [(view, teacher) for view in range(6) for teacher in range(2) if view != teacher]
    by_hand = torch.stack([cross_entropy(target[teacher], views[view]).mean() for view, teacher in pairs])
    assert len(pairs) == 2 + 2 * 4
    assert losses["clip"].item() == pytest.approx(by_hand.mean().item(), rel=1e-4)

    assert hidden.any(1).sum() == 7  # half of the 14 global views
    wanted, place, token = balanced(known_tokens, 0.5), 0, 0.0
    for view in hidden:
        these = slice(place, place := place + int(view.sum()))
        if view.any():
            token += cross_entropy(wanted[these], tokens[these]).mean().item() / 14
    assert losses["token"].item() == pytest.approx(token, rel=1e-4)

    apart = 0.0
    for rows in whole[:, 0].detach().double().unflatten(0, (2, 7)):  # before the head, each global by itself
        rows = rows / rows.norm(dim=1, keepdim=True)
        distance = torch.cdist(rows, rows) + 9 * torch.eye(7)
        apart -= distance.amin(1).log().mean().item()
    assert losses["koleo"].item() == pytest.approx(apart, rel=1e-3)


def test_targets_of_tokens_come_from_the_same_view_and_place(five_joints):
    """Where the teacher is told apart at one token of one view, the target of that token alone changes."""
    method, seen = build("slim", five_joints), []
    hidden, marked = [], {}
    method.encoder.register_forward_hook(lambda m, i, o: hidden.append(i[1]))
    method.teacher_heads.register_forward_hook(lambda m, i, o: seen.append(i[1]))

    def mark(module, inputs, output):
        rows = hidden[0].nonzero()
        marked["at"] = len(rows) // 2
        view, token = rows[marked["at"]].tolist()
        output = output.clone()
        output[view, 5 + token] = 100.0
        return output

    method.teacher.register_forward_hook(mark)
    method(batch_for(method))
    assert (seen[0] == 100).all(1).nonzero()[:, 0].tolist() == [marked["at"]]


def test_heads_of_the_teacher_follow_as_its_encoder_does_and_nothing_moves_at_the_end(five_joints):
    method = build("slim", five_joints)
    pairs = [(method.teacher, method.encoder), (method.teacher_heads, method.heads)]
    with torch.no_grad():
        for weight in (*method.encoder.parameters(), *method.heads.parameters()):
            weight += 1
    for progress, share in ((1 / 1000, 1 - 0.994), (1.0, 0.0)):
        before = [[weight.clone() for weight in teacher.parameters()] for teacher, _ in pairs]
        method.after_step(progress, 1000)
        for old, (teacher, student) in zip(before, pairs, strict=True):
            for was, now, goal in zip(old, teacher.parameters(), student.parameters(), strict=True):
                torch.testing.assert_close(now - was, share * (goal - was), atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("name", ["sjepa", "slim"])
def test_in_a_training_the_teacher_follows_the_student_of_after_the_step_from_the_first_momentum_on(name, five_joints):
    """theta' moves by 1 - m(0) of the way to the weights that the optimiser has just made."""
    method, states = build(name, five_joints), []
    first = {"sjepa": 2 * 0.1 / 8, "slim": 0.006}[name]  # of 8 steps; lifetimes 0.1
    if name == "sjepa":
        method = build(name, five_joints, lifetimes=0.1)
    before = [weight.clone() for weight in method.teacher.parameters()]

    class Source:
        clips = 4

        def batch(self, step, size):
            if step == 1:
                states.append([[w.clone() for w in part.parameters()] for part in (method.teacher, method.encoder)])
            return batch_for(method, step)

    train(method, Source(), TrainConfig(clips=32, batch=4), OptimConfig(lr=1e-2, warmup=0), seed=0)
    moved = 0.0
    for was, now, goal in zip(before, *states[0], strict=True):
        torch.testing.assert_close(now - was, first * (goal - was), atol=1e-6, rtol=1e-3)
        moved += (now - was).abs().sum().item()
    assert moved > 0


def test_masking_nothing_with_teacher_equal_to_student_gives_identical_outputs(five_joints):
    method: SLiM = build("slim", five_joints)
    x, nothing = batch_for(method).counted(), torch.zeros(7, 20, dtype=torch.bool)
    seen, known = method.encoder(x, nothing), method.teacher(x)
    assert torch.equal(seen, known)
    one, two = (heads(out[:, 0], out[:, 5]) for heads, out in ((method.heads, seen), (method.teacher_heads, known)))
    assert all(map(torch.equal, one, two))


@pytest.mark.parametrize(("ratio", "number"), [(0.5, 7.8), (0.7, 11.0), (0.9, 15.6)])
def test_tubes_are_as_many_and_as_large_as_in_the_released_code(ratio, number, monkeypatch):
    """All proposals are seen; those that the rule accepts must give the mask that came out."""
    proposed, within, count = [], tubes._within, 20_000
    monkeypatch.setattr(tubes, "_within", lambda *given: proposed.append(within(*given)) or proposed[-1])
    groups = list(KINECT.parts.values())
    ratios = torch.full((count,), ratio, dtype=torch.float64)
    mask = tubes.semantic_tubes(ratios, 8, groups, generator(0, "tubes"))
    hidden, left, tries = np.zeros((count, 8, 25), bool), np.full(count, int(ratio * 200)), np.full(count, 10)
    long, wide = [], []
    for steps, joints in zip(proposed[::2], proposed[1::2], strict=True):
        going = (left > 0) & (tries > 0)
        tube = steps[:, :, None] & joints[:, None]
        new = (tube & ~hidden[going]).sum((1, 2))
        fits = (new >= 1) & (new <= np.minimum(left[going], 100))
        hidden[going] |= tube & fits[:, None, None]
        left[going] -= new * fits
        tries[going] = np.where(fits, 10, tries[going] - 1)
        long += steps[fits].sum(1).tolist()
        wide += joints[fits].sum(1).tolist()
    assert np.array_equal(hidden.reshape(count, 200), mask.numpy())
    assert len(long) / count == pytest.approx(number, abs=0.25)
    assert 5.45 <= np.mean(long) <= 5.9
    assert 3.05 <= np.mean(wide) <= 3.35
    assert 0.455 <= np.mean(np.array(long) == 8) <= 0.53  # tubes that span the whole clip


@pytest.mark.parametrize(("frames", "gflops"), [(64, 2.595), (32, 1.329), (16, 0.696), (8, 0.380)])
def test_flops_that_a_counter_sees_of_fused_attention_on_a_cpu(frames, gflops):
    encoder = CompactEncoder(CompactConfig(), KINECT)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder(draw(1, frames, 25, 3))
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, abs=6e-4)

"""Facts of S-JEPA, each by name: what its two branches see, and what becomes of it without its teacher."""

import math

import pytest
import torch
from cases import batch_for, build
from chance import draw

from skelray.batch import Batch
from skelray.errors import BadInput
from skelray.layers.encoder import gather
from skelray.layers.patch import patchify
from skelray.methods.sjepa import SJEPA, SJEPAConfig, transformed, trunk_ends
from skelray.optim import OptimConfig
from skelray.rng import generator
from skelray.skeletons import Skeleton, layout
from skelray.train import TrainConfig, train

NO_CHANGE = {"rotation": 0.0, "flip": 0.0, "translation": 0.0}


def turned_by(x: torch.Tensor, degrees: float, trunk=(0, 20)) -> torch.Tensor:
    """Kinect bodies turned about their trunk, and nothing else."""
    angle, still = torch.full_like(x[:, 0, 0, 0], math.radians(degrees)), torch.zeros(len(x)).bool()
    return transformed(x, layout("kinect25"), trunk, angle, still, torch.zeros_like(x[:, 0, 0]))


def bones(x: torch.Tensor) -> torch.Tensor:
    pairs = layout("kinect25").bones
    return (x[..., [a for a, _ in pairs], :] - x[..., [b for _, b in pairs], :]).norm(dim=-1)


# ----- the two branches


def test_the_target_branch_gets_the_complete_clip_itself_and_the_view_branch_a_copy(five_joints):
    method, inputs = build("sjepa", five_joints), {}
    method.teacher.register_forward_hook(lambda m, i, o: inputs.__setitem__("target", i))
    method.encoder.register_forward_hook(lambda m, i, o: inputs.__setitem__("view", i))
    batch = batch_for(method)
    method(batch)
    assert len(inputs["target"]) == 1  # no mask
    assert torch.equal(inputs["target"][0], batch.counted())
    assert inputs["view"][0].shape == batch.counted().shape
    assert not torch.allclose(inputs["view"][0], batch.counted(), atol=1e-3)


def test_without_any_transformation_both_branches_get_the_clip(five_joints):
    method = build("sjepa", five_joints, **NO_CHANGE)
    x = batch_for(method).counted()
    view, order = method.look(x, generator(0, "look"))
    torch.testing.assert_close(view, x, atol=1e-6, rtol=0)
    assert torch.equal(order, torch.arange(20).expand(7, -1))


def test_the_loader_crops_and_leaves_the_rest_to_the_loss():
    (view,) = SJEPAConfig().views
    assert (view.frames, view.crop, view.augment) == (120, (0.5, 1.0), ())


def test_the_mask_is_drawn_on_the_clip_before_it_is_turned(five_joints):
    masks = []
    for rotation in (0.0, 180.0):
        method = build("sjepa", five_joints, **{**NO_CHANGE, "rotation": rotation})
        method.decoder.register_forward_hook(lambda m, inputs, output: masks.append(inputs[1]))
        method(batch_for(method))
    assert torch.equal(masks[0].hidden, masks[1].hidden)


# ----- flips


def test_a_flipped_token_predicts_the_token_that_it_was(five_joints):
    """Token by token the view holds the clip's cells, left for right, with x negated; so does the target."""
    method = build("sjepa", five_joints, **{**NO_CHANGE, "flip": 1.0})
    x = batch_for(method).counted()
    view, order = method.look(x, generator(0, "look"))
    sign = torch.tensor([-1.0, 1, 1]).repeat(2)
    torch.testing.assert_close(patchify(view, 2), gather(patchify(x, 2), order) * sign, atol=1e-6, rtol=0)
    assert order[0, :10].tolist() == [0, 1, 3, 2, 4, 5, 6, 8, 7, 9]


def test_flipped_clips_gather_their_targets_at_swapped_joints(five_joints, monkeypatch):
    """A teacher that names its tokens: where the view hides joint 2, the loss asks for what it says of joint 3."""
    method, asked = build("sjepa", five_joints, **{**NO_CHANGE, "flip": 1.0}), {}
    names = torch.arange(20.0)[:, None].expand(20, 16)
    method.teacher.register_forward_hook(lambda m, i, o: names.expand_as(o))
    method.decoder.register_forward_hook(lambda m, inputs, o: asked.update(hidden=inputs[1].hidden))
    monkeypatch.setattr(
        "skelray.methods.sjepa.sharpened", lambda t, c, tau: asked.update(target=t) or torch.softmax(t, -1)
    )
    method(batch_for(method))
    place = torch.arange(20).expand(7, -1)[asked["hidden"]]
    swapped = place // 5 * 5 + torch.tensor([0, 1, 3, 2, 4])[place % 5]
    assert torch.equal(asked["target"][:, 0], swapped.float())


def test_what_moves_is_hidden_in_a_flipped_view_too(five_joints):
    """Only the left hand moves; in the mirror it is the right one, and that is what has to be predicted."""
    method = build("sjepa", five_joints, **{**NO_CHANGE, "flip": 1.0}, tau=0.01, mask_ratio=0.2)
    x = torch.zeros(3, 8, 5, 3)
    x[:, :, 2, 1] = torch.arange(8.0) / 10
    _, order = method.look(x, generator(0, "look"))
    hidden = method.mask(x, order, generator(0, "mask")).hidden.unflatten(1, (4, 5))
    assert hidden[:, :, 3].all()
    assert hidden.sum() == 3 * 4


def test_half_of_the_views_are_flipped():
    method = SJEPA(SJEPAConfig(encoder={"frames": 4, "width": 16, "depth": 1, "heads": 2}), layout("kinect25"))
    _, order = method.look(draw(4000, 4, 25, 3), generator(0, "look"))
    assert (order[:, 4] == 8).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_a_turn_keeps_every_bone_and_the_trunk():
    x = draw(3, 6, 25, 3).double()
    x[:, :, [0, 20]] = x[:, :1, [0, 20]]  # a trunk at rest is the axis itself
    y = turned_by(x, 77)
    torch.testing.assert_close(bones(y), bones(x))
    torch.testing.assert_close(y[:, :, [0, 20]], x[:, :, [0, 20]])
    axis = torch.nn.functional.normalize(x[:, :1, [20]] - x[:, :1, [0]], dim=-1)
    torch.testing.assert_close((y * axis).sum(-1), (x * axis).sum(-1))  # heights along the trunk
    torch.testing.assert_close(turned_by(x, 360), x)
    torch.testing.assert_close(turned_by(y, -77), x)


def test_the_ends_of_the_trunk_may_change_places():
    x = draw(3, 6, 25, 3).double()
    torch.testing.assert_close(turned_by(x, 30, (20, 0)), turned_by(x, -30))


def test_a_turn_does_not_care_where_the_body_stands():
    x, there = draw(3, 6, 25, 3).double(), torch.tensor([3.0, -1.0, 2.0]).double()
    torch.testing.assert_close(turned_by(x + there, 30), turned_by(x, 30) + there)


def test_an_empty_body_stays_empty_under_turn_and_flip(five_joints):
    method = build("sjepa", five_joints, **{**NO_CHANGE, "rotation": 180.0, "flip": 0.5})
    view, _ = method.look(torch.zeros(6, 8, 5, 3), generator(0, "look"))
    assert not view.any()


def test_angles_and_shifts_stay_in_their_ranges(five_joints):
    method = build("sjepa", five_joints, rotation=30.0, flip=0.0, translation=0.02)
    x = torch.zeros(4000, 8, 5, 3)
    x[:, :, 1, 1], x[:, :, 2, 0] = 1.0, 1.0  # an upright trunk and a hand beside it
    view, _ = method.look(x, generator(0, "look"))
    shift = view[:, 0, 0]
    assert shift.abs().max().item() == pytest.approx(0.02, abs=1e-4)
    hand = view[:, 0, 2] - shift
    angle = torch.rad2deg(torch.atan2(hand[:, 2], hand[:, 0]))
    assert angle.abs().max().item() == pytest.approx(30, abs=0.1)
    assert angle.std().item() == pytest.approx(30 / math.sqrt(3), rel=0.05)  # evenly drawn


@pytest.mark.parametrize(
    ("name", "ends"), [("kinect25", {"spine_base", "spine_shoulder"}), ("kinect20", {"hip_center", "shoulder_center"})]
)
def test_the_trunk_of_a_kinect_body_goes_from_pelvis_to_shoulders(name, ends):
    assert {layout(name).joints[end] for end in trunk_ends(layout(name))} == ends


def test_every_layout_has_a_trunk(five_joints):
    assert set(trunk_ends(five_joints)) == {0, 1}
    assert trunk_ends(five_joints, ("hip", "head")) == (0, 4)
    assert trunk_ends(Skeleton(name="dot", joints=("dot",), parents=(0,))) == (0, 0)


def test_a_trunk_that_is_none_is_refused(five_joints):
    with pytest.raises(BadInput, match="did you mean"):
        trunk_ends(five_joints, ("hips", "head"))
    with pytest.raises(BadInput, match="two ends"):
        trunk_ends(five_joints, ("hip", "hip"))


def test_what_a_layout_cannot_do_is_refused(five_joints):
    with pytest.raises(BadInput, match="rotation: 0"):
        build("sjepa", five_joints.model_copy(update={"channels": 2}))
    with pytest.raises(BadInput, match="flip: 0"):
        build("sjepa", five_joints.model_copy(update={"mirror": ()}))
    flat = build("sjepa", five_joints.model_copy(update={"channels": 2}), rotation=0.0)
    view, _ = flat.look(draw(3, 8, 5, 2), generator(0, "look"))
    assert view.shape == (3, 8, 5, 2)


# ----- without a teacher


class Waves:
    """Five joints that swing, each body in its own way."""

    clips = 256

    def __init__(self, seed: int):
        chance = generator(seed, "waves")
        pose, swing = 0.3 * torch.randn(5, 3, generator=chance), 0.2 * torch.randn(256, 1, 5, 3, generator=chance)
        phase = 2 * math.pi * torch.rand(256, 1, 1, 1, generator=chance)
        self.x = pose + swing * torch.sin(torch.linspace(0, 2 * math.pi, 8)[:, None, None] + phase)

    def batch(self, step: int, size: int) -> Batch:
        chance = generator(0, "step", step)
        clips = torch.randint(0, 256, (size,), generator=chance)
        return Batch([self.x[clips, None]], torch.ones(size, 1).bool(), torch.zeros(size).long(), chance)


def spread(method: SJEPA, x: torch.Tensor) -> float:
    """How far the tokens that evaluation gets lie apart: standard deviation over bodies and tokens."""
    with torch.no_grad():
        return method.pretrained(x).flatten(0, 1).std(0).mean().item()


def trained(skeleton: Skeleton, **settings) -> tuple[float, dict[str, float]]:
    """What is left of the spread after 400 steps, and the last losses."""
    encoder = {"frames": 8, "patch": 2, "width": 16, "depth": 1, "heads": 2}
    method, source, last = build("sjepa", skeleton, encoder=encoder, **settings), Waves(0), {}
    start = spread(method, source.x)
    cfg, optim = TrainConfig(clips=400 * 16, batch=16, reports=4), OptimConfig(lr=1e-2, warmup=0.1)
    train(method, source, cfg, optim, seed=0, report=lambda clips, metrics, state: last.update(metrics))
    return spread(method, source.x) / start, last


@pytest.mark.slow
def test_without_ema_the_targets_collapse_and_with_it_they_do_not(five_joints):
    """The tokens of all bodies become one, and a target says nothing that the mean of all targets does not say."""
    kept, losses = trained(five_joints)
    lost, collapsed = trained(five_joints, ema=False)
    assert lost < 0.1 < 0.15 < kept
    told = [last["train/mean_target_entropy"] - last["train/target_entropy"] for last in (losses, collapsed)]
    assert told[1] < 0.2 < told[0]


@pytest.mark.slow
def test_without_centring_every_target_is_the_same_channel(five_joints):
    _, losses = trained(five_joints, centre_rate=1.0)
    assert losses["train/mean_target_entropy"] < 0.1 < math.log(16)
    assert losses["train/loss"] < 0.1


@pytest.mark.parametrize(("settings", "follows"), [({"ema": False}, True), ({"lifetimes": 0.0}, False)])
def test_without_ema_the_teacher_is_the_student_and_without_lifetimes_it_never_moves(five_joints, settings, follows):
    method = build("sjepa", five_joints, **settings)
    before = method.encoder.embedding.project.weight.clone()
    with torch.no_grad():
        method.encoder.embedding.project.weight += 1
    method.after_step(0.5, 1000)
    assert torch.equal(method.teacher.embedding.project.weight, before + follows)

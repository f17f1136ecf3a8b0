"""Facts of SLiM's masks and views, each by name: semantic tubes, ratios, crops, and what is refused."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from cases import batch_for, build
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_store import tiny_store

from skelray import tubes
from skelray.data import loader
from skelray.errors import BadInput
from skelray.geometry import swapped
from skelray.methods.slim import SLiM, SLiMConfig
from skelray.rng import generator
from skelray.skeletons import layout

KINECT = layout("kinect25")
GROUPS = list(KINECT.parts.values())
KINDS = ("stm", "random", "joint", "part")


def drawn(ratio: float, steps: int = 8, count: int = 1500, smallest: float = 8.0, seed: int = 0) -> torch.Tensor:
    ratios = torch.full((count,), ratio, dtype=torch.float64)
    return tubes.semantic_tubes(ratios, steps, GROUPS, generator(seed, "tubes"), smallest).unflatten(1, (steps, 25))


def test_five_groups_partition_the_joints_in_the_order_of_their_neighbours():
    assert [len(group) for group in GROUPS] == [5, 6, 6, 4, 4]
    assert sorted(joint for group in GROUPS for joint in group) == list(range(25))
    assert list(GROUPS[0]) == [0, 1, 20, 2, 3]
    assert list(layout("kinect20").parts["trunk"]) == [0, 1, 2, 3]
    for trunk, name in ((GROUPS[0], "kinect25"), (layout("kinect20").parts["trunk"], "kinect20")):
        bones = {frozenset(bone) for bone in layout(name).bones}
        assert all(frozenset(pair) in bones for pair in pairwise(trunk))


def test_the_mirror_leaves_the_trunk_in_place_and_maps_groups_to_groups():
    other = swapped(KINECT)
    assert [joint for joint in range(25) if other[joint] == joint] == [0, 1, 2, 3, 20]
    assert {frozenset(other[joint] for joint in group) for group in GROUPS} == {frozenset(group) for group in GROUPS}


@pytest.mark.parametrize(("ratio", "mean", "within"), [(0.5, 0.499, 0.003), (0.7, 0.698, 0.004), (0.9, 0.89, 0.02)])
def test_tubes_realise_the_ratio(ratio, mean, within):
    shares = drawn(ratio).float().mean((1, 2))
    assert shares.mean().item() == pytest.approx(mean, abs=within)
    assert (shares <= ratio + 1e-6).all()


def test_the_first_tube_is_a_block_of_neighbours_in_one_group():
    """A budget of one tube: its joints follow each other in a group, its steps in time, all hidden alike."""
    hidden = drawn(8 / 200, count=400)
    single = [mask for mask in hidden if mask.any(0).sum() < 6]  # a tube of six leaves room for another
    assert len(single) > 200
    for mask in single:
        assert mask.any(0).sum() * mask.any(1).sum() == mask.sum() == 8
        joints, steps = mask.any(0).nonzero()[:, 0].tolist(), mask.any(1).nonzero()[:, 0]
        (group,) = [list(group) for group in GROUPS if set(joints) <= set(group)]
        places = sorted(group.index(joint) for joint in joints)
        assert places == list(range(places[0], places[0] + len(places)))
        assert (steps.diff() == 1).all()


def test_at_seven_tenths_many_joints_are_hidden_at_every_step():
    assert drawn(0.7).all(1).sum(1).float().mean().item() == pytest.approx(13, abs=1)


def test_on_one_step_the_budget_is_cut_12_of_25_joints_for_one_half():
    hidden = drawn(0.5, steps=1, smallest=1.0)
    assert hidden.flatten(1).sum(1).max() == int(25 * 0.5) == 12
    assert hidden.float().mean().item() == pytest.approx(12 / 25, abs=0.005)


@given(ratio=st.floats(0, 0.95), steps=st.integers(1, 8), seed=st.integers(0, 9), kind=st.sampled_from(KINDS))
@settings(max_examples=40, deadline=None)
def test_no_mask_hides_more_than_asked_and_the_generator_decides(ratio, steps, seed, kind):
    ratios = torch.tensor([ratio, 0.0, ratio], dtype=torch.float64)
    one, two = (tubes.hide(kind, ratios, steps, GROUPS, generator(seed, "hide")) for _ in range(2))
    assert torch.equal(one, two)
    assert one.shape == (3, steps * 25)
    assert (one.sum(1) <= int(ratio * steps * 25) + 1e-9).all()
    assert not one[1].any()


def test_other_masks_hide_tokens_joints_and_parts():
    ratio = torch.full((200,), 0.7, dtype=torch.float64)
    masks = {kind: tubes.hide(kind, ratio, 8, GROUPS, generator(0, "a")).unflatten(1, (8, 25)) for kind in KINDS}
    assert (masks["random"].sum((1, 2)) == 140).all()
    assert (masks["joint"].all(1).sum(1) == 17).all()
    whole = masks["part"]
    assert torch.equal(whole.any(1), whole.all(1))
    assert all(torch.equal(whole[:, 0, list(part)].any(1), whole[:, 0, list(part)].all(1)) for part in GROUPS)
    assert whole.float().mean().item() == pytest.approx(0.62, abs=0.08)


def test_ratios_are_stratified():
    ratio = tubes.stratified((0.5, 0.9), 8, generator(0, "a"))
    assert ((ratio >= 0.5 + 0.05 * torch.arange(8)) & (ratio <= 0.5 + 0.05 * torch.arange(1, 9))).all()
    mixed = tubes.stratified((0.5, 0.9), 8, generator(0, "a"), idle=8, shuffle=True)
    assert (mixed == 0).sum() == 8
    assert not torch.equal(mixed, mixed.sort().values)


def test_half_of_the_globals_and_all_locals_are_masked():
    with torch.device("meta"):
        method = SLiM(SLiMConfig(), KINECT)
    whole, local = (method.hidden(*asked, generator(0, "a")) for asked in ((64, 64, 0.5), (8, 64, 1.0)))
    assert (whole.shape, local.shape) == ((64, 200), (64, 25))
    assert whole.any(1).sum() == 32
    assert local.any(1).all()
    assert local[32:].float().mean() > 0.6 + local[:32].float().mean() - 0.5  # the first global's locals hide less


def test_ten_views_two_globals_and_eight_locals_within_them():
    views = SLiMConfig().views
    assert [view.frames for view in views] == [64, 64, 32, 32, 16, 16, 16, 16, 8, 8]
    assert [view.within for view in views] == [None, None, 0, 1, 0, 0, 1, 1, 0, 1]
    assert [view.crop_minimum for view in views] == [16, 16, 16, 16, 16, 16, 16, 16, 8, 8]
    shares = {64: (0.5, 1.0), 32: (0.35, 0.7), 16: (0.15, 0.4), 8: (0.05, 0.2)}  # longer views of longer crops
    assert [view.crop for view in views] == [shares[view.frames] for view in views]
    assert all(view.sample == "segments" and view.augment[:3] == ("mirror", "scale_bones", "rotate") for view in views)
    assert [view.strength["jitter"] for view in views] == [0.01, 0.05] + [0.01] * 8
    assert [view.chance["jitter"] for view in views] == [1.0, 0.1] + [0.5] * 8
    assert [view.chance.get("drop_axis", 0.0) for view in views] == [0.0, 0.2] + [0.0] * 8
    assert {(view.strength["scale_bones"], view.strength["rotate"]) for view in views} == {(0.15, (0.3, 0.3, 0.3))}
    assert {view.origin for view in views} == {1}  # SpineMid
    assert all(view.chance[name] == 0.5 for view in views for name in ("mirror", "scale_bones", "rotate"))


def test_without_locals_the_globals_still_teach_each_other(five_joints):
    method = build("slim", five_joints, local=())
    assert len(method.cfg.views) == 2
    assert torch.isfinite(method(batch_for(method))["loss"])


@pytest.mark.parametrize("more", [{"masking": "part"}, {"balance": "centring"}, {"mask_local": False}])
def test_ablations_have_a_loss(five_joints, more):
    method = build("slim", five_joints, **more)
    assert torch.isfinite(method(batch_for(method))["loss"])


def test_real_batches_serve_the_loss(tmp_path):
    pool = loader.Pool(tiny_store(tmp_path / "tiny.arrow"))
    cfg = SLiMConfig(encoder={"width": 16, "depth": 1, "heads": 2}, prototypes=64, head_width=16, bottleneck=8)
    torch.manual_seed(0)
    method = SLiM(cfg, pool.store.skeleton)
    losses = method(loader.Loader(pool, np.arange(50), cfg.views, seed=0).batch(0, 6))
    assert all(torch.isfinite(value) for value in losses.values())


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"local": ((30, 0.1, 0.5, 1),)}, "has 30 frames, and patch 8 does not divide 30; the nearest that does is"),
        ({"encoder": {"patch": 7}}, "patch 7 does not divide 64; the nearest that does is 8"),
        ({"local": ((32, 0.7, 0.35, 1),)}, r"local: \[0.7, 0.35\] is not a range within 0..1"),
        ({"tube_minimum": 20, "tube_maximum": 10}, "tube_minimum 20 is above tube_maximum 10"),
        ({"clip_weight": 0, "token_weight": 0, "koleo_weight": 0}, "all 0: nothing would be learned"),
        ({"mask_ratio": (0.5, 1.2)}, "not a range within 0..1"),
        ({"noise": (0.01, -0.05, 0.01)}, "greater than or equal to 0"),
        ({"encoder": {"width": 60, "heads": 4}}, "is odd, and rotary time turns pairs of channels"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_rule(more, rule):
    with pytest.raises(ValueError, match=rule):
        SLiMConfig(**more)


def test_prototypes_that_a_batch_cannot_fill_are_refused():
    SLiMConfig().refuse_batch(768)
    with pytest.raises(ValueError, match=r"65,536 prototypes are more than the 2 global views of 64 clips fill.*5,504"):
        SLiMConfig().refuse_batch(64)


def test_an_origin_that_is_no_joint_is_refused(five_joints):
    with pytest.raises(BadInput, match="origin 9 is no joint: the layout 'five' has 5"):
        build("slim", five_joints, origin=9)

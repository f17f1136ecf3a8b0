"""The joints of one layout found in another."""

import numpy as np
import pytest
import torch
from tiny_store import tiny_clips, tiny_store

from skelray.batch import View, test_view
from skelray.data import mapping, splits
from skelray.data.loader import Loader, Pool, fixed
from skelray.data.mapping import MappedPool
from skelray.data.quarantine import Quarantine
from skelray.errors import BadInput
from skelray.skeletons import Skeleton, layout, layouts

KINECT20, KINECT25, UTD20 = (layout(name) for name in ("kinect20", "kinect25", "utd20"))


def named(found: mapping.Mapping, origin: Skeleton) -> dict[str, str]:
    """Joint of the encoder -> joint of the store."""
    return {joint: origin.joints[place] for joint, place in zip(found.skeleton.joints, found.source, strict=True)}


def test_kinect_v1_is_seen_as_kinect_v2_joint_by_joint():
    found = mapping.between(KINECT20, KINECT25)
    for joint in (0, 1, 3, *range(4, 20)):
        assert found.source[joint] == joint
    assert found.source[20] == 2
    assert found.source[2] == 2  # the neck stands where the shoulders' centre is
    assert [KINECT25.joints[joint] for joint in found.filled] == [
        "hand_tip_left", "thumb_left", "hand_tip_right", "thumb_right",
    ]  # fmt: skip
    assert found.source[21:] == (7, 7, 11, 11)  # each a copy of its hand


def test_kinect_v2_is_seen_as_kinect_v1_with_nothing_to_fill():
    found = mapping.between(KINECT25, KINECT20)
    assert found.filled == ()
    assert found.source == (0, 1, 20, *range(3, 20))


def test_another_order_of_the_same_joints_is_found_by_their_names():
    found = mapping.between(UTD20, KINECT20)
    assert found.source == (3, 2, 1, 0, *range(4, 20))
    assert found.filled == ()
    back = mapping.between(KINECT20, UTD20)
    assert [found.source[place] for place in back.source] == list(range(20))


def test_one_layout_needs_no_mapping_whatever_it_is_called():
    assert mapping.between(KINECT20, KINECT20.model_copy(update={"name": "mine"})) is None


@pytest.mark.parametrize("one", layouts())
@pytest.mark.parametrize("other", layouts())
def test_every_joint_that_is_filled_is_a_copy_of_its_nearest_that_is_there(one, other):
    origin, target = layout(one), layout(other)
    try:
        found = mapping.between(origin, target)
    except BadInput:
        return
    if found is None:
        assert one == other
        return
    sourced = [joint for joint in range(len(target.joints)) if joint not in found.filled]
    for joint in found.filled:
        assert found.source[joint] in {found.source[each] for each in sourced}
    assert set(found.source) <= set(range(len(origin.joints)))


def test_flat_layouts_and_bodies_in_space_are_not_one_another():
    with pytest.raises(BadInput, match=r"joints of coco17 have 2 coordinates, those of kinect20 3"):
        mapping.between(layout("coco17"), KINECT20)


def test_too_few_joints_are_refused_with_their_names(five_joints):
    with pytest.raises(BadInput, match=r"2 of the 5 joints of five.*it has no hip, chest, top$"):
        mapping.between(
            KINECT20, five_joints.model_copy(update={"joints": ("hip", "chest", "hand_left", "hand_right", "top")})
        )


@pytest.fixture
def pool(tmp_path):
    opened = tiny_store(tmp_path / "a.arrow", tiny_clips())
    closed = Quarantine(opened, "xview")
    return MappedPool(mapping.between(KINECT20, KINECT25), opened, quarantine=closed)


def test_a_store_is_shown_in_the_layout_of_an_encoder(pool):
    selection = splits.select(pool.store, "xview", 2, seed=0)
    plain = Pool(pool.store)
    for mapped, whole in zip(*(fixed(each, selection.val, test_view(8), 7) for each in (pool, plain)), strict=True):
        x, y = mapped.views[0], whole.views[0]
        assert x.shape == (*y.shape[:3], 25, 3)
        assert x[..., :20, :].equal(y)
        assert x[..., 20, :].equal(y[..., 2, :])
        assert x[..., 24, :].equal(y[..., 11, :])
        assert mapped.present.equal(whole.present)
        assert not x[~mapped.present].any()


def test_a_training_view_is_mirrored_and_placed_as_the_encoders_layout_says(pool):
    clips = np.flatnonzero(pool.store.camera == 1)
    views = (
        View(frames=8, augment=("mirror",), chance={"mirror": 1.0}, origin=20),
        View(frames=8, augment=(), origin=2),
    )
    batch = Loader(pool, clips, views, seed=0).batch(0, 4)
    assert batch.views[0].shape[3] == 25
    assert batch.views[0][..., 21, :].equal(batch.views[0][..., 7, :])  # the left tip is at the left hand
    starts = batch.views[1][:, :, 0, 2]
    assert torch.allclose(starts[batch.present], starts[:, :1].expand_as(starts)[batch.present], atol=2e-1)


def test_bones_follow_the_encoders_tree(tmp_path):
    opened = tiny_store(tmp_path / "a.arrow", tiny_clips())
    found = mapping.between(KINECT20, KINECT25)
    x = next(fixed(MappedPool(found, opened, stream="bone"), np.arange(3), test_view(8), 3)).views[0]
    joints = next(fixed(MappedPool(found, opened), np.arange(3), test_view(8), 3)).views[0]
    assert x.equal(joints - joints[..., list(KINECT25.parents), :])
    assert not x[..., 21:, :].any()  # a joint that is a copy of its parent has no bone


def test_zeros_are_an_option():
    found = mapping.between(KINECT20, KINECT25, fill="zeros")
    x = found.apply(torch.ones(1, 1, 2, 20, 3))
    assert x[..., :21, :].eq(1).all()
    assert x[..., 21:, :].eq(0).all()


def test_test_clips_stay_closed(pool):
    with pytest.raises(BadInput, match="cannot be read"):
        list(fixed(pool, np.flatnonzero(pool.store.camera == 3), test_view(8), 64))

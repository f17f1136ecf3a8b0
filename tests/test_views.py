"""Several views of a clip: one within another, frames sampled by segments, bodies shifted to an origin, augmented."""

import numpy as np
import pytest
import torch
from tiny_store import tiny_clips, tiny_store

from skelray.batch import Batch, View
from skelray.data import loader
from skelray.errors import BadInput
from skelray.rng import generator

PLAIN = {"augment": (), "crop_minimum": 1}
SLIM = {
    "augment": ("mirror", "scale_bones", "rotate", "jitter", "drop_axis"),
    "strength": {"rotate": (0.3, 0.1, 0.3), "jitter": 0.05},
    "chance": {"rotate": 0.5, "jitter": 0.5},
}


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return loader.Pool(tiny_store(tmp_path_factory.mktemp("stores") / "tiny.arrow"))


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    """Clips whose every coordinate is the number of the frame, so that a batch tells which frames it holds."""
    clips = tiny_clips()
    for clip in clips:
        clip.joints[:] = np.arange(clip.joints.shape[1])[:, None, None]
    return loader.Pool(tiny_store(tmp_path_factory.mktemp("stores") / "clock.arrow", clips))


def batch_of(pool, *views, size=48, **more):
    return loader.Loader(pool, np.arange(50), views, seed=0, **more).batch(0, size)


def test_a_view_within_another_lies_in_its_span_and_has_its_share_of_it(clock):
    outer = View(frames=200, crop=(0.5, 1.0), **PLAIN)
    inner = View(frames=200, crop=(0.3, 0.6), within=0, **PLAIN)
    batch = batch_of(clock, outer, inner)
    (low, high), (first, last) = ((view[:, 0, [0, -1], 0, 0]).T for view in batch.views)
    assert (first >= low).all()
    assert (last <= high).all()
    share = (last - first + 1) / (high - low + 1)
    assert (share <= 0.6 + 1e-4).all()
    assert (share >= 0.3 - 1 / (high - low + 1)).all()
    assert len(set(((first - low) / (high - low).clamp(min=1)).tolist())) > 20


def test_a_view_within_a_later_one_is_refused(pool):
    with pytest.raises(ValueError, match="view 0 lies within view 0, which does not come before it"):
        batch_of(pool, View(within=0))


@pytest.mark.parametrize("length", [16, 20, 31, 32, 33, 90])
def test_segments_are_whole_frames_in_order(length):
    place = loader.segments(torch.full((4000,), length), 16, generator(0, "segments"))
    assert torch.equal(place, place.round())
    assert (place.diff(dim=1) > 0).all()
    assert (place >= 0).all()
    assert (place < length).all()
    seen = torch.bincount(place.long().flatten(), minlength=length) / 4000
    torch.testing.assert_close(seen, torch.full((length,), 16 / length), atol=0.16 if length > 32 else 0.05, rtol=0)


def test_from_twice_the_frames_on_each_segment_gives_one():
    place = loader.segments(torch.full((500,), 40), 16, generator(0, "segments"))
    segment = torch.searchsorted(torch.arange(17) * 40 // 16, place.long(), right=True) - 1
    assert torch.equal(segment, torch.arange(16).expand(500, 16))


def test_a_crop_shorter_than_the_view_is_interpolated():
    length = torch.tensor([3, 15, 16])
    place = loader.segments(length, 16, generator(0, "segments"))
    assert torch.equal(place[:2], loader.evenly(length, 16)[:2])
    assert torch.equal(place[2], torch.arange(16.0))


def test_sampled_views_hold_stored_frames(clock):
    batch = batch_of(clock, View(frames=4, sample="segments", **PLAIN))
    long = batch.views[0][:, 0, :, 0, 0]
    whole = (long == long.round()).all(1)
    assert whole.sum() > 40  # the others are shorter than four frames
    assert (long[whole].diff(dim=1) > 0).all()


def test_each_body_is_moved_to_where_the_first_body_starts(pool):
    plain, shifted = (View(frames=9, crop=(1.0, 1.0), origin=origin, **PLAIN) for origin in (None, 1))
    batch = loader.Loader(pool, np.arange(pool.store.clips), [plain, shifted], seed=3).batch(0, pool.store.clips)
    order = torch.randperm(pool.store.clips, generator=generator(3, "order", 0))
    for place, clip in enumerate(order.tolist()):
        courses = torch.tensor(pool.store.joints(clip))
        for body, course in enumerate(courses):
            expected = batch.views[0][place, body] - course[0, 1] + courses[0, 0, 1]
            torch.testing.assert_close(batch.views[1][place, body], expected, atol=1e-5, rtol=1e-5)
    assert not batch.views[1][~batch.present].any()


def test_an_origin_that_is_no_joint_is_refused(pool):
    with pytest.raises(BadInput, match="origin 20 is no joint of the 20 of the data"):
        batch_of(pool, View(origin=20))


def test_strength_and_chance_belong_to_an_augmentation_of_the_view():
    with pytest.raises(ValueError, match="'jitter' is not there"):
        View(augment=("rotate",), strength={"jitter": 0.1})


def test_augmented_bodies_that_are_absent_stay_zeros(pool):
    batch = batch_of(pool, View(frames=8, **SLIM), View(frames=8, within=0, sample="segments", origin=1, **SLIM))
    assert (~batch.present).any()
    assert not any(view[~batch.present].any() for view in batch.views)


@pytest.mark.parametrize("world", [2, 4])
def test_workers_share_what_is_drawn_for_every_augmentation(pool, world):
    views = [View(frames=8, **SLIM), View(frames=8, within=0, sample="segments", origin=1, **SLIM)]
    whole = batch_of(pool, *views)
    parts = [batch_of(pool, *views, rank=rank, world=world) for rank in range(world)]
    for number, view in enumerate(whole.views):
        torch.testing.assert_close(torch.cat([part.views[number] for part in parts]), view, atol=1e-6, rtol=1e-5)


def test_a_body_drawn_by_chance_is_the_same_in_every_view_and_one_that_is_there():
    present = torch.tensor([[True, True], [True, False], [False, True]]).repeat(200, 1)
    number = torch.tensor([1.0, 2.0]) * present  # each body's every coordinate is its number, 0 where it is absent
    views = [number[:, :, None, None, None].expand(-1, -1, frames, 5, 3) for frames in (8, 4, 2)]
    batch = Batch(views, present, torch.zeros(600, dtype=torch.long), generator(0, "body"))
    one = batch.chosen("random")
    looks = [one.counted(view=view)[:, 0, 0, 0] for view in range(3)]
    assert torch.equal(looks[0], looks[1])
    assert torch.equal(looks[0], looks[2])
    both, first, second = looks[0].view(200, 3).T
    assert (first == 1).all()
    assert (second == 2).all()
    assert 0.4 < (both == 1).float().mean() < 0.6

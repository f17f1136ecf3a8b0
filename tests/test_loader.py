"""Batches: pure functions of the step, the same whatever the number of workers, resampled as torch does it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_store import CLASSES, tiny_clips, tiny_store
from torch.nn import functional

from skelray import skeletons
from skelray.batch import View, test_view
from skelray.data import loader, store
from skelray.errors import BadInput
from skelray.rng import generator

VIEWS = [View(frames=12), View(frames=8, crop=(0.3, 0.6), crop_minimum=4, augment=())]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return loader.Pool(tiny_store(tmp_path_factory.mktemp("stores") / "tiny.arrow"))


def train_loader(pool, rank=0, world=1, seed=0):
    return loader.Loader(pool, np.arange(0, 50), VIEWS, seed=seed, rank=rank, world=world)


@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=6), frames=st.integers(1, 130))
@settings(max_examples=60, deadline=None)
def test_resample_equals_interpolate(lengths, frames):
    rows = torch.randn(sum(lengths), 6, generator=generator(0, "rows"))
    first = torch.tensor([0, *lengths[:-1]]).cumsum(0)
    present = torch.ones(len(lengths), dtype=torch.bool)
    x = loader.resample(rows, first, torch.tensor(lengths), present, frames)
    for one, piece in zip(x, rows.split(lengths), strict=True):
        expected = functional.interpolate(piece.T[None], size=frames, mode="linear", align_corners=False)[0].T
        torch.testing.assert_close(one, expected, atol=2e-5, rtol=1e-5)


def test_resample_to_the_same_length_changes_nothing_and_absent_bodies_are_zeros():
    rows = torch.randn(10, 6)
    x = loader.resample(rows, torch.tensor([0, 3]), torch.tensor([7, 7]), torch.tensor([True, False]), 7)
    torch.testing.assert_close(x[0], rows[:7])
    assert not x[1].any()


@given(
    frames=st.lists(st.integers(1, 300), min_size=1, max_size=20), minimum=st.integers(1, 100), seed=st.integers(0, 99)
)
@settings(max_examples=60, deadline=None)
def test_crops_lie_within_the_clip_and_short_clips_are_kept_whole(frames, minimum, seed):
    frames = torch.tensor(frames)
    start, length = loader.crop(frames, View(crop=(0.5, 1.0), crop_minimum=minimum), generator(seed, "crop"))
    assert (start >= 0).all()
    assert (start + length <= frames).all()
    short = frames <= minimum
    assert torch.equal(length[short], frames[short])
    assert (length >= torch.minimum(frames, torch.tensor(minimum))).all()
    assert (length >= frames // 2).all()


def test_crops_use_every_length_and_place_that_is_allowed():
    start, length = loader.crop(torch.full((20_000,), 10), View(crop_minimum=2), generator(0, "crop"))
    assert set(length.tolist()) == {5, 6, 7, 8, 9}
    for one in (5, 9):
        places = torch.bincount(start[length == one]) / (length == one).sum()
        torch.testing.assert_close(places, torch.full((11 - one,), 1 / (11 - one)), atol=0.03, rtol=0)


def test_the_test_view_drops_whole_frames_on_both_sides():
    frames = torch.arange(1, 301)
    start, length = loader.crop(frames, test_view(48), generator(0, "never used"))
    expected = torch.tensor([int((1 - 0.95) * n / 2) for n in range(1, 301)])
    assert torch.equal(start, expected)
    assert torch.equal(length, frames - 2 * expected)
    assert (start[39].item(), start[119].item(), start[38].item()) == (1, 3, 0)


def test_a_batch_holds_the_stored_coordinates(pool):
    view = View(frames=9, crop=(1.0, 1.0), augment=())
    batch = loader.Loader(pool, np.arange(pool.store.clips), [view], seed=3).batch(0, pool.store.clips)
    order = torch.randperm(pool.store.clips, generator=generator(3, "order", 0))
    for place, clip in enumerate(order.tolist()):
        joints = torch.tensor(pool.store.joints(clip))
        for body, course in enumerate(joints):
            flat = course.flatten(1).T[None]
            expected = functional.interpolate(flat, size=9, mode="linear")[0].T.view(9, 20, 3)
            torch.testing.assert_close(batch.views[0][place, body], expected, atol=1e-5, rtol=1e-5)
        assert batch.label[place] == pool.store.label[clip]
        assert batch.present[place].tolist() == [True, len(joints) == 2]
        assert not batch.views[0][place, len(joints) :].any()


def same(a, b):
    pairs = [*zip(a.views, b.views, strict=True), (a.present, b.present), (a.label, b.label)]
    return all(torch.equal(x, y) for x, y in pairs) and torch.equal(a.generator.get_state(), b.generator.get_state())


def test_a_batch_is_a_function_of_seed_and_step_alone(pool):
    forward, backward = train_loader(pool), train_loader(pool)
    one = [forward.batch(step, 8) for step in range(14)]
    other = [backward.batch(step, 8) for step in reversed(range(14))]
    assert all(same(a, b) for a, b in zip(one, reversed(other), strict=True))
    assert not same(one[0], train_loader(pool, seed=1).batch(0, 8))
    assert len({batch.generator.initial_seed() for batch in one}) == 14


@pytest.mark.parametrize("world", [2, 4])
def test_workers_share_the_batch_that_one_would_see(pool, world):
    for step in (0, 3, 9):
        whole = train_loader(pool).batch(step, 8)
        parts = [train_loader(pool, rank, world).batch(step, 8) for rank in range(world)]
        for number, view in enumerate(whole.views):
            torch.testing.assert_close(torch.cat([part.views[number] for part in parts]), view, atol=1e-6, rtol=1e-5)
        assert torch.equal(torch.cat([part.present for part in parts]), whole.present)
        assert torch.equal(torch.cat([part.label for part in parts]), whole.label)
        assert len({part.generator.initial_seed() for part in parts}) == world


def test_an_epoch_shows_each_clip_at_most_once_and_every_epoch_in_another_order(pool):
    source = train_loader(pool)
    assert source.clips == 50
    orders = []
    for epoch in range(3):
        source.batch(epoch * 6, 8)
        orders.append(source._order.tolist())
        assert sorted(orders[-1]) == list(range(50))
    assert orders[0] != orders[1] != orders[2]


def test_views_of_a_batch_are_drawn_apart(pool):
    twice = loader.Loader(pool, np.arange(50), [View(frames=12), View(frames=12)], seed=0).batch(0, 8)
    assert not torch.allclose(twice.views[0], twice.views[1])


def test_a_batch_that_cannot_be_made_is_refused(pool):
    with pytest.raises(BadInput, match=r"train\.batch is 51, but there are only 50 clips"):
        train_loader(pool).batch(0, 51)
    with pytest.raises(BadInput, match=r"train\.batch is 7, which does not divide among 2 workers"):
        train_loader(pool, world=2).batch(0, 7)
    with pytest.raises(BadInput, match='did you mean "rotate"'):
        loader.Loader(pool, np.arange(5), [View(augment=("rotte",))], seed=0)
    with pytest.raises(BadInput, match="no clip to train on"):
        loader.Loader(pool, np.arange(0), VIEWS, seed=0)


def test_fixed_shows_every_clip_once_and_the_same_each_time(pool):
    indices = np.array([5, 3, 17, 40, 41, 2, 9])
    once = list(loader.fixed(pool, indices, test_view(8), 3))
    assert [len(batch.label) for batch in once] == [3, 3, 1]
    assert torch.cat([batch.label for batch in once]).tolist() == pool.store.label[indices].tolist()
    assert all(same(a, b) for a, b in zip(once, loader.fixed(pool, indices, test_view(8), 3), strict=True))
    with pytest.raises(ValueError, match="evaluation view"):
        next(loader.fixed(pool, indices, View(frames=8), 3))


def test_the_pool_of_a_cpu_is_the_mapped_file(pool):
    assert pool.rows.data_ptr() == pool.store.rows.__array_interface__["data"][0]


ELSEWHERE = [("cuda", True), ("cuda", False)] if torch.cuda.is_available() else []


@pytest.mark.parametrize(("device", "resident"), [("cpu", None), *ELSEWHERE])
def test_every_device_sees_the_same_batches(pool, device, resident):
    there = loader.Pool(pool.store, device, resident=resident)
    one = train_loader(pool).batch(2, 8)
    other = train_loader(there).batch(2, 8)
    assert other.generator.device.type == device
    for a, b in zip(one.views, other.views, strict=True):
        assert b.device.type == device
        torch.testing.assert_close(a, b.cpu(), atol=1e-5, rtol=1e-4)
    assert torch.equal(one.present, other.present.cpu())
    assert torch.equal(one.label, other.label.cpu())


def test_a_float16_store_gives_the_batches_of_its_float32_twin_up_to_its_rounding(tmp_path):
    clips = tiny_clips()
    path = tmp_path / "half.arrow"
    store.write(path, clips, skeletons.layout("kinect20"), "nw-ucla", CLASSES, ("as drawn",), half=True)
    rounded = [replace(clip, joints=clip.joints.astype(np.float16).astype(np.float32)) for clip in clips]
    twins = loader.Pool(store.open(path)), loader.Pool(tiny_store(tmp_path / "whole.arrow", rounded))
    views = [View(frames=12), View(frames=8, crop=(0.3, 0.6), crop_minimum=4, augment=(), within=0, origin=2)]
    half, whole = (loader.Loader(pool, np.arange(50), views, seed=0).batch(3, 8) for pool in twins)
    for one, other in zip(half.views, whole.views, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)

"""What each corruption does to clips, and what it leaves alone."""

import math

import pytest
import torch

from skelray.data import corrupt
from skelray.rng import generator


def clips(many: int = 4, frames: int = 20) -> torch.Tensor:
    """Wandering five-joint bodies; clip 1 has no second one."""
    x = 0.1 * torch.randn(many, 2, frames, 5, 3, generator=generator(0, "clips")).cumsum(2)
    x[1, 1] = 0
    return x


def ramp(frames: int = 20) -> torch.Tensor:
    """Every coordinate is the number of its frame."""
    return torch.arange(float(frames)).view(1, 1, -1, 1, 1).expand(3, 1, -1, 5, 3).contiguous()


DRAW = torch.rand(4, 20, generator=generator(0, "order"))
NORMAL = torch.randn(4, 2, 20, 5, 3, generator=generator(0, "normal"))
IDLE = {
    "dropped": lambda x, order, normal: corrupt.without_frames(x, 0.0, order),
    "slower": lambda x, order, normal: corrupt.every(x, 1),
    "none": lambda x, order, normal: corrupt.without_joints(x, [], "zeros"),
    "none held": lambda x, order, normal: corrupt.without_joints(x, [], "held"),
    "noise": lambda x, order, normal: corrupt.noisy(x, 0.0, normal),
    "view": lambda x, order, normal: corrupt.seen_from(x, 0.0),
}
BUSY = {
    "dropped": lambda x, order, normal: corrupt.without_frames(x, 0.5, order),
    "slower": lambda x, order, normal: corrupt.every(x, 3),
    "zeros": lambda x, order, normal: corrupt.without_joints(x, [1, 3], "zeros"),
    "held": lambda x, order, normal: corrupt.without_joints(x, [1, 3], "held"),
    "noise": lambda x, order, normal: corrupt.noisy(x, 0.05, normal),
    "view": lambda x, order, normal: corrupt.seen_from(x, 40.0),
}


@pytest.mark.parametrize("change", IDLE.values(), ids=IDLE)
def test_level_nought_changes_nothing_bit_for_bit(change):
    assert change(clips(), DRAW, NORMAL).equal(clips())


@pytest.mark.parametrize("change", BUSY.values(), ids=BUSY)
def test_a_corruption_leaves_its_input_and_absent_bodies_alone_and_keeps_the_shape(change):
    x = clips()
    found = change(x, DRAW, NORMAL)
    assert x.equal(clips())
    assert not found.equal(x)
    assert found.shape == x.shape
    assert found.dtype == x.dtype
    assert not found[1, 1].any()


@pytest.mark.parametrize("change", BUSY.values(), ids=BUSY)
def test_what_happens_to_a_clip_does_not_depend_on_its_neighbours(change):
    whole, third = change(clips(), DRAW, NORMAL), slice(2, 3)
    alone = change(clips()[third], DRAW[third], NORMAL[third])
    torch.testing.assert_close(alone[0], whole[2])


@pytest.mark.parametrize(("share", "left"), [(0.2, 16), (0.5, 10), (0.79, 4), (0.95, 1), (1.0, 1)])
def test_dropped_frames_are_gone_and_the_rest_is_stretched(share, left):
    order = torch.rand(3, 20, generator=generator(1, "order"))
    found = corrupt.without_frames(ramp(), share, order)[:, 0, :, 0, 0]
    kept = order.argsort(1)[:, 20 - left :].sort(1).values.float()
    assert (found.diff(dim=1) >= 0).all()
    expected = torch.nn.functional.interpolate(kept[:, None], 20, mode="linear")[:, 0]
    torch.testing.assert_close(found, expected)  # torch's own resize of what is left
    assert found.amin(1).equal(kept[:, 0])
    assert found.amax(1).equal(kept[:, -1])


def test_more_is_dropped_of_what_was_dropped_before():
    """The same draw at a higher share loses the same frames and more."""
    order = torch.rand(1, 20, generator=generator(2, "order"))
    few, many = (set(order.argsort(1)[0, : round(20 * share)].tolist()) for share in (0.2, 0.5))
    for lost, share in ((few, 0.2), (many, 0.5)):
        marked = torch.zeros(1, 1, 20, 1, 3)
        marked[0, 0, sorted(lost)] = 1
        assert not corrupt.without_frames(marked, share, order).any()
    assert few < many


def test_a_lower_frame_rate_keeps_every_nth_frame_where_it_is_and_the_straight_way_between():
    x = clips()
    found = corrupt.every(x, 4)
    assert found[:, :, ::4].equal(x[:, :, ::4])
    torch.testing.assert_close(found[:, :, 2], (x[:, :, 0] + x[:, :, 4]) / 2)
    assert found[:, :, 17:].equal(x[:, :, 16:17].expand(-1, -1, 3, -1, -1))  # nothing comes after the last that is kept
    torch.testing.assert_close(corrupt.every(ramp()[:, :, :17], 4), ramp()[:, :, :17])


def test_hidden_joints_are_at_the_origin_or_stay_where_they_were_and_others_are_untouched():
    x = clips()
    zeros, held = (corrupt.without_joints(x, [1, 3], how) for how in ("zeros", "held"))
    others = [0, 2, 4]
    assert zeros[..., others, :].equal(held[..., others, :])
    assert zeros[..., others, :].equal(x[..., others, :])
    assert not zeros[..., [1, 3], :].any()
    assert held[..., [1, 3], :].equal(x[:, :, :1, [1, 3]].expand(-1, -1, 20, -1, -1))


@pytest.mark.parametrize("metres", [0.01, 0.1])
def test_noise_has_the_standard_deviation_that_was_asked_for(metres):
    x = clips(100)
    noise = corrupt.noisy(x, metres, torch.randn(x.shape, generator=generator(0, "n"))) - x
    there = noise[x.flatten(2).any(2)]
    assert there.std().item() == pytest.approx(metres, rel=0.01)
    assert there.mean().item() == pytest.approx(0, abs=metres / 50)


@pytest.mark.parametrize("degrees", [15.0, 90.0])
def test_another_view_keeps_heights_and_distances(degrees):
    x = clips()
    found = corrupt.seen_from(x, degrees)
    assert found[..., 1].equal(x[..., 1])
    torch.testing.assert_close(torch.cdist(found, found), torch.cdist(x, x), atol=1e-5, rtol=1e-4)
    flat = [each[..., [0, 2]].double() for each in (x, found)]
    turn = torch.atan2(flat[1][..., 0], flat[1][..., 1]) - torch.atan2(flat[0][..., 0], flat[0][..., 1])
    here = flat[0].norm(dim=-1) > 1e-3
    torch.testing.assert_close(turn[here].cos(), torch.full_like(turn[here], math.cos(math.radians(degrees))))


def test_a_quarter_turn_makes_depth_of_width():
    point = torch.tensor([1.0, 2.0, 0.0]).expand(1, 1, 1, 1, 3)
    torch.testing.assert_close(
        corrupt.seen_from(point, 90.0).flatten(), torch.tensor([0.0, 2.0, -1.0]), atol=1e-6, rtol=0
    )


def test_flat_clips_have_no_other_view():
    with pytest.raises(ValueError, match="2 coordinates"):
        corrupt.seen_from(clips()[..., :2], 30.0)

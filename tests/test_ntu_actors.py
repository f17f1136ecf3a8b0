"""Two actors from many bodies, zeros and copies: what a raw file becomes as a whole, rule by rule."""

from collections import Counter

import numpy as np
import pytest
from written_ntu import person, text, tracks

from skelray.data.ntu import prepare as prepared
from skelray.data.ntu.parse import parse

LENGTH = 40


def prepare(length=LENGTH, duplicate=False, rules=None, **made):
    rules = prepared.Rules(**rules or {})
    return prepared.prepare(parse(text(tracks(length, **made)), "a"), rules, "a", duplicate)


def body(first, last, motion, seed=0):
    """A body seen from `first` to `last` (both in) whose motion grows with `motion`."""
    joints = person(last - first + 1, seed, sway=0.01)
    joints = joints + motion * np.linspace(-1, 1, len(joints))[:, None, None] * (0, 0, 1)
    return range(first, last + 1), joints.astype(np.float32)


def holds(slot, frames, body):
    joints = body[1]
    np.testing.assert_array_equal(slot[frames], joints[: len(frames)])


def test_one_body_is_left_as_it_is_however_short_and_wide():
    joints = person(3, width=9)
    found = prepare(3, one=(range(3), joints))
    np.testing.assert_array_equal(found.slots, joints[None])
    assert found.counts == Counter()


def test_the_body_with_the_most_motion_is_actor_one():
    still, moving = body(0, 39, 0.1), body(0, 39, 1.0, 1)
    found = prepare(still=still, moving=moving)
    holds(found.slots[0], range(40), moving)
    holds(found.slots[1], range(40), still)


def test_a_body_goes_to_the_actor_whom_it_does_not_overlap():
    first, second, third, fourth = body(0, 19, 3), body(0, 25, 2, 1), body(20, 39, 1, 2), body(26, 39, 0.5, 3)
    found = prepare(first=first, second=second, third=third, fourth=fourth)
    holds(found.slots[0], range(20), first)
    holds(found.slots[0], range(20, 40), third)
    holds(found.slots[1], range(26), second)
    holds(found.slots[1], range(26, 40), fourth)
    assert found.counts["bodies laid into the slot of an actor whom they do not overlap"] == 2


def test_a_body_that_overlaps_both_actors_is_left_out():
    first, second, third = body(0, 39, 3), body(5, 39, 2, 1), body(10, 30, 1, 2)
    found = prepare(first=first, second=second, third=third)
    holds(found.slots[1], range(5, 40), second)
    assert not found.slots[1, :5].any()
    assert found.counts["bodies left out, as both slots were taken"] == 1


def test_one_shared_frame_is_no_overlap_and_goes_to_the_later():
    first, second = body(0, 20, 3), body(20, 39, 1, 1)
    found = prepare(first=first, second=second)
    assert found.slots.shape == (1, 40, 25, 3)
    holds(found.slots[0], range(20), first)
    holds(found.slots[0], range(20, 40), second)
    first, second = body(0, 21, 3), body(20, 39, 1, 1)
    holds(prepare(first=first, second=second).slots[1], range(20, 40), second)


def test_nobody_is_laid_before_actor_two_unless_asked():
    first, second, third = body(0, 39, 3), body(20, 39, 2, 1), body(3, 15, 1, 2)
    found = prepare(first=first, second=second, third=third)
    assert not found.slots[1, :20].any()
    found = prepare(first=first, second=second, third=third, rules={"second_from_start": False})
    holds(found.slots[1], range(3, 16), third)
    holds(found.slots[1], range(20, 40), second)


def test_slots_are_not_shared_when_switched_off():
    first, second, third = body(0, 19, 3), body(20, 39, 2, 1), body(20, 39, 1, 2)
    found = prepare(first=first, second=second, third=third, rules={"share_slots": False})
    holds(found.slots[0], range(20), first)
    assert not found.slots[0, 20:].any()
    holds(found.slots[1], range(20, 40), second)
    assert found.counts == {"bodies left out, as both slots were taken": 1}


def test_frames_that_lose_their_only_body_are_removed():
    long, short = body(10, 39, 1), body(0, 9, 5, 1)  # the short one has ten frames and goes
    found = prepare(long=long, short=short)
    assert found.slots.shape == (1, 30, 25, 3)
    holds(found.slots[0], range(30), long)
    assert found.counts == {
        "bodies seen in at most 11 frames left out": 1,
        "frames in which nobody was left removed": 10,
    }
    kept = prepare(long=long, short=short, rules={"drop_zero_frames": False})
    assert kept.slots.shape == (1, 40, 25, 3)
    assert not kept.slots[:, :10].any()


def test_frames_without_a_body_are_left_out_or_stay_as_zeros():
    at, joints = body(5, 34, 1)
    found = prepare(only=(at, joints))
    assert found.slots.shape == (1, 30, 25, 3)
    assert found.counts == {"frames without a body left out": 10}
    kept = prepare(only=(at, joints), rules={"drop_empty_frames": False}).slots
    assert kept.shape == (1, 40, 25, 3)
    holds(kept[0], range(5, 35), (at, joints))


def test_a_closed_gap_is_counted_and_can_stay_open():
    lost = [*range(10), *range(20, 40)]
    other, coming = body(0, 39, 3), (lost, person(30, 1, sway=0.01))
    found = prepare(other=other, coming=coming)
    holds(found.slots[1], range(30), coming)
    assert not found.slots[1, 30:].any()
    assert found.counts == {"bodies whose gaps were closed": 1}
    opened = prepare(other=other, coming=coming, rules={"compressed_gaps": False})
    holds(opened.slots[1], lost, coming)
    assert not opened.slots[1, 10:20].any()
    assert opened.counts == Counter()


@pytest.mark.parametrize(
    ("switch", "second", "rule"),
    [
        ("length_rule", body(0, 10, 1, 1), "bodies seen in at most 11 frames left out"),
        (
            "spread_rule",
            (range(40), person(40, 1, width=3.0)),
            "bodies too wide in 69.754 % of their frames left out",
        ),
    ],
)
def test_a_rule_that_is_switched_off_leaves_the_body(switch, second, rule):
    found = prepare(first=body(0, 39, 5), second=second)
    assert (len(found.slots), found.counts[rule]) == (1, 1)
    found = prepare(first=body(0, 39, 5), second=second, rules={switch: False})
    assert (len(found.slots), found.counts) == (2, Counter())


def test_the_rule_of_motion_is_off_by_default():
    wild = body(0, 39, 9.0, 1)  # far more than two square metres
    assert len(prepare(first=body(0, 39, 20.0), second=wild).slots) == 2
    found = prepare(first=body(0, 39, 20.0), second=wild, rules={"motion_rule": True})
    assert len(found.slots) == 1
    assert found.counts == {"further bodies with a motion outside 0.089925..2 left out": 1}


def test_motion_measured_on_fewer_frames_is_counted_and_decides_who_is_actor_one():
    lying = np.concatenate([person(20, 1, width=6.0), person(20, 1)])
    standing = body(0, 39, 1.0)
    found = prepare(lying=(range(40), lying), standing=standing)
    holds(found.slots[0], range(40), standing)
    assert found.counts == {"bodies whose motion was measured on fewer frames": 1}
    found = prepare(lying=(range(40), lying), standing=standing, rules={"spread_rule": False})
    holds(found.slots[1], range(40), standing)


def test_a_single_body_is_copied_for_120_but_an_empty_second_slot_is_not():
    single = prepare(duplicate=True, only=body(0, 39, 1))
    np.testing.assert_array_equal(single.slots[0], single.slots[1])
    assert single.counts == {"only bodies copied into the second slot": 1}
    assert len(prepare(duplicate=False, only=body(0, 39, 1)).slots) == 1
    merged = prepare(duplicate=True, first=body(0, 19, 3), second=body(20, 39, 1, 1))
    assert len(merged.slots) == 1
    cleaned = prepare(duplicate=True, first=body(0, 39, 3), short=body(0, 5, 1, 1))
    assert len(cleaned.slots) == 2  # one body after the rules: copied


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({}, "no frame with a body"),
        ({"one": (range(5), np.zeros((5, 25, 3)))}, "no frame with a body"),
        ({"one": body(0, 9, 1), "two": body(20, 29, 1, 1)}, "no body seen in more than 11 frames"),
    ],
)
def test_a_clip_of_which_nothing_is_left_says_why(made, reason):
    found = prepare(**made)
    assert found.slots is None
    assert found.reason == reason

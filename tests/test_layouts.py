"""The layouts that skelray knows: published joints and bones, and what any layout has to be."""

import re

import numpy as np
import pytest
from pydantic import ValidationError

from skelray.errors import BadInput
from skelray.geometry import limbs
from skelray.show import upright
from skelray.skeletons import Skeleton, layout, layouts

# (joint, parent), as published: NTU RGB+D's feeders, PYSKL's graphs, ST-GCN's Kinetics, JHMDB's readme.
KINECT20 = "0-1 1-2 3-2 4-2 5-4 6-5 7-6 8-2 9-8 10-9 11-10 12-0 13-12 14-13 15-14 16-0 17-16 18-17 19-18"
PUBLISHED = {
    "kinect25": "0-1 1-20 2-20 3-2 4-20 5-4 6-5 7-6 8-20 9-8 10-9 11-10 12-0 13-12 14-13 15-14 16-0 17-16 18-17 19-18 "
    "21-7 22-7 23-11 24-11",
    "kinect20": KINECT20,
    "coco17": "15-13 13-11 16-14 14-12 11-5 12-6 9-7 7-5 10-8 8-6 5-0 6-0 1-0 3-1 2-0 4-2",
    "openpose18": "4-3 3-2 7-6 6-5 13-12 12-11 10-9 9-8 11-5 8-2 5-1 2-1 0-1 15-0 14-0 17-15 16-14",
    "jhmdb15": "0-1 2-0 3-0 4-0 7-3 11-7 8-4 12-8 5-1 6-1 9-5 13-9 10-6 14-10",
}
ROOTS = {"kinect25": 20, "kinect20": 2, "utd20": 1, "coco17": 0, "openpose18": 1, "jhmdb15": 1}
SIZES = {"kinect25": (25, 3), "kinect20": (20, 3), "utd20": (20, 3)}
SIZES |= {"coco17": (17, 2), "openpose18": (18, 2), "jhmdb15": (15, 2)}


def bones(text: str) -> set[tuple[int, ...]]:
    return {tuple(map(int, bone.split("-"))) for bone in text.split()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_bones_are_the_published_ones(name):
    assert set(layout(name).bones) == bones(PUBLISHED[name])


def test_utd_is_kinect_20_in_another_order():
    place = {0: 3, 1: 2, 2: 1, 3: 0} | {joint: joint for joint in range(4, 20)}  # UTD-MHAD -> Kinect v1
    assert {(place[joint], place[parent]) for joint, parent in layout("utd20").bones} == bones(KINECT20)
    assert [layout("kinect20").joints[place[joint]] for joint in range(20)] == list(layout("utd20").joints)


def test_every_layout_has_its_size_and_root():
    assert {name: (len(each.joints), each.channels) for name, each in layouts().items()} == SIZES
    assert {name: each.roots for name, each in layouts().items()} == {name: [root] for name, root in ROOTS.items()}


@pytest.mark.parametrize("name", ROOTS)
def test_names_sides_pairs_and_parts_agree(name):
    body = layout(name)
    for side, other, place in (("left", "right", 0), ("right", "left", 1)):
        named = {joint for joint, each in enumerate(body.joints) if each.endswith(f"_{side}")}
        assert named == {pair[place] for pair in body.mirror}
        for part, joints in body.parts.items():
            if part.endswith(f"_{side}"):
                assert set(joints) <= named
                assert part.replace(side, other) in body.parts
    for left, right in body.mirror:
        assert body.joints[left].replace("left", "right") == body.joints[right]
        if body.parents[left] != body.parents[right]:  # the bones of both sides hang alike
            assert (body.parents[left], body.parents[right]) in body.mirror


@pytest.mark.parametrize("name", ROOTS)
def test_the_joints_of_a_part_neighbour_each_other(name):
    body = layout(name)
    touching = {frozenset(bone) for bone in body.bones}
    for part in body.parts.values():
        for place, joint in enumerate(part[1:], 1):
            assert any(frozenset((joint, before)) in touching for before in part[:place]), (part, joint)


@pytest.mark.parametrize("name", ROOTS)
def test_both_arms_are_one_group_of_bones_and_both_legs_another(name):
    body = layout(name)
    part = {joint: kind.split("_")[0] for kind, joints in body.parts.items() for joint in joints}
    groups = limbs(body)
    assert {(part[joint], group) for joint, group in enumerate(groups)} == {
        (part[groups.index(group)], group) for group in range(3)
    }


HEIGHTS = {"shoulder": 1.4, "elbow": 1.1, "wrist": 0.9, "hand": 0.8, "thumb": 0.8, "spine": 1.1, "belly": 1.1}
HEIGHTS |= {"hip": 0.9, "knee": 0.5, "ankle": 0.1, "foot": 0.0}  # metres; what is not here belongs to a head


@pytest.mark.parametrize("name", ROOTS)
def test_pictures_see_in_every_layout_which_way_is_up(name):
    body = layout(name)
    high = np.array([HEIGHTS.get(joint.split("_")[0], 1.6) for joint in body.joints])
    standing = np.stack([np.zeros_like(high), high, *[np.ones_like(high)] * (body.channels - 2)], -1)
    assert upright.of_joints(standing[None], body) == (1, 1)
    assert upright.of_joints(-standing[None], body) == (1, -1)  # as pixels count


THREE = {"name": "mine", "joints": ("a", "b", "c"), "parents": (0, 0, 1)}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"joints": (), "parents": ()}, "joints must name at least one joint"),
        ({"joints": ("a", " ", "c")}, "joints: joint 1 has no name"),
        ({"joints": ("a", "b", "a")}, "joints: 'a' is the name of joint 0 and of 2"),
        ({"parents": (0, 0)}, "parents must name one of the 3 joints for each joint"),
        ({"parents": (0, 0, 3)}, "parents must name one of the 3 joints for each joint"),
        ({"parents": (0, 0, -1)}, "parents must name one of the 3 joints for each joint"),
        ({"parents": (0, 1, 1)}, "parents: exactly one joint must be its own parent, not 2: a, b"),
        ({"parents": (1, 2, 0)}, "parents: exactly one joint must be its own parent, not 0"),
        ({"parents": (0, 2, 1)}, "parents: bones run in a circle (b - c - b)"),
        ({"mirror": ((1, 3),)}, "mirror: no joint 3 (there are 0..2)"),
        ({"mirror": ((-1, 1),)}, "mirror: no joint -1 (there are 0..2)"),
        ({"mirror": ((1, 2), (2, 0))}, "mirror: 'c' stands in 2 places, not in one"),
        ({"mirror": ((1, 1),)}, "mirror: 'b' stands in 2 places, not in one"),
        ({"parts": {"trunk": (0, 1)}}, "parts must hold every joint exactly once: not c"),
        ({"parts": {"trunk": (0, 1), "arm": (1, 2)}}, "parts must hold every joint exactly once: not b"),
        ({"parts": {"trunk": (0, 1, 2), "arm": (3,)}}, "hold every joint exactly once, and no other than 0..2"),
        ({"parts": {"trunk": (0, 1, 2), "arm": ()}}, "parts: 'arm' holds no joint"),
        ({"channels": 4}, "less than or equal to 3"),
    ],
)  # fmt: skip
def test_what_is_no_body_is_refused_in_a_sentence(change, told):
    Skeleton(**THREE)
    with pytest.raises(ValidationError, match=re.escape(told)):
        Skeleton(**THREE | change)


def test_a_circle_away_from_the_root_is_found_from_a_joint_that_hangs_on_it():
    with pytest.raises(ValidationError, match=re.escape("bones run in a circle (c - d - c)")):
        Skeleton(name="mine", joints=tuple("abcd"), parents=(0, 2, 3, 2))


def test_an_unknown_layout_is_refused_with_the_nearest():
    with pytest.raises(
        BadInput, match=r"no skeleton layout 'coco18'; did you mean .coco17.\? \(there are kinect25, .*jh"
    ):
        layout("coco18")


def test_two_coordinates_may_become_three():
    assert layout("coco17").model_copy(update={"channels": 3}).channels == 3

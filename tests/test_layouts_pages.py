"""The pages on layouts, alignment and streams say what is there."""

import re
from typing import get_args

import pytest
from conftest import REPOSITORY

from skelray.data import normalise, streams
from skelray.data.config import Stream
from skelray.skeletons import layouts

PAGES = {name: (REPOSITORY / f"docs/data/{name}.md").read_text() for name in ("layouts", "alignment", "streams")}


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading row that begins like this."""
    below = PAGES[page].split(f"| {heading} |", 1)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in below]


def test_the_table_of_layouts_is_the_layouts():
    told = [row[:4] for row in rows("layouts", "layout")]
    assert told == [
        [name, str(len(each.joints)), str(each.channels), each.joints[each.roots[0]]]
        for name, each in layouts().items()
    ]


@pytest.mark.parametrize("name", layouts())
def test_every_joint_is_listed_with_its_number(name):
    (told,) = re.findall(rf"\*\*{name}\*\*: ([^*]*?)\n(?:\n|$)", PAGES["layouts"])
    assert " ".join(told.split()) == ", ".join(f"{at} {joint}" for at, joint in enumerate(layouts()[name].joints))


def test_the_table_of_steps_is_the_steps_with_the_coordinates_they_take():
    told = {row[0]: row[2] for row in rows("alignment", "step")}
    assert told == {step: "3" if step in normalise.TURNS else "2 or 3" for step in normalise.STEPS}


def test_every_joint_that_a_step_looks_for_is_named():
    named = {name for choices in normalise.POINTS.values() for choice in choices for name in choice}
    single = {choice[0] for choices in normalise.POINTS.values() for choice in choices if len(choice) == 1}
    assert all(f"`{name}`" in PAGES["alignment"] for name in single - {"shoulder_left", "shoulder_right"})
    assert named <= {joint for each in layouts().values() for joint in each.joints}


def test_the_table_of_streams_is_the_streams():
    assert [row[0] for row in rows("streams", "stream")] == list(get_args(Stream)) == list(streams.TOLD)

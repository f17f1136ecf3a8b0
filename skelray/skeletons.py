"""Skeleton layouts: joint names, bones, left/right pairs and body parts. The layouts are data in skeletons.json."""

from functools import cache

from pydantic import Field, model_validator

from skelray import beside
from skelray.errors import BadInput, near
from skelray.schema import Strict


class Skeleton(Strict):
    """One joint layout. A store carries its own; methods take joints and channels from it, never from a default."""

    name: str
    joints: tuple[str, ...]  # names, in the order of the data
    parents: tuple[int, ...]  # of each joint; the root is its own parent
    mirror: tuple[tuple[int, int], ...] = ()  # (left, right)
    parts: dict[str, tuple[int, ...]] = {}  # body part -> joints as they neighbour each other; each in exactly one part
    channels: int = Field(3, ge=2, le=3)  # coordinates of a joint

    @model_validator(mode="after")
    def joints_are_told_apart(self) -> "Skeleton":
        if not self.joints:
            raise ValueError("joints must name at least one joint")
        for number, name in enumerate(self.joints):
            if not name.strip():
                raise ValueError(f"joints: joint {number} has no name")
            if name in self.joints[:number]:
                raise ValueError(f"joints: {name!r} is the name of joint {self.joints.index(name)} and of {number}")
        return self

    @model_validator(mode="after")
    def bones_make_one_tree(self) -> "Skeleton":
        count = len(self.joints)
        if len(self.parents) != count or any(not 0 <= parent < count for parent in self.parents):
            raise ValueError(f"parents must name one of the {count} joints for each joint")
        if len(self.roots) != 1:
            named = f": {', '.join(self.joints[root] for root in self.roots)}" if self.roots else ""
            raise ValueError(f"parents: exactly one joint must be its own parent, not {len(self.roots)}{named}")
        for joint in range(count):
            way = [joint]
            while (parent := self.parents[way[-1]]) not in way:
                way.append(parent)
            if parent != self.roots[0]:
                ring = [*way[way.index(parent) :], parent]
                raise ValueError(f"parents: bones run in a circle ({' - '.join(self.joints[each] for each in ring)})")
        return self

    @model_validator(mode="after")
    def pairs_and_parts_hold_a_joint_once(self) -> "Skeleton":
        count = len(self.joints)
        paired = [joint for pair in self.mirror for joint in pair]
        for joint in paired:
            if not 0 <= joint < count:
                raise ValueError(f"mirror: no joint {joint} (there are 0..{count - 1})")
            if paired.count(joint) > 1:
                raise ValueError(f"mirror: {self.joints[joint]!r} stands in {paired.count(joint)} places, not in one")
        if self.parts and not all(self.parts.values()):
            raise ValueError(f"parts: {next(name for name, part in self.parts.items() if not part)!r} holds no joint")
        held = [joint for part in self.parts.values() for joint in part]
        if self.parts and sorted(held) != list(range(count)):
            wrong = [name for joint, name in enumerate(self.joints) if held.count(joint) != 1]
            told = f": not {', '.join(wrong)}" if wrong else f", and no other than 0..{count - 1}"
            raise ValueError(f"parts must hold every joint exactly once{told}")
        return self

    @property
    def roots(self) -> list[int]:
        """Joints that are their own parent."""
        return [joint for joint, parent in enumerate(self.parents) if joint == parent]

    @property
    def bones(self) -> list[tuple[int, int]]:
        """(joint, parent) of every joint but the root."""
        return [(joint, parent) for joint, parent in enumerate(self.parents) if joint != parent]


@cache
def layouts() -> dict[str, Skeleton]:
    """Every layout that skelray knows by name."""
    return {name: Skeleton(name=name, **layout) for name, layout in beside.facts(__file__).items()}


def layout(name: str) -> Skeleton:
    """A layout by name. Raises BadInput for a name nobody knows."""
    known = layouts()
    if name not in known:
        raise BadInput(f"no skeleton layout {name!r}{near(name, known)} (there are {', '.join(known)})")
    return known[name]

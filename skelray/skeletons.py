"""Skeleton layouts: joint names, bones, left/right pairs and body parts. The layouts are data in skeletons.json."""

import json
from functools import cache
from pathlib import Path

from pydantic import Field, model_validator

from skelray.errors import BadInput, near
from skelray.schema import Strict


class Skeleton(Strict):
    """One joint layout. A store carries its own; methods take joints and channels from it, never from a default."""

    name: str
    joints: tuple[str, ...]  # names, in the order of the data
    parents: tuple[int, ...]  # of each joint; the root is its own parent
    mirror: tuple[tuple[int, int], ...] = ()  # left/right pairs
    parts: dict[str, tuple[int, ...]] = {}  # body part -> joints; every joint in exactly one part
    channels: int = Field(3, ge=2, le=3)  # coordinates of a joint

    @model_validator(mode="after")
    def joints_agree(self) -> "Skeleton":
        count = len(self.joints)
        if len(self.parents) != count or any(not 0 <= parent < count for parent in self.parents):
            raise ValueError(f"parents must name one of the {count} joints for each joint")
        if len(self.roots) != 1:
            raise ValueError(f"exactly one joint must be its own parent, not {len(self.roots)}")
        if self.parts and sorted(j for part in self.parts.values() for j in part) != list(range(count)):
            raise ValueError("parts must hold every joint exactly once")
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
    raw = json.loads(Path(__file__).with_suffix(".json").read_text())
    return {name: Skeleton(name=name, **layout) for name, layout in raw.items()}


def layout(name: str) -> Skeleton:
    """A layout by name. Raises BadInput for a name nobody knows."""
    known = layouts()
    if name not in known:
        raise BadInput(f"no skeleton layout {name!r}{near(name, known)} (there are {', '.join(known)})")
    return known[name]

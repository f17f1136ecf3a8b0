"""What is to be seen, whoever draws it: panels of moving skeletons that share a clock and a scale."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from jaxtyping import Bool, Float

from skelray.skeletons import Skeleton

RATE = 30.0  # frames a second at which a clip is played whose store does not know better
MARGIN = 0.12  # metres around what is framed
SIDES = ("left", "right", "middle")


@dataclass(frozen=True)
class Panel:
    """Some bodies over time, seen upright: coordinates are right, up and away, in metres."""

    title: str
    told: str  # for who cannot see it
    joints: Float[np.ndarray, "M T V 3"]
    note: str = ""
    group: str = ""  # neighbours of one group stand under one heading
    hidden: Bool[np.ndarray, "M T V"] | None = None  # greyed, or with `only_visible` not drawn
    only_visible: bool = False
    ghost: Float[np.ndarray, "M T V 3"] | None = None  # drawn thin and grey behind: the truth
    grid: Bool[np.ndarray, "M S V"] | None = None  # hidden cells by step and joint, drawn as a table
    about: Float[np.ndarray, "..."] | None = None  # what it is centred on, where that is not its own joints
    reach: tuple[float, float] | None = None  # metres from its centre to its side and top, where not the scene's

    @property
    def centre(self) -> Float[np.ndarray, " 3"]:
        """The middle of the box around the bodies; the picture turns about it."""
        return middle(self.joints if self.about is None else self.about)


@dataclass(frozen=True)
class Scene:
    """A page of panels."""

    title: str
    lead: tuple[str, ...]  # what is to be seen, and in what way it is not the whole truth; a paragraph each
    skeleton: Skeleton
    panels: tuple[Panel, ...]
    reach: tuple[float, float]  # metres from a panel's centre to its side and to its top
    rate: float = RATE  # frames a second
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Frames of the longest panel; shorter ones begin again. One where there is no panel."""
        return max((panel.joints.shape[1] for panel in self.panels), default=1)

    def groups(self) -> list[tuple[str, list[Panel]]]:
        """The panels by heading, in order."""
        return [(name, list(panels)) for name, panels in groupby(self.panels, key=lambda panel: panel.group)]


def sides(skeleton: Skeleton) -> list[str]:
    """ "left", "right" or "middle" for each joint; a bone has the side of its joint that is farther from the root."""
    found = ["middle"] * len(skeleton.joints)
    for left, right in skeleton.mirror:
        found[left], found[right] = "left", "right"
    return found


def middle(joints: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, " 3"]:
    """The middle of the box around all joints."""
    flat = joints.reshape(-1, 3)
    return (flat.min(0) + flat.max(0)) / 2


def reach(all_joints: Iterable[Float[np.ndarray, "*n 3"]]) -> tuple[float, float]:
    """Room for each of these about its own middle, from whichever side it is looked at."""
    wide = high = 0.0
    for joints in all_joints:
        away = (joints - middle(joints)).reshape(-1, 3)
        wide = max(wide, float(np.hypot(away[:, 0], away[:, 2]).max()))
        high = max(high, float(np.abs(away[:, 1]).max()))
    return wide + MARGIN, high + MARGIN

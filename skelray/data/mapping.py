"""A store's clips in the joints of another layout: what an encoder of that layout can look at.

Joints of one name are one joint; mapping.json names those that two layouts call differently (Kinect v1's hip_center is
v2's spine_base) and those of which another stands in (the neck, by the centre of the shoulders). A joint that the store
does not have at all, as v2's hand tips and thumbs in a v1 store, is a copy of the nearest joint along the bones that it
has: a hand's length from the truth at most, where zeros would put a hand to the origin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float, Int
from torch import Tensor

from skelray import beside
from skelray.data.loader import Pool
from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.geometry import rerooted
from skelray.skeletons import Skeleton

LEAST = 0.6  # share of an encoder's joints that a store must have
Fill = Literal["copy", "zeros"]


@dataclass(frozen=True)
class Mapping:
    """Where each joint of an encoder's layout is read in a store's."""

    skeleton: Skeleton  # of the encoder: what the clips look like afterwards
    source: tuple[int, ...]  # of each of its joints: the joint of the store
    filled: tuple[int, ...]  # those of its joints that the store does not have
    fill: Fill = "copy"

    def apply(self, x: Float[Tensor, "N M T V C"]) -> Float[Tensor, "N M T W C"]:
        """Clips in the encoder's joints; absent bodies stay zeros."""
        found = x[..., list(self.source), :]
        if self.fill == "zeros":
            found[..., list(self.filled), :] = 0
        return found


class MappedPool(Pool):
    """The clips of a store in the layout of an encoder."""

    def __init__(self, mapping: Mapping, store: Store, *rest: Any, **named: Any):
        """`rest`, `named`: as a Pool takes them."""
        super().__init__(store, *rest, **named)
        self.mapping, self.skeleton = mapping, mapping.skeleton

    def view(
        self,
        clips: Int[Tensor, " N"],
        start: Int[Tensor, " N"],
        length: Int[Tensor, " N"],
        frames: int,
        place: Float[Tensor, "N T"] | None = None,
        origin: int | None = None,
    ) -> Float[Tensor, "N M T V C"]:
        """As a Pool's; `origin` is a joint of the encoder."""
        theirs = None if origin is None else self.mapping.source[origin]
        return self.mapping.apply(super().view(clips, start, length, frames, place, theirs))


def pool(store: Store, encoder: Skeleton, *rest: Any, **named: Any) -> Pool:
    """The clips of a store as an encoder of that layout looks at them. Raises BadInput where it cannot."""
    mapping = between(store.skeleton, encoder)
    if mapping is not None:
        return MappedPool(mapping, store, *rest, **named)
    same = Pool(store, *rest, **named)
    same.skeleton = encoder  # the same joints; bones and parts are those that the encoder knows
    return same


def between(store: Skeleton, encoder: Skeleton, fill: Fill = "copy") -> Mapping | None:
    """How the joints of an encoder are found in a store; None where they are the same ones in the same order.

    Raises BadInput when the joints have another number of coordinates, and when too few correspond, naming the others.
    """
    if store.channels != encoder.channels:
        raise BadInput(
            f"joints of {store.name} have {store.channels} coordinates, those of {encoder.name} {encoder.channels}: "
            "an encoder of the one cannot look at the other"
        )
    if store.joints == encoder.joints:
        return None
    known = {joint: where for joint, name in enumerate(encoder.joints) if (where := _found(name, store)) is not None}
    lacking = [joint for joint in range(len(encoder.joints)) if joint not in known]
    if len(known) < LEAST * len(encoder.joints):
        raise BadInput(
            f"{store.name} has {len(known)} of the {len(encoder.joints)} joints of {encoder.name}, and "
            f"{LEAST:.0%} are due; it has no {', '.join(encoder.joints[joint] for joint in lacking)}"
        )
    nearest = {joint: known[_nearest(joint, known, encoder)] for joint in lacking}
    source = tuple({**known, **nearest}[joint] for joint in range(len(encoder.joints)))
    return Mapping(encoder, source, tuple(lacking), fill)


def _found(name: str, store: Skeleton) -> int | None:
    """The joint of the store that has this name, another name for the same place, or stands in for it."""
    same = [other for group in _names()["same"] if name in group for other in group]
    names: Sequence[str] = [name, *same, *_names()["stands_in"].get(name, [])]
    return next((store.joints.index(each) for each in names if each in store.joints), None)


def _nearest(joint: int, known: dict[int, int], encoder: Skeleton) -> int:
    """The joint nearest along the bones that the store has; of equally near ones that on the way to the root."""
    parents = rerooted(encoder, joint)  # parents come before their children
    distance = {joint: 0}
    for child, parent in parents.items():
        distance[child] = distance[parent] + 1
    upwards = [joint]
    while encoder.parents[upwards[-1]] != upwards[-1]:
        upwards.append(encoder.parents[upwards[-1]])
    return min(known, key=lambda each: (distance[each], each not in upwards, each))


def _names() -> dict[str, Any]:
    return beside.facts(__file__)

"""What is wrong with the clips of a store, by clip: what makes training wrong, and what deserves a look.

One pass over the coordinates in bounded pieces; a kind of finding names a clip once, at its worst place.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from skelray.data import facts, tracks
from skelray.data.copies import OTHER_LABEL, copies
from skelray.data.motion import Pass, frozen_bodies, frozen_joints, jumps
from skelray.data.store import Store
from skelray.schema import Strict


class Limits(Strict):
    """From where on something is a finding."""

    still: int = Field(30, ge=2, description="frames over which a joint of a moving body keeps its place")
    long: float = Field(3.0, gt=1, description="times the usual length of that bone in this store")
    varies: float = Field(3.0, gt=1, description="longest over shortest length of a bone within a clip")
    speed: float = Field(20.0, gt=0, description="metres a second")
    missing: float = Field(0.1, ge=0, le=1, description="share of a clip's joints at exactly zero")


@dataclass(frozen=True)
class Kind:
    """One kind of finding."""

    name: str  # for machines
    title: str
    wrong: bool = False  # training on it is wrong; other kinds deserve a look


@dataclass(frozen=True)
class Finding:
    """One clip, or several that are equal, and the numbers."""

    number: int  # of the first of them in the store
    clips: tuple[str, ...]
    told: str
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """Findings by kind, worst first, and what could not be looked for."""

    found: dict[Kind, list[Finding]]
    unchecked: list[str]

    @property
    def wrong(self) -> list[Kind]:
        """The kinds that make training wrong and were found."""
        return [kind for kind in self.found if kind.wrong]


def check(store: Store, limits: Limits | None = None, frame_rate: float | None = None) -> Health:
    """Look through every clip. `frame_rate` (frames a second) stands in where the store does not know its own."""
    limits = limits or Limits()
    said = facts.aside(store)
    rate = said["frame_rate"] or frame_rate
    metres = said["units"] == "metres" and store.skeleton.channels == 3
    speed = limits.speed / rate if rate and metres else None
    passed = _look(store, limits, speed)
    found: dict[Kind, list[Finding]] = {}
    for kind, findings in _kinds(store, limits, passed, rate):
        if findings:
            found[kind] = findings
    unchecked = []
    if speed is None:
        why = "the frame rate is unknown (give --frame-rate)" if metres else "coordinates are not metres"
        unchecked.append(f"jumps: {why}")
    if store.half:
        unchecked.append("joints that stand still: float16 rounds small movements away")
    if store.skeleton.channels == 2:
        unchecked.append("bones that change their length: flat pictures shorten bones that point at the viewer")
    return Health(found, unchecked)


def _look(store: Store, limits: Limits, speed: float | None) -> Pass:
    passed = Pass(store)
    for piece in tracks.pieces(store):
        seen = passed.measure(piece)
        if not store.half:
            passed.add("still", frozen_joints(seen, limits.still))
            passed.add("held", frozen_bodies(seen, limits.still))
        if speed is not None:
            passed.add("jump", jumps(seen, speed))
    return passed


def _kinds(store: Store, limits: Limits, passed: Pass, rate: float | None) -> Iterator[tuple[Kind, list[Finding]]]:
    tell = partial(_each, store)
    unit = " m" if facts.aside(store)["units"] == "metres" else " units" if store.skeleton.channels == 3 else ""
    yield (
        Kind("not-finite", "coordinates that are not finite", True),
        tell(passed.table("infinite"), "{joint} of body {body} in frame {frame}; {count} such joints"),
    )
    yield (
        Kind("empty-clip", "nobody is seen", True),
        tell(passed.empty_clips(), "{frames} frames of zeros", "frames"),
    )
    yield (
        Kind("empty-body", "a body that is never seen"),
        tell(passed.empty_bodies(), "body {body}: {frames} frames of zeros", "frames"),
    )
    short = pd.DataFrame({"clip": np.flatnonzero(store.frames == 1)}).assign(frames=1)
    yield Kind("one-frame", "one frame"), tell(short, "one frame", "frames")
    yield (
        Kind("missing-joints", f"{limits.missing:.0%} of the joints missing, or more"),
        tell(passed.missing(limits.missing), "{value:.1%} of the joints of bodies that are seen are exactly zero"),
    )
    yield (
        Kind("still-joint", f"a joint that stands still for {limits.still} frames while others move"),
        tell(passed.table("still"), "{joint} of body {body} for {value} frames up to frame {frame}"),
    )
    yield (
        Kind("still-body", f"a body that stands still for {limits.still} frames"),
        tell(passed.table("held"), "body {body} for {value} frames up to frame {frame}"),
    )
    yield (
        Kind("long-bone", f"a bone longer than {limits.long:g} times the usual"),
        tell(
            passed.long_bones(limits.long),
            f"bone at {{joint}} of body {{body}} in frame {{frame}}: {{length:.3f}}{unit}, "
            f"{{value:.1f}} times the usual {{usual:.3f}}{unit}",
        ),
    )
    if store.skeleton.channels == 3:
        yield (
            Kind("changing-bone", f"a bone that changes its length by a factor of {limits.varies:g}"),
            tell(
                passed.changing_bones(limits.varies),
                f"bone at {{joint}} of body {{body}} from {{shortest:.3f}}{unit} (frame {{frame}}) "
                f"to {{longest:.3f}}{unit}",
            ),
        )
    fast = passed.table("jump")
    yield (
        Kind("jump", f"a joint faster than {limits.speed:g} m/s"),
        tell(
            fast.assign(value=fast["value"] * (rate or 1)), "{joint} of body {body} to frame {frame}: {value:.1f} m/s"
        ),
    )
    for name, title, groups in copies(store):
        yield (
            Kind(name, title, name == OTHER_LABEL),
            [Finding(int(clips[0]), _names(store, clips.tolist()), told, numbers) for clips, told, numbers in groups],
        )


def _each(store: Store, table: pd.DataFrame, told: str, by: str = "value") -> list[Finding]:
    """A finding a clip, at its largest `by`, largest first; `told` is filled with the columns."""
    worst = table.sort_values(by, ascending=False, kind="stable").drop_duplicates("clip")
    findings = []
    for row in worst.to_dict("records"):
        clip = int(row.pop("clip"))
        numbers = {str(key): value for key, value in row.items()}
        if "joint" in numbers:
            numbers["joint"] = store.skeleton.joints[int(row["joint"])]
        findings.append(Finding(clip, _names(store, [clip]), told.format(**numbers), numbers))
    return findings


def _names(store: Store, clips: Iterable[int]) -> tuple[str, ...]:
    return tuple(str(store.clip_name[clip]) for clip in clips)

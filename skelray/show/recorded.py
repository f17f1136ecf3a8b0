"""A clip of a store, ready to be drawn: upright, in metres, at the speed of life, without what nobody saw."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from skelray.data import facts, tracks
from skelray.data.clip import UNKNOWN
from skelray.data.store import Store
from skelray.show import upright
from skelray.show.scene import RATE, Panel, reach
from skelray.show.upright import Up

HEIGHT = 1.7  # metres that a body gets which is stored in units without a length
LENGTHS = {"metres": 1.0, "millimetres": 1e-3, "centimetres": 1e-2}


class View(NamedTuple):
    """How all clips of a store are looked at."""

    up: Up
    size: float  # metres of a unit
    origin: int | None  # the joint that may lie at zero and yet be seen
    rate: float  # frames a second
    rated: bool  # the store knows its rate

    @property
    def pace(self) -> str:
        """The speed, in a sentence."""
        known = f"Played at {self.rate:g} frames a second, as recorded."
        return known if self.rated else f"The frame rate is not recorded: {self.rate:g} a second are taken for granted."


def view(clips: Store) -> View:
    """Found in the store, and in the data where it does not say."""
    said, up = facts.aside(clips), upright.of_store(clips)
    size = LENGTHS.get(said["units"]) or _size(clips, up)
    rate = said["frame_rate"] or RATE
    return View(up, size, tracks.origin(clips), rate, said["frame_rate"] is not None)


def panel(clips: Store, clip: int, seen: View, *, title: str, told: str, note: str, every: int = 1) -> Panel:
    """Every `every`-th frame of a clip; what nobody saw is not drawn, and the panel is as large as what is."""
    joints = np.asarray(clips.joints(clip), np.float32)[:, ::every]
    lost = unseen(joints, seen.origin)
    joints = (seen.size * upright.seen(joints, seen.up)).astype(np.float32)
    there = joints[~lost] if not lost.all() else joints[:1, :1, 0]
    hidden = lost if lost.any() else None
    return Panel(title, told, joints, note, hidden=hidden, only_visible=True, about=there, reach=reach([there]))


def unseen(joints: Float32[np.ndarray, "M T V C"], origin: int | None) -> Bool[np.ndarray, "M T V"]:
    """Bodies that are all zeros, and joints at zero of those that are not."""
    zero = ~tracks.nonzero(joints)
    return zero.all(-1, keepdims=True) | tracks.missing(zero, origin)


def sizes(clips: Store, clip: int) -> str:
    """2 bodies, 31 frames."""
    bodies, frames = int(clips.bodies[clip]), int(clips.frames[clip])
    return f"{bodies} bod{'y' if bodies == 1 else 'ies'}, {frames} frame{'s' * (frames != 1)}"


def known(clips: Store, clip: int) -> list[str]:
    """subject 2, camera 1; as far as they are known."""
    numbers = {what: int(getattr(clips, what)[clip]) for what in ("subject", "camera")}
    return [f"{what} {number}" for what, number in numbers.items() if number != UNKNOWN]


def spoken(clips: Store, clip: int) -> str:
    """The class of a clip, in words."""
    return clips.classes[int(clips.label[clip])].replace("_", " ")


def _size(clips: Store, up: Up) -> float:
    """Metres of a unit, if bodies are as tall as people are."""
    first = tracks.first_frames(clips)
    high = np.where(tracks.nonzero(first), upright.seen(first, up)[..., 1], np.nan)
    tall = np.median(np.nanmax(high, 1) - np.nanmin(high, 1)) if len(first) else 0.0
    return HEIGHT / float(tall) if tall > 0 else 1.0

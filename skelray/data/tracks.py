"""The coordinates of a whole store, a bounded piece at a time.

A track is one body through one clip. A store keeps the frames of a track back to back, and track after track, so that
a piece of many clips is one array, and a fact about each track is one reduction over it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from jaxtyping import Bool, Float32, Int64

from skelray.data.store import Store

ROWS = 1 << 15  # body-frames of a piece: about 10 MB of 25 joints
SAMPLE = 4096  # clips whose first frame is asked where a median is enough


@dataclass(frozen=True)
class Piece:
    """Consecutive clips of a store, every body and every frame."""

    rows: Float32[np.ndarray, "R V C"]
    clip: Int64[np.ndarray, " K"]  # of each track
    body: Int64[np.ndarray, " K"]
    start: Int64[np.ndarray, " K"]  # the row where each track begins

    @cached_property
    def zero(self) -> Bool[np.ndarray, "R V"]:
        """Joints whose every coordinate is exactly zero: nobody saw them, or they are the origin."""
        return ~nonzero(self.rows)

    @cached_property
    def seen(self) -> Bool[np.ndarray, " R"]:
        """Body-frames in which the body was seen."""
        return np.asarray(~self.zero.all(1))

    @cached_property
    def track(self) -> Int64[np.ndarray, " R"]:
        """The number of the track of each row, counted in this piece."""
        counts = np.diff(np.append(self.start, len(self.rows)))
        return np.repeat(np.arange(len(self.start)), counts)

    def place(self, row: Int64[np.ndarray, " N"]) -> tuple[Int64[np.ndarray, " N"], ...]:
        """Clip, body and frame of some rows."""
        track = self.track[row]
        return self.clip[track], self.body[track], row - self.start[track]


def pieces(store: Store, rows: int = ROWS) -> Iterator[Piece]:
    """The whole store in order, as float32, in pieces of at most `rows` body-frames unless one clip has more."""
    length = store.bodies.astype(np.int64) * store.frames
    end = store.offset + length
    first = 0
    while first < store.clips:
        last = max(first + 1, int(np.searchsorted(end, store.offset[first] + rows, "right")))
        begin = int(store.offset[first])
        clip = np.repeat(np.arange(first, last), store.bodies[first:last])
        before = np.cumsum(store.bodies[first:last]) - store.bodies[first:last]
        body = np.arange(len(clip)) - before[clip - first]
        coordinates = np.asarray(store.rows[begin : int(end[last - 1])], np.float32)
        yield Piece(coordinates, clip, body, store.offset[clip] - begin + body * store.frames[clip])
        first = last


def nonzero(joints: Float32[np.ndarray, "*n C"]) -> Bool[np.ndarray, "*n"]:
    """Whether any coordinate of a joint is other than zero."""
    return any_of(joints != 0)


def any_of(coordinates: Bool[np.ndarray, "*n C"]) -> Bool[np.ndarray, "*n"]:
    """Whether something holds for any coordinate of a joint (a loop over the few there are is the fast way)."""
    return np.asarray(reduce(np.logical_or, (coordinates[..., channel] for channel in range(coordinates.shape[-1]))))


def first_frames(store: Store) -> Float32[np.ndarray, "N V C"]:
    """The first body's first frame of some clips spread over the store; those in which it is not seen left out."""
    asked = np.unique(np.linspace(0, store.clips - 1, min(store.clips, SAMPLE)).astype(np.int64))
    first = np.asarray(store.rows[store.offset[asked]], np.float32)
    return first[nonzero(first).any(-1)]


def origin(store: Store) -> int | None:
    """The joint that lies at the origin in most first frames: alignment put it there, so it is not missing."""
    first = first_frames(store)
    if not len(first):
        return None
    share = (~nonzero(first)).mean(0)
    return int(share.argmax()) if share.max() > 0.5 else None


def missing(zero: Bool[np.ndarray, "*n V"], middle: int | None) -> Bool[np.ndarray, "*n V"]:
    """Joints that nobody saw: all zeros, in a body that was seen, and not the origin (`middle`, from `origin`)."""
    found = zero & ~zero.all(-1, keepdims=True)
    if middle is not None:
        found[..., middle] = False
    return found

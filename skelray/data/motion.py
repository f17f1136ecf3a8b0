"""What coordinates tell of joints that stand still, bones that stretch and joints that jump: the numbers of a check."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Int64

from skelray.data import tracks
from skelray.data.store import Store
from skelray.data.tracks import Piece

STILL = 1e-6  # of a coordinate, or of one unit where that is more: below it, turning a clip alone changes bits
COLUMNS = ("clip", "body", "frame", "joint", "value", "mean", "shortest", "longest")


@dataclass(frozen=True)
class Seen:
    """A piece, and which of its joints hold a measurement."""

    piece: Piece
    rows: Float32[np.ndarray, "R V C"]  # without what is not finite
    there: Bool[np.ndarray, "R V"]  # joints that somebody saw
    goes_on: Bool[np.ndarray, " S"]  # of each step from one row to the next: both are the same body, seen
    moved: Bool[np.ndarray, "S V"]  # of each step: the joint changed its place


class Pass:
    """What one pass over a store gathers: tables of findings, and the lengths of every bone of every track."""

    def __init__(self, store: Store):
        self.store, self.middle = store, tracks.origin(store)
        self.joint, self.parent = np.array(store.skeleton.bones, np.int64).reshape(-1, 2).T
        self._tables: dict[str, list[pd.DataFrame]] = defaultdict(list)

    def add(self, kind: str, table: pd.DataFrame) -> None:
        """Keep the findings of a piece: each clip's worst."""
        self._tables[kind].append(table.sort_values("value", ascending=False, kind="stable").drop_duplicates("clip"))

    def table(self, kind: str) -> pd.DataFrame:
        """All findings of a kind, or all that was gathered of it."""
        parts = [each for each in self._tables[kind] if len(each)] or self._tables[kind]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS), dtype=float)

    def measure(self, piece: Piece) -> Seen:
        """Keep what every kind of finding needs of a piece."""
        rows, finite = piece.rows, ~tracks.any_of(~np.isfinite(piece.rows))
        if not finite.all():
            self._add_infinite(piece, finite)
            rows = np.where(finite[..., None], rows, np.float32(0))
        lost = tracks.missing(piece.zero, self.middle)
        there = finite & ~lost & piece.seen[:, None]
        goes_on = (piece.track[1:] == piece.track[:-1]) & piece.seen[1:] & piece.seen[:-1]
        moved = tracks.any_of(np.abs(rows[1:] - rows[:-1]) > STILL * np.maximum(1, np.abs(rows[1:])))
        seen = Seen(piece, rows, there, goes_on, moved)
        self._add_tracks(seen, lost)
        return seen

    def empty_clips(self) -> pd.DataFrame:
        """Clips none of whose bodies is ever seen."""
        by_clip = (
            self.table("tracks").groupby("clip", as_index=False).agg(frames=("frames", "max"), seen=("seen", "sum"))
        )
        return by_clip.loc[by_clip["seen"] == 0, ["clip", "frames"]]

    def empty_bodies(self) -> pd.DataFrame:
        """Bodies that are never seen in a clip that shows another."""
        table = self.table("tracks")
        empty = (table["seen"] == 0) & ~table["clip"].isin(self.empty_clips()["clip"])
        return table.loc[empty, ["clip", "body", "frames"]]

    def missing(self, share: float) -> pd.DataFrame:
        """Clips that lack at least this share of the joints of the bodies that are seen."""
        by_clip = self.table("tracks").groupby("clip", as_index=False)[["seen", "lost"]].sum()
        by_clip["value"] = by_clip["lost"] / (by_clip["seen"] * len(self.store.skeleton.joints)).clip(lower=1)
        return by_clip.loc[(by_clip["value"] >= share) & (by_clip["lost"] > 0), ["clip", "value"]]

    def long_bones(self, times: float) -> pd.DataFrame:
        """The longest bone of each clip, in times its median over the store, where that is more than `times`."""
        lengths = self.table("bones")
        usual = lengths.groupby("joint")["mean"].transform("median")
        value = lengths["longest"] / usual.where(usual > 0)
        found = lengths.assign(usual=usual, value=value, length=lengths["longest"])[value > times]
        return self._worst(found, longest=True)[["clip", "body", "frame", "joint", "length", "usual", "value"]]

    def changing_bones(self, factor: float) -> pd.DataFrame:
        """The bone of each clip that changes most, where it is `factor` times as long in one frame as in another.

        The change must be as large as the middle one of all bones: a hand of 8 cm trembles by a factor of 10.
        """
        lengths = self.table("bones")
        middle = lengths.groupby("joint")["mean"].median().median()
        value = lengths["longest"] / lengths["shortest"].clip(lower=1e-6)  # a bone may vanish
        changed = lengths["longest"] - lengths["shortest"] >= middle
        found = lengths.assign(value=value)[(value >= factor) & changed]
        return self._worst(found, longest=False)[["clip", "body", "frame", "joint", "shortest", "longest", "value"]]

    def _worst(self, found: pd.DataFrame, longest: bool) -> pd.DataFrame:
        worst = found.sort_values("value", ascending=False, kind="stable").drop_duplicates("clip")
        places = zip(worst["clip"], worst["body"], worst["joint"], strict=True)
        return worst.assign(
            frame=[self._frame(int(clip), int(body), int(joint), longest) for clip, body, joint in places]
        )

    def _frame(self, clip: int, body: int, joint: int, longest: bool) -> int:
        """The frame of a clip in which the bone at a joint is longest, or shortest."""
        joints = np.asarray(self.store.joints(clip)[body], np.float32)
        zero = ~tracks.nonzero(joints)
        lost = tracks.missing(zero, self.middle) | zero.all(-1, keepdims=True) | ~np.isfinite(joints).all(-1)
        parent = self.store.skeleton.parents[joint]
        length = np.linalg.norm(joints[:, joint] - joints[:, parent], axis=-1)
        out = lost[:, joint] | lost[:, parent]
        return int(np.where(out, -np.inf, length).argmax() if longest else np.where(out, np.inf, length).argmin())

    def _add_infinite(self, piece: Piece, finite: Bool[np.ndarray, "R V"]) -> None:
        row, joint = np.nonzero(~finite)
        clip, body, frame = piece.place(row)
        table = pd.DataFrame({"clip": clip, "body": body, "frame": frame, "joint": joint})
        count = table.groupby("clip")["joint"].transform("size")
        self.add("infinite", table.assign(value=count, count=count))

    def _add_tracks(self, seen: Seen, lost: Bool[np.ndarray, "R V"]) -> None:
        piece, start = seen.piece, seen.piece.start
        known = {"clip": piece.clip, "body": piece.body}
        frames = np.diff(np.append(start, len(piece.rows)))
        told = {
            "seen": np.add.reduceat(piece.seen.astype(np.int64), start),
            "lost": np.add.reduceat(lost.sum(1), start),
        }
        self._tables["tracks"].append(pd.DataFrame({**known, "frames": frames, **told}))
        if not len(self.joint):
            return
        away = seen.rows[:, self.joint] - seen.rows[:, self.parent]
        length = np.sqrt(np.einsum("rbc,rbc->rb", away, away))
        both = seen.there[:, self.joint] & seen.there[:, self.parent]
        count = np.add.reduceat(both.astype(np.int64), start)
        total = np.add.reduceat(np.where(both, length, 0).astype(np.float64), start)
        longest = np.maximum.reduceat(np.where(both, length, 0), start)
        shortest = np.minimum.reduceat(np.where(both, length, np.float32(np.inf)), start)
        scale = np.ones((len(start), 1))
        if self.store.skeleton.channels == 2:  # near bodies look larger: a bone is measured by its body's bones
            scale = total.sum(1, keepdims=True) / count.sum(1, keepdims=True).clip(1)
            scale[scale == 0] = 1
        track, bone = np.nonzero(count)
        numbers = {"mean": total / count.clip(1) / scale, "shortest": shortest / scale, "longest": longest / scale}
        chosen = {name: each[track, bone].astype(np.float32) for name, each in numbers.items()}
        place = {"clip": piece.clip[track].astype(np.int32), "body": piece.body[track].astype(np.int16)}
        self._tables["bones"].append(pd.DataFrame({**place, "joint": self.joint[bone].astype(np.int16), **chosen}))


def frozen_joints(seen: Seen, frames: int) -> pd.DataFrame:
    """Where a joint kept its place for at least so many frames, in steps in which its body moved."""
    body_moved = np.asarray(seen.moved.any(1))
    steady = seen.there[1:] & seen.there[:-1] & ~seen.piece.zero[1:] & seen.goes_on[:, None]  # zero: the origin
    count = np.cumsum(~seen.moved & body_moved[:, None], 0)
    return _longest(seen, count - np.maximum.accumulate(np.where(seen.moved | ~steady, count, 0), 0), frames)


def frozen_bodies(seen: Seen, frames: int) -> pd.DataFrame:
    """Where a whole body kept its place for at least so many frames."""
    moved = np.asarray(seen.moved.any(1) | ~seen.goes_on)
    count = np.cumsum(~moved)
    run = count - np.maximum.accumulate(np.where(moved, count, 0))
    return _longest(seen, run[:, None], frames).drop(columns="joint")


def jumps(seen: Seen, reach: float) -> pd.DataFrame:
    """Steps in which a joint goes farther than `reach`, with the distance."""
    away = seen.rows[1:] - seen.rows[:-1]
    distance = np.sqrt(np.einsum("svc,svc->sv", away, away))
    steady = seen.there[1:] & seen.there[:-1] & seen.goes_on[:, None]
    return _where(seen, steady & (distance > reach), distance)


def _longest(seen: Seen, run: Int64[np.ndarray, "S V"], frames: int) -> pd.DataFrame:
    """Runs of steps as runs of frames: one more."""
    return _where(seen, run >= frames - 1, run + 1)


def _where(seen: Seen, found: Bool[np.ndarray, "S V"], value: np.ndarray) -> pd.DataFrame:
    step, joint = np.nonzero(found)
    clip, body, frame = seen.piece.place(step + 1)
    return pd.DataFrame({"clip": clip, "body": body, "frame": frame, "joint": joint, "value": value[found]})

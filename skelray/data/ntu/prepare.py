"""From the text of a raw file to the bodies of a clip: the released preparation, rule by rule, each with its switch."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from skelray.data.ntu import actors, denoise
from skelray.data.ntu.denoise import Track
from skelray.data.ntu.parse import Recording
from skelray.schema import Strict

EMPTY = "frames without a body left out"
CLOSED = "bodies whose gaps were closed"
LENGTH = "bodies seen in at most 11 frames left out"
SPREAD = "bodies too wide in 69.754 % of their frames left out"
REMEASURED = "bodies whose motion was measured on fewer frames"
MOTION = "further bodies with a motion outside 0.089925..2 left out"
ZEROS = "frames in which nobody was left removed"
COPIED = "only bodies copied into the second slot"
NOBODY = "no frame with a body"
NOISE = "no body seen in more than 11 frames"


class Rules(Strict):
    """The switches of the preparation; the defaults are what the released scripts do."""

    drop_empty_frames: bool = Field(True, description="leave frames without a body out, rather than keep them as zeros")
    compressed_gaps: bool = Field(
        True, description="a body that is lost and comes back goes on right after its last frame, so that gaps close"
    )
    length_rule: bool = Field(True, description="leave out bodies seen in at most 11 frames, where there are several")
    spread_rule: bool = Field(
        True,
        description="leave out bodies that are wider than 0.8 of their height in 69.754 % of their frames, and measure "
        "the motion of the others on their good frames, where there are several",
    )
    motion_rule: bool = Field(
        False, description="leave out further bodies whose motion is outside 0.089925..2 m2; released, but not in use"
    )
    share_slots: bool = Field(
        True, description="lay further bodies into the slot of an actor whom they do not overlap, rather than keep two"
    )
    second_from_start: bool = Field(True, description="count what actor 2 occupies from the first frame of the clip")
    drop_zero_frames: bool = Field(
        True, description="remove frames in which no body was left, in files with more than one body number"
    )
    second_body: Literal["auto", "absent", "duplicate"] = Field(
        "auto",
        description="a clip with one body has no second one (absent), or the only one twice (duplicate); auto: absent "
        "for NTU 60, duplicate for NTU 120, as in the released arrays",
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the rules left of a file."""

    slots: actors.Slots | None  # metres, one or two bodies; None where nothing was left
    counts: Counter[str] = field(default_factory=Counter)  # rule, in words -> how often it changed something
    reason: str = ""  # why nothing was left


def prepare(recording: Recording, rules: Rules, where: str, duplicate: bool) -> Prepared:
    """The bodies of one file. Raises BadInput where a body is listed twice in a frame beyond repair."""
    counts: Counter[str] = Counter()
    found = denoise.tracks(recording, where, not rules.drop_empty_frames, rules.compressed_gaps)
    if not found:
        return Prepared(None, +counts, NOBODY)
    frames = denoise.places(recording, not rules.drop_empty_frames)[1]
    counts[EMPTY] += recording.frames - frames
    counts[CLOSED] += sum(track.closed for track in found)
    several = len(found) > 1
    if several:
        found = _people(found, rules, counts)
    if not found:
        return Prepared(None, +counts, NOISE)
    if len(found) == 1:
        slots = actors.one_actor(found[0], frames)
    else:
        slots = actors.two_actors(
            denoise.by_most_motion(found), frames, rules.share_slots, rules.second_from_start, counts
        )
    if several and rules.drop_zero_frames:
        kept = actors.without_zero_frames(slots)
        counts[ZEROS] += slots.shape[1] - kept.shape[1]
        slots = kept
    if not slots.any():
        return Prepared(None, +counts, NOBODY)
    if len(slots) == 1 and duplicate:
        counts[COPIED] += 1
        slots = slots.repeat(2, axis=0)
    elif len(slots) == 2 and not slots[1].any():  # released as zeros in both data sets, never as a copy
        slots = slots[:1]
    return Prepared(slots, +counts)


def _people(found: list[Track], rules: Rules, counts: Counter[str]) -> list[Track]:
    """The tracks that the rules take for people; each rule looks at what the one before it left, while there are
    several."""
    for switch, rule, name in (
        (rules.length_rule, denoise.by_length, LENGTH),
        (rules.spread_rule, denoise.by_spread, SPREAD),
        (rules.motion_rule, denoise.by_motion, MOTION),
    ):
        if switch and len(found) > 1:
            kept = rule(found)
            counts[name] += len(found) - len(kept)
            before = {track.body: track.motion for track in found}
            counts[REMEASURED] += sum(track.motion < before[track.body] for track in kept)
            found = kept
    return found

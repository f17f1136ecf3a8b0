"""A data set on one page: its facts, how its clips spread, and a clip of each class that moves."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int64

from skelray.data import facts, splits, telling
from skelray.data.clip import UNKNOWN
from skelray.data.store import Store
from skelray.page import section, table
from skelray.show import page, recorded
from skelray.show.scene import Panel, Scene
from skelray.show.tables import bars, histogram

WEIGHT = 3_400_000  # bytes of coordinates, as text, that a page may hold


def text(clips: Store, quick: bool = False) -> str:
    """The whole file. `quick`: nothing that reads every coordinate."""
    found = facts.gather(clips, quick)
    chosen, lacking = typical(clips)
    drawn = scene(clips, chosen)
    if lacking:
        drawn = replace(drawn, lead=(*drawn.lead, f"No clip to show of: {', '.join(lacking)}."))
    return page.text(drawn, sections(clips, found))


def scene(clips: Store, chosen: dict[int, int]) -> Scene:
    """A panel a class: class -> clip. Long clips leave frames out where the page would be too heavy."""
    seen, channels = recorded.view(clips), 3
    numbers = sum(int(clips.bodies[clip]) * int(clips.frames[clip]) for clip in chosen.values())
    weight = numbers * len(clips.skeleton.joints) * (2 * channels + 1) * 4 / 3  # two bytes a number, one if hidden
    every = max(1, int(np.ceil(weight / WEIGHT)))
    panels = tuple(_panel(clips, clip, seen, every) for clip in chosen.values())
    lead = (
        f"One clip of each class: of its {'training clips' if splits.available(clips) else 'clips'}, the one nearest "
        f"to their median length. From the front, {seen.up} upwards, each in its own scale. {seen.pace}"
        + (f" Every {every} frames one is shown." if every > 1 else ""),
    )
    title = f"{clips.name}: {clips.clips:,} clips of {len(clips.classes)} classes"
    return Scene(title, lead, clips.skeleton, panels, (1.0, 1.0), seen.rate / every)


def typical(clips: Store) -> tuple[dict[int, int], list[str]]:
    """Class -> the clip nearest to the median length of its training clips; and the classes without a training clip.

    A clip trains here when it does so under every split that the store serves, or, where no such clip of a class is
    left, under one of them. Without splits every clip counts.
    """
    sides = [splits.training_side(clips, split) for split in splits.available(clips)]
    everywhere = np.all(sides, axis=0) if sides else np.ones(clips.clips, bool)
    somewhere = np.any(sides, axis=0) if sides else everywhere
    chosen, lacking = {}, []
    for label, name in enumerate(clips.classes):
        mine = clips.label == label
        for side in (everywhere, somewhere):
            if len(inside := np.flatnonzero(mine & side)):
                chosen[label] = _median(clips, inside)
                break
        else:
            lacking.append(name)
    return chosen, lacking


def sections(clips: Store, found: dict[str, Any]) -> list[str]:
    """What stands above the moving clips."""
    told = [[what, words] for what, words in telling.told(found).items() if what not in ("classes", "splits")]
    parts = [section("Facts", table("What the store says", [], told, kind="told"))]
    if found["splits"]:
        rows = [_split(split) for split in found["splits"]]
        heads = ["split", "training clips", "test clips", "test copies of training", "the complete set has"]
        parts.append(section("Splits", table("Clips on each side", heads, rows)))
    lengths = [clips.frames[clips.label == label] for label in range(len(clips.classes))]
    rows = [
        [name, bars(len(own), max(map(len, lengths))), f"{len(own):,}", f"{np.median(own):g}" if len(own) else "-"]
        for name, own in zip(clips.classes, lengths, strict=True)
    ]
    parts.append(section("Classes", table("Clips of each class", ["class", "", "clips", "median frames"], rows)))
    parts.append(section("Lengths", histogram(clips.frames, "clips", "frames")))
    parts.append(section("Subjects and cameras", _who(clips)))
    return parts


def _median(clips: Store, inside: Int64[np.ndarray, " N"]) -> int:
    lengths = clips.frames[inside]
    return int(inside[np.abs(lengths - np.median(lengths)).argmin()])


def _panel(clips: Store, clip: int, seen: recorded.View, every: int) -> Panel:
    name, known = recorded.spoken(clips, clip), ", ".join([recorded.sizes(clips, clip), *recorded.known(clips, clip)])
    told = f"Animated skeleton, {name}: {known}"
    note = f"clip {clip}, {clips.clip_name[clip]}: {known}"
    panel = recorded.panel(clips, clip, seen, title=name, told=told, note=note, every=every)
    half = max(panel.reach or (1.0,))
    return replace(panel, reach=(half, half), group="A clip of each class")


def _split(split: dict[str, Any]) -> list[str]:
    whole = split["expected"]
    complete = f"{whole['train']:,} / {whole['test']:,}" if whole else "-"
    return [split["name"], *(f"{split[key]:,}" for key in ("train", "test", "test_copies_of_train")), complete]


def _who(clips: Store) -> str:
    """Clips by subject (down) and camera (across); unknown ones under that name."""
    people, person = np.unique(clips.subject, return_inverse=True)
    cameras, camera = np.unique(clips.camera, return_inverse=True)
    if list(people) == [UNKNOWN] and list(cameras) == [UNKNOWN]:
        return "<p>Neither subjects nor cameras are known.</p>"
    counts = np.zeros((len(people), len(cameras)), np.int64)
    np.add.at(counts, (person, camera), 1)
    heads = ["subject", *(_number("camera", each) for each in cameras.tolist()), "all"]
    rows = [
        [_number("", each), *(f"{count:,}" for count in line), f"{line.sum():,}"]
        for each, line in zip(people.tolist(), counts, strict=True)
    ]
    rows.append(["all", *(f"{count:,}" for count in counts.sum(0)), f"{counts.sum():,}"])
    return table("Clips of each subject before each camera", heads, rows)


def _number(what: str, number: int) -> str:
    return f"{what} {'unknown' if number == UNKNOWN else number}".strip()

"""Clips of five-joint people for tests that look at data: sound ones, that a test then damages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skelray.data import store
from skelray.data.clip import Clip
from skelray.data.store import Store
from skelray.skeletons import Skeleton

REST = np.array([[0, 0, 0], [0, 0.5, 0], [-0.4, 0.3, 0], [0.4, 0.3, 0], [0, 0.8, 0]])  # hip chest left right head
CLASSES = ("wave <b>", "pick_up")


def person(frames: int, seed: int) -> np.ndarray:
    """Frames x joints x 3 metres: walks a little, and every joint trembles by millimetres."""
    random = np.random.default_rng(seed)
    walk = random.normal(0, 0.01, (frames, 1, 3)).cumsum(0)
    return (REST + walk + random.normal(0, 0.002, (frames, 5, 3)) + [0.1, 0.2, 3.0]).astype(np.float32)


def people(count: int = 8, frames: int = 40) -> list[Clip]:
    """Sound clips: two classes, four subjects, two cameras; clip 0 shows two bodies; subjects 0 and 1 train."""
    clips = []
    for number in range(count):
        bodies = np.stack([person(frames + number, 10 * number + body) for body in range(1 + (number == 0))])
        subject = number % 4
        about = {"subject": subject, "camera": number // 4 % 2, "sides": {"given": subject // 2}}
        clips.append(Clip(f"clip<{number}>", bodies, number % 2, **about))
    return clips


def five(channels: int = 3) -> Skeleton:
    """A trunk of two joints, two hands and a head."""
    return Skeleton(
        name="five",
        joints=("hip", "chest", "hand_left", "hand_right", "head"),
        parents=(0, 0, 1, 1, 1),
        mirror=((2, 3),),
        parts={"trunk": (0, 1, 4), "arm_left": (2,), "arm_right": (3,)},
        channels=channels,
    )


def stored(path: Path, clips: Sequence[Clip], skeleton: Skeleton | None = None, **more: Any) -> Store:
    """A written and opened store named "people"."""
    classes = more.pop("classes", CLASSES)
    store.write(path, clips, skeleton or five(), "people", classes, **more)
    return store.open(path)

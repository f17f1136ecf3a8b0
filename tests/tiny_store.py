"""Small stores for tests: random walks with known subjects, cameras and copies."""

from pathlib import Path

import numpy as np

from skelray import skeletons
from skelray.data import store
from skelray.data.clip import Clip

CLASSES = ("sit", "stand", "walk")


def tiny_clips(subjects: int = 6, cameras: int = 3, repeats: int = 1, seed: int = 0) -> list[Clip]:
    """Every subject does every class before every camera; the last camera's walk copies the one before's."""
    random = np.random.default_rng(seed)
    clips: list[Clip] = []
    for subject in range(1, subjects + 1):
        for label in range(len(CLASSES)):
            for repeat in range(repeats):
                for camera in range(1, cameras + 1):
                    bodies, frames = 1 + (len(clips) % 5 == 0), int(random.integers(5, 70))
                    joints = random.normal(0, 0.1, (bodies, frames, 20, 3)).cumsum(1).astype(np.float32)
                    if label == 2 and camera == 3:
                        joints = clips[-1].joints
                    name = f"s{subject}_l{label}_r{repeat}_c{camera}"
                    clips.append(Clip(name, joints, label, subject, camera, replication=repeat))
    return clips


def tiny_store(path: Path, clips: list[Clip] | None = None, name: str = "nw-ucla") -> store.Store:
    """A written and opened store; under the name nw-ucla, so that it has an official cross-view split."""
    clips = tiny_clips() if clips is None else clips
    store.write(path, clips, skeletons.layout("kinect20"), name, CLASSES, ("as drawn",))
    return store.open(path)

"""A trial small enough for a test: a store of swaying clips, a config for it, and what listens to it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from skelray import checkpoint
from skelray.data import store
from skelray.data.clip import Clip
from skelray.data.loader import Pool


class Killed(Exception):
    """What ends a trial in the middle."""


OWN = {  # settings of methods that are not like the others
    "amr": {"decoder_depth": 1, "mask_ratio": 0.6, "coarse": 3, "windows": [4]},
    "gfp": {"mask_ratio": 0.6, "local_hidden": 8, "local_width": 8, "global_hidden": 8, "global_width": 8},
    "slim": {"local": [[8, 0.3, 0.7, 1]], "prototypes": 32, "head_width": 16, "bottleneck": 8},
}


def tiny(method: str = "amr", **rest) -> dict:
    """A trial of the store below: four optimiser steps in two reports."""
    part = {"name": method, "encoder": {"frames": 12, "patch": 4, "width": 16, "depth": 1, "heads": 2}}
    part |= OWN.get(method, {"decoder_depth": 1, "mask_ratio": 0.6})
    return {
        "data": {"store": rest.pop("store"), "split": "given", "val_subjects": 1},
        "method": part,
        "train": {"clips": 64, "batch": 16, "reports": 4} | rest.pop("train", {}),
        "evaluate": {"linear": {"epochs": 5}},
        "seed": 5,
    } | rest


def wave(label: int, subject: int, side: int, seed: int) -> Clip:
    """Five joints that sway at the pace of their class; every third clip has a second body."""
    random = np.random.default_rng(seed)
    frames = int(random.integers(10, 20))
    pace = np.sin(np.arange(frames) * (0.3 + 0.4 * label))[None, :, None, None]
    joints = pace * np.arange(5)[:, None] * 0.1 + random.normal(0, 0.02, (1 + (seed % 3 == 0), frames, 5, 3))
    return Clip(f"clip{seed}", joints.astype(np.float32), label, subject, sides={"given": side})


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """36 clips of three classes by four training subjects, 9 test clips, and 3 test clips that copy training ones."""
    train = [wave(i % 3, i // 3 % 4, side=0, seed=i) for i in range(36)]
    test = [wave(i % 3, 7, side=1, seed=100 + i) for i in range(9)]
    return [
        *train,
        *test,
        *(replace(clip, subject=7, sides={"given": 1}, clip_name=f"copy{clip.clip_name}") for clip in train[:3]),
    ]


@pytest.fixture(scope="module")
def stored(clips, five_joints, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("store") / "tiny.arrow"
    store.write(path, clips, five_joints, "tiny", ("slow", "middle", "fast"))
    return str(path)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Heard(list):
    """A report function that keeps what it is told and ends the trial at its report number `last`."""

    def __init__(self, last: int | None = None):
        super().__init__()
        self.last = last

    def __call__(self, clips: int, metrics: dict[str, float]) -> None:
        self.append((clips, metrics))
        if len(self) == self.last:
            raise Killed


def weights(folder) -> dict[str, torch.Tensor]:
    return checkpoint.latest(folder)["model"]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


@pytest.fixture
def seen(monkeypatch) -> list[int]:
    """Every clip whose coordinates are read."""
    read: list[int] = []
    view = Pool.view

    def spied(self, clips, *rest):
        read.extend(clips.tolist())
        return view(self, clips, *rest)

    monkeypatch.setattr(Pool, "view", spied)
    return read

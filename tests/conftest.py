"""What several test files share: real data by its address, and tiny batches."""

import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from skelray.batch import Batch
from skelray.cost import cost
from skelray.data import readers, store
from skelray.rng import generator
from skelray.skeletons import Skeleton

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real skeleton data; the test is skipped when it is not there, unless it must be."""
    folder = Path(os.environ.get("SKELRAY_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        if os.environ.get("SKELRAY_REQUIRE_SHARED"):
            pytest.fail(f"no real skeleton data at {folder}")
        pytest.skip(f"no real skeleton data at {folder}; set SKELRAY_SHARED")
    return folder


@pytest.fixture(scope="session")
def five_joints() -> Skeleton:
    """A trunk of two joints, two arms and a head: enough for every method."""
    return Skeleton(
        name="five",
        joints=("hip", "chest", "hand_left", "hand_right", "head"),
        parents=(0, 0, 1, 1, 1),
        mirror=((2, 3),),
        parts={"trunk": (0, 1, 4), "arm_left": (2,), "arm_right": (3,)},
    )


@pytest.fixture(scope="session")
def imported(shared_data, tmp_path_factory) -> Callable[[str], store.Store]:
    """The stores of the real data sets by the names of their readers, each imported once."""
    folder = tmp_path_factory.mktemp("imported")
    places = {"nw_ucla": "nw-ucla", "utd_mhad": "utd-mhad", "msrc12": "msrc12.npz", "ntu_skeleton": "samples/ntu_raw"}

    @cache
    def found(reader: str) -> store.Store:
        source = readers.load(reader).read(shared_data / places[reader])
        path = folder / f"{reader}.arrow"
        told = {"units": source.units, "frame_rate": source.frame_rate, "licence": source.licence}
        store.write(path, source.clips, source.skeleton, source.name, source.classes, source.transforms, about=told)
        return store.open(path)

    return found


@pytest.fixture(scope="session")
def synthetic_stores(tmp_path_factory) -> Path:
    """A folder for SKELRAY_STORES, where each synthetic set is built when it is first asked for and then lies ready."""
    return tmp_path_factory.mktemp("synthetic")


@pytest.fixture(scope="session")
def costs() -> Callable[..., dict]:
    """The cost of a method by its name and settings, each counted once."""

    @cache
    def counted(name: str, **settings: Any) -> dict:
        return cost(name, settings)

    return counted


def tiny_batch(seed: int = 0, clips: int = 4, frames: Sequence[int] = (8,)) -> Batch:
    """Clips of up to two wandering five-joint bodies, one view for each of `frames`; clip 1 has no second body."""
    draw = generator(seed, "tiny")
    present = torch.ones(clips, 2, dtype=torch.bool)
    present[1, 1] = False
    looks = []
    for count in frames:
        x = 0.1 * torch.randn(clips, 2, count, 5, 3, generator=draw).cumsum(2)
        x[~present] = 0
        looks.append(x)
    return Batch(looks, present, torch.arange(clips) % 3, generator(seed, "loss"))

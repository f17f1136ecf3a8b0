"""Few labels on one and on two workers: each process of a real group draws the clips that one process alone draws."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_trial import Heard, tiny, wave
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from skelray import evaluate, trial
from skelray.data import splits, store, subsets
from skelray.evaluate import classifier
from skelray.trial_config import TrialConfig

SHARES = (0.01, 0.1)
SEMI = {"epochs": 1, "hidden": 4, "shares": SHARES, "draws": 2}


@pytest.fixture
def stored(five_joints, tmp_path) -> str:
    """300 training clips of three classes by five subjects, of which 1 % are a clip a class; 12 test clips."""
    train = [wave(i % 3, i // 3 % 5, side=0, seed=i) for i in range(300)]
    test = [wave(i % 3, 7, side=1, seed=1000 + i) for i in range(12)]
    store.write(tmp_path / "many.arrow", [*train, *test], five_joints, "many", ("slow", "middle", "fast"))
    return str(tmp_path / "many.arrow")


def on_a_worker(rank: int, world: int, stored: str, folder: str) -> None:
    """A trial that asks for semi, as one of `world`; then semi on validation and on test clips, by every worker.

    Writes down which clips each classifier was trained on. Ranks differ in all that clips could be drawn by.
    """
    torch.set_num_threads(1)
    place = Path(folder) / str(world)
    if world > 1:
        distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    np.random.seed(rank)  # noqa: NPY002  # what the released code draws its subsets by
    torch.manual_seed(rank)
    fitted, fit = [], classifier.fit

    def spied(method, pool, clips, cfg, *, seed):
        fitted.append([pool.store.clip_name[clip] for clip in clips])
        return fit(method, pool, clips, cfg, seed=seed)

    classifier.fit = spied
    settings = tiny(store=stored, train={"clips": 16, "batch": 8, "reports": 1})
    settings["evaluate"] = {"protocols": ["semi"], "semi": SEMI}
    cfg = TrialConfig.model_validate(settings)
    wrap = DistributedDataParallel if world > 1 else (lambda method: method)
    trial.run(cfg, folder=place / "run", report=Heard(), rank=rank, world=world, wrap=wrap)
    told = {"trial": list(fitted)}
    for side, parts in (("val", trial.prepare(cfg)), ("test", trial.prepare(cfg, final=True))):
        fitted.clear()
        if side == "val":
            evaluate.measure("semi", parts.case(), cfg.evaluate.semi)
        else:
            parts.test(["semi"], place / f"ledger-{rank}.jsonl", "test")
        told[side] = list(fitted)
    (place / f"{rank}.json").write_text(json.dumps(told))
    if world > 1:
        distributed.destroy_process_group()


def test_one_percent_of_the_labels_is_the_same_clips_on_one_and_two_workers(stored, tmp_path):
    for world in (1, 2):
        (tmp_path / str(world)).mkdir()
        multiprocessing.spawn(on_a_worker, (world, stored, str(tmp_path)), nprocs=world)
    alone, first, second = (json.loads((tmp_path / each).read_text()) for each in ("1/0.json", "2/0.json", "2/1.json"))
    assert first == alone
    assert second == alone | {"trial": []}  # in a trial the first worker measures for all
    assert alone["trial"] == alone["val"]
    assert [len(clips) for clips in alone["test"]] == [3, 3, 30, 30]
    opened = store.open(Path(stored))
    assert alone["test"] == [
        opened.clip_name[subsets.labelled(opened, "given", share, draw).indices].tolist()
        for share in SHARES
        for draw in range(2)
    ]
    assert alone["test"][0] != alone["test"][1]
    known = set(opened.clip_name[splits.training_clips(opened, "given")])
    assert all(set(clips) <= known for clips in alone["val"])

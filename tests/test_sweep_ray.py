"""A sweep under a real Ray: both launchers, early stops, faults of one trial, a killed driver."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import ray
from mlflow import MlflowClient
from tiny_store import tiny_clips, tiny_store

from skelray import trial, trial_config, yaml_file
from skelray.errors import Stopped
from skelray.events import Ended, Journal, Reported, Started
from skelray.results import Results
from skelray.sweep import cluster, driver
from skelray.sweep.preflight import Machine, Placement
from skelray.sweep.tune_search import Job

pytestmark = [pytest.mark.ray, pytest.mark.slow]
MACHINE = Machine(cpus=2, gpus=0, memory=16 << 30)
METHOD = {
    "decoder_depth": 1, "mask_ratio": 0.6, "encoder": {"frames": 12, "patch": 4, "width": 16, "depth": 1, "heads": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("store") / "tiny.arrow"
    tiny_store(path, tiny_clips(repeats=2))
    return str(path)


@pytest.fixture(scope="module")
def local_ray():
    """One Ray of two CPUs for the tests of this file."""
    cluster.begin(cpus=2, gpus=0, dashboard=True)
    yield
    ray.shutdown()


@pytest.fixture
def space(tmp_path, stored) -> Path:
    """A search space and the sweep it runs under: three trials of four reports."""
    (tmp_path / "search_spaces").mkdir()
    (tmp_path / "sweeps").mkdir()
    ratio = {"kind": "float", "low": 0.4, "high": 0.8}
    rate = {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True}
    file = tmp_path / "search_spaces/skeletonmae.yaml"
    yaml_file.write(
        file, {"method": "skeletonmae", "points": [{}], "search": {"method.mask_ratio": ratio, "optim.lr": rate}}
    )
    settings = {
        "data": {"store": stored, "split": "xview", "val_subjects": 2},
        "train": {"clips": 64, "batch": 16, "reports": 4},
        "evaluate": {"linear": {"epochs": 3, "lr": [0.1]}}, "method": METHOD,
    }  # fmt: skip
    yaml_file.write(
        tmp_path / "sweeps/quick.yaml",
        {
            "question": "?", "price": "?", "expected": "?", "spaces": ["skeletonmae"], "trial": settings,
            "budget": {"trials": 3, "grace": 64, "reduction": 3}, "final": {"seeds": 1}, "resources": {"concurrent": 1},
        },
    )  # fmt: skip
    return file


def config(stored: str, clips: int = 64, **rest) -> dict:
    raw = {
        "data": {"store": stored, "split": "xview", "val_subjects": 2},
        "method": {"name": "skeletonmae", **METHOD},
        "train": {"clips": clips, "batch": 16, "reports": 4},
        "evaluate": {"linear": {"epochs": 3, "lr": [0.1]}},
    }
    return trial_config.TrialConfig.model_validate(raw | rest).model_dump(mode="json")


class Kept:
    """A queue of given jobs; stops those named, and keeps what it is told."""

    def __init__(self, jobs: list[Job], stop: tuple[str, ...] = ()):
        self.waiting, self.stop = list(jobs), stop
        self.reports: dict[str, list] = {}
        self.ends: dict[str, tuple] = {}

    def next(self):
        return self.waiting.pop(0) if self.waiting else None

    def started(self, key):
        self.reports.setdefault(key, [])

    def reported(self, key, clips, metrics):
        self.reports[key].append((clips, metrics))
        return key in self.stop

    def ended(self, key, state, reason):
        self.ends[key] = state, reason


def fit(folder: Path, queue, launcher: str, workers: int = 1, concurrent: int = 1) -> None:
    names = {"trials": str(folder / launcher), "ray": str(folder / "ray"), "ledger": str(folder / "ledger")}
    common = {**names, "directory": str(folder), "fingerprint": None, "protocols": ["linear"], "peek": False}
    with cluster.Cluster(None) as our_ray:
        our_ray.fit(queue, Placement(launcher, concurrent, workers, 1, 0.0, MACHINE), common)


def test_ray_train_with_one_worker_gives_the_numbers_of_the_inline_launcher(local_ray, stored, tmp_path):
    inline, train = (Kept([Job("one", "search", config(stored))]) for _ in range(2))
    fit(tmp_path, inline, "inline")
    fit(tmp_path, train, "train")
    assert len(inline.reports["one"]) == 4
    assert inline.reports == train.reports
    assert inline.ends == train.ends == {"one": ("complete", "")}
    assert not (tmp_path / "ray").exists()


def test_two_workers_train_together_and_an_early_stop_frees_their_cpus(local_ray, stored, tmp_path):
    jobs = [Job(key, "search", config(stored)) for key in ("stopped", "whole")]
    queue = Kept(jobs, stop=("stopped",))
    fit(tmp_path, queue, "train", workers=2)
    assert queue.ends == {"stopped": ("pruned", ""), "whole": ("complete", "")}  # the second needs both CPUs
    assert len(queue.reports["stopped"]) == 1
    alone = Kept([Job("alone", "search", config(stored))])
    fit(tmp_path, alone, "inline")
    for (clips, two), (_, one) in zip(queue.reports["whole"], alone.reports["alone"], strict=True):
        assert two["train/loss"] == pytest.approx(one["train/loss"], rel=0.05), clips  # the same global batches
        assert {"val/linear", "val/knn"} <= two.keys()


def test_a_trial_that_fails_does_not_end_the_others(local_ray, stored, tmp_path):
    jobs = [Job("lost", "search", config(str(tmp_path / "no.arrow"))), Job("fine", "search", config(stored))]
    queue = Kept(jobs)
    fit(tmp_path, queue, "inline", concurrent=2)
    assert queue.ends["fine"] == ("complete", "")
    state, reason = queue.ends["lost"]
    assert state == "failed"
    assert "no.arrow" in reason
    assert "Traceback" in (tmp_path / "inline/lost/failure.txt").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_sweep_and_leaves_the_trial_unfinished(local_ray, stored, tmp_path, number):
    class Signalled(Kept):
        def reported(self, key, clips, metrics):
            signal.raise_signal(number)
            return super().reported(key, clips, metrics)

    before = signal.getsignal(number)
    queue = Signalled([Job("one", "search", config(stored, clips=16000))])
    with pytest.raises(Stopped):
        fit(tmp_path, queue, "inline")
    assert queue.ends == {}
    assert signal.getsignal(number) == before


def test_a_sweep_searches_tests_and_reports_and_is_not_repeated(local_ray, space, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    folder = driver.sweep(space, tracking_uri=uri)
    results = Results(folder)
    trials, found = results.trials(), results.finals()
    assert list(trials["trial"]) == ["skeletonmae-000", "skeletonmae-001", "skeletonmae-002"]
    assert set(trials["state"]) <= {"complete", "pruned"}
    assert trials["config"].nunique() == 3
    assert list(found["kind"]) == ["final", "floor"]
    assert found["test/linear"].notna().all()
    ledger = [json.loads(line) for line in (folder / "test_ledger.jsonl").read_text().splitlines()]
    assert sorted(line["who"] for line in ledger) == sorted(found["trial"])
    told = results.predictions()
    for key, mine in told.groupby(["trial", "protocol"]):
        value = found.set_index("trial").loc[key[0], f"test/{key[1]}"]
        assert (mine["label"] == mine["predicted"]).mean() == pytest.approx(value)
    assert set(told["trial"]) == set(found["trial"])
    assert (folder / "report.md").exists()
    client = MlflowClient(tracking_uri=uri)
    logged = client.search_logged_models([client.get_experiment_by_name("skelray").experiment_id])
    assert [(each.name, str(each.status)) for each in logged] == [(found["trial"][0], "READY")]

    best = trial_config.TrialConfig.model_validate(results.best())
    again = trial.run(best, folder=tmp_path / "again", report=lambda clips, metrics: None)
    complete = trials[trials["state"] == "complete"]
    assert again["val/linear"] == complete["value"].max()  # bit for bit

    events = Journal(tmp_path / "runs/local-skeletonmae/journal.jsonl").read()
    capsys.readouterr()
    assert driver.sweep(space, tracking_uri=uri) == folder
    assert Journal(tmp_path / "runs/local-skeletonmae/journal.jsonl").read() == events
    assert "skeletonmae" in capsys.readouterr().out  # it prints its result again


KILLED = """
import os, signal, sys
from skelray.events import Ended
from skelray.sweep import record
report = record.Record.reported
def reported(self, key, clips, metrics):
    report(self, key, clips, metrics)
    if clips == 32 and any(isinstance(event, Ended) for event in self.events):
        os.kill(os.getpid(), signal.SIGKILL)  # in the middle of the second trial
record.Record.reported = reported
from skelray.errors import leave
from skelray.sweep.__main__ import app
leave(app)
"""


def test_a_killed_driver_continues_with_every_trial_exactly_once(space, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(trial.__file__).parents[1])}
    environment.pop("RAY_ADDRESS", None)

    def sweep(*how: str) -> subprocess.CompletedProcess:
        command = [sys.executable, *how, str(space), "--tracking-uri", "none"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    assert sweep("-c", KILLED).returncode == -signal.SIGKILL
    done = sweep("-m", "skelray.sweep")
    assert done.returncode == 0, done.stderr
    events = Journal(tmp_path / "runs/local-skeletonmae/journal.jsonl").read()
    keys = [f"skeletonmae-{number:03d}" for number in range(3)]
    ended = [event.trial for event in events if isinstance(event, Ended)]
    started = [event.trial for event in events if isinstance(event, Started)]
    assert [key for key in ended if key in keys] == keys  # each exactly once
    assert [started.count(key) for key in keys] == [1, 2, 1]
    clips = [event.clips for event in events if isinstance(event, Reported) and event.trial == keys[1]]
    assert clips[:3] == [16, 32, 32]  # it went on from its checkpoint, whose report is told again
    assert list(Results(tmp_path / "results/local-skeletonmae").trials()["trial"]) == keys
    assert "Traceback" not in done.stderr
    assert "raylet" not in done.stderr + done.stdout

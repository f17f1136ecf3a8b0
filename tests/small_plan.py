"""A small sweep without Ray: its plan, and the record its driver keeps."""

import io

import pytest
from rich.console import Console

from skelray.events import Journal
from skelray.results import Results
from skelray.sweep import tracking
from skelray.sweep.config import Plan, SweepConfig
from skelray.sweep.live import Screen
from skelray.sweep.record import Record
from skelray.sweep.space import SearchSpace

SMALL = {"method.encoder.width": 8, "method.encoder.heads": 1, "method.encoder.depth": 1, "train.batch": 10}


def make_plan(trials: int = 2, methods=("amr", "mamp"), top: int = 1, seeds: int = 2, clips: int = 900) -> Plan:
    sweep = SweepConfig(
        question="?", price="?", expected="?", spaces=list(methods), trial={**SMALL, "train.clips": clips}, seed=4,
        budget={"trials": trials, "grace": 100, "reduction": 3}, final={"top": top, "seeds": seeds},
    )  # fmt: skip
    ratio = {"method.mask_ratio": {"kind": "float", "low": 0.8, "high": 0.95}}
    spaces = {method: SearchSpace(method=method, search=ratio) for method in methods}
    return Plan(name="test", sweep=sweep, spaces=spaces, dropped=[])


@pytest.fixture
def record(tmp_path) -> Record:
    results = Results(tmp_path / "results")
    results.create({"name": "test"}, {"data": {}})
    screen = Screen("test", 4, "val/linear", "max", console=Console(file=io.StringIO()))
    return Record(
        Journal(tmp_path / "journal.jsonl"), results, tracking.Tracker("none", "test", {}), screen, "val/linear"
    )

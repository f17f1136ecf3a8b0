"""Searches over made-up spaces, their database, and trials that end as they are told to."""

import os
import tempfile
from pathlib import Path

import optuna
import pytest

from skelray.sweep.config import Plan, SweepConfig
from skelray.sweep.space import SearchSpace

SMALL = {"method.encoder.width": 8, "method.encoder.heads": 1, "method.encoder.depth": 1, "train.batch": 10}
RATIO = {"kind": "float", "low": 0.8, "high": 0.95}
K = {"kind": "float", "low": 1e-3, "high": 1.0, "log": True}


def make_plan(trials=4, searches=None, points=(), name="test", mode="max", clips=900, grace=100, seed=0, **more):
    searches = searches or {"amr": {"method.mask_ratio": RATIO, "method.k": K}}
    sweep = SweepConfig(
        question="?", price="?", expected="?", spaces=list(searches), trial={**SMALL, "train.clips": clips, **more},
        objective={"metric": "val/linear", "mode": mode}, seed=seed,
        budget={"trials": trials, "unit": "clips", "grace": grace, "reduction": 3},
    )  # fmt: skip
    spaces = {m: SearchSpace(method=m, points=list(points), search=found) for m, found in searches.items()}
    return Plan(name=name, sweep=sweep, spaces=spaces, dropped=[])


TWO = {"amr": {"method.k": K, "method.mask_ratio": RATIO}, "mamp": {"method.mask_ratio": RATIO}}
BASELINE = {"method.mask_ratio": 0.9, "method.k": 0.01}


@pytest.fixture
def folder(tmp_path):
    """In memory where the system has such a folder: SQLite waits for the disk at every step."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as name:
        yield name


@pytest.fixture
def url(folder):
    return f"sqlite:///{folder}/study.db"


def stored(url, method="amr", name="test"):
    return optuna.load_study(study_name=f"{name}/{method}", storage=url)


def run(studies, ticket, value, clips=(100, 300, 900)):
    """Report `value` at each point and end as told."""
    for count in clips:
        if studies.observe(ticket.key, count, value):
            return studies.finish(ticket.key, "pruned")
    return studies.finish(ticket.key, "complete", value)


def drain(studies, value=0.5):
    tickets = []
    while ticket := studies.ask():
        run(studies, ticket, value)
        tickets.append(ticket)
    return tickets


def halving(studies, values, restart=None):
    """Whether each of the trials with these values is stopped at the first rung."""
    stopped = []
    for value in values:
        ticket = studies.ask()
        stopped.append(studies.observe(ticket.key, 100, value))
        studies.finish(ticket.key, "pruned" if stopped[-1] else "complete", value)
        studies = restart() if restart else studies
    return stopped


VALUES = [0.5, 0.6, 0.4, 0.7, 0.65, 0.1, 0.72, 0.69]

"""A made-up sweep of three methods, as events: what the results, report and tracking tests feed on."""

import math
import random
from typing import Any

from skelray.events import Ended, Event, Reported, Started
from skelray.results import Results

SWEEP: dict[str, Any] = {
    "question": "which of three methods gives the best linear probe for equal clips seen?",
    "price": "about an hour on 2 cores",
    "expected": "amr > mamp > skeletonmae",
    "spaces": [
        {
            "method": "amr",
            "points": [{}],
            "search": {
                "method.masking": {"kind": "choice", "values": ["uniform", "motion"], "when": {}},
                "method.tau": {"kind": "float", "low": 0.5, "high": 2.0, "when": {"method.masking": ["motion"]}},
            },
        },
        {"method": "mamp", "points": [{}], "search": {}},
    ],
    "trial": {"data": {"store": "nw-ucla", "split": "xview"}, "train": {"clips": 60000}},
    "objective": {"metric": "val/linear", "mode": "max"},
    "budget": {"trials": 6, "unit": "clips", "grace": 10000, "reduction": 3},
    "final": {"top": 1, "seeds": 3, "protocols": ["linear", "knn"]},
    "seed": 0,
    "name": "made-up",
    "dropped": [],
}
ENVIRONMENT: dict[str, Any] = {
    "id": "0123456789ab",
    "created": "2026-01-01T00:00:00+00:00",
    "command": "python -m skelray.sweep sweeps/made_up.yaml",
    "git": {"commit": "f" * 40, "dirty": False},
    "python": "3.11.7",
    "packages": {"torch": "2.13.0"},
    "hardware": {"system": "Linux x86_64", "cpu": "a CPU", "cores": 2, "memory_gib": 8.0, "gpus": []},
    "data": {"store": "nw-ucla", "fingerprint": "abc123"},
}
BEGAN = 1_767_225_600.25  # 2026-01-01
METHODS = ("amr", "mamp", "skeletonmae")
LEVEL = {"amr": 0.78, "mamp": 0.74, "skeletonmae": 0.69}


def config(method: str, draw: random.Random, seed: int = 0) -> dict[str, Any]:
    """What TrialConfig.model_dump(mode="json") looks like."""
    own: dict[str, Any] = {"name": method, "mask_ratio": round(draw.uniform(0.8, 0.95), 3), "normalise": True}
    if method == "amr":
        own |= {
            "windows": draw.choice([[4], [8], [4, 8, 12]]),
            "k": round(10 ** draw.uniform(-3, 0), 5),
            "masking": draw.choice(["uniform", "motion"]),
            "tau": round(draw.uniform(0.5, 2), 2),
        }
    return {
        "data": {"store": "nw-ucla", "split": "xview", "val_subjects": 2},
        "method": own,
        "optim": {"lr": round(10 ** draw.uniform(-3.5, -2.5), 6), "betas": [0.9, 0.95], "clip": None},
        "train": {"clips": 60000, "epochs": None},
        "seed": seed,
    }


def life(
    trial: str, method: str, draw: random.Random, *, began: float, clips: int = 60000, state: Any = "complete"
) -> list[Event]:
    """The events of one search trial with ten reports on the way to 60,000 clips, ended after `clips`."""
    top = LEVEL[method] + draw.gauss(0, 0.03)
    events: list[Event] = [Started(trial=trial, method=method, seed=0, config=config(method, draw), time=began)]
    for point in range(1, clips // 6000 + 1):
        seen = point * 6000
        linear = 0.5 + (top - 0.5) * (1 - math.exp(-seen / 25000)) + draw.gauss(0, 0.008)
        metrics = {
            "train/loss": LEVEL[method] * (0.4 + math.exp(-seen / 15000)) + draw.gauss(0, 0.01),
            "val/linear": linear,
            "val/knn": linear - 0.06,
            "val/linear_lr": 3.0,
        }
        events.append(Reported(trial=trial, clips=seen, metrics=metrics, time=began + seen / 100))
    reason = {"failed": "Diverged: the loss was nan at step 912", "pruned": "behind at 18000 clips"}.get(state, "")
    return [*events, Ended(trial=trial, state=state, reason=reason, time=began + clips / 100, seconds=clips / 100)]


def final(
    trial: str, method: str, kind: Any, seed: int, draw: random.Random, began: float, level: float
) -> list[Event]:
    """The events of one finalist, or of one untrained encoder."""
    linear = level + draw.gauss(0, 0.012)
    tests = {
        "test/linear": linear,
        "test/linear_clean": linear - 0.02,
        "test/knn": linear - 0.07,
        "test/knn_clean": linear - 0.10,
        "test/clips": 464.0,
        "test/clips_clean": 369.0,
    }
    clips = 60000 if kind == "final" else 0
    return [
        Started(
            trial=trial, method=method, kind=kind, seed=seed, config=config(method, random.Random(1), seed), time=began
        ),
        Reported(trial=trial, clips=clips, metrics=tests, time=began + 500),
        Ended(trial=trial, state="complete", time=began + 600, seconds=600),
    ]


def events(methods: tuple[str, ...] = METHODS, trials: int = 6, seeds: int = 3) -> list[Event]:
    """Per method: the third trial is pruned at 18,000 clips, the fourth fails at 24,000; then finalists and floors."""
    draw, told, began = random.Random(7), [], BEGAN
    for number in range(trials):
        for method in methods:
            clips, state = {2: (18000, "pruned"), 3: (24000, "failed")}.get(number, (60000, "complete"))
            told += life(f"{method}-{number:03d}", method, draw, began=began, clips=clips, state=state)
            began += clips / 100
    for method in methods:
        for seed in range(seeds):
            told += final(f"{method}-final-0-{seed}", method, "final", seed, draw, began, LEVEL[method])
            told += final(f"{method}-floor-{seed}", method, "floor", seed, draw, began, 0.51)
            began += 600
    return told


def folder(path: Any, told: list[Event] | None = None) -> Results:
    """A results folder as a finished sweep leaves it, without its report."""
    results = Results(path)
    results.create(SWEEP, ENVIRONMENT)
    told = events() if told is None else told
    results.write(told, "val/linear")
    if any(isinstance(event, Ended) and event.state == "complete" for event in told):
        results.write_best(config("amr", random.Random(1)))
    return results

"""A made-up sweep with everything that a report can tell: predictions, costs, signals, a ledger, peeking, choices."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import made_up_sweep as made_up
import numpy as np
import pandas as pd
from made_up_predictions import predictions

from skelray.events import Ended, Event, Reported, Started
from skelray.results import Results

METHODS = ("amr", "mamp", "skeletonmae")
LEVEL = {"amr": 0.80, "mamp": 0.78, "skeletonmae": 0.62}
SEEDS = (1, 2, 3, 4, 5)
CLIPS, CLASSES = 240, 6
SEARCH = {
    "method.k": {"kind": "float", "low": 0.001, "high": 1.0, "log": True},
    "method.depth": {"kind": "int", "low": 2, "high": 6},
    "method.windows": {"kind": "choice", "values": [[4], [4, 8], [4, 8, 12]]},
    "method.masking": {"kind": "choice", "values": ["uniform", "motion"]},
    "method.tau": {"kind": "float", "low": 0.5, "high": 2.0, "when": {"method.masking": ["motion"]}},
}
SWEEP = made_up.SWEEP | {
    "spaces": [{"method": method, "points": [{}], "search": SEARCH} for method in METHODS],
    "final": {"top": 1, "seeds": len(SEEDS), "protocols": ["linear", "knn"]},
}


def drawn(draw: random.Random, method: str, seed: int = 0) -> dict:
    """A config; tau is there in each, as pydantic has it, whether it exists or not."""
    own = {"name": method, "k": 10 ** draw.uniform(-3, 0), "depth": draw.randint(2, 6)}
    own |= {"windows": draw.choice([[4], [4, 8], [4, 8, 12]]), "masking": draw.choice(["uniform", "motion"])}
    return {"method": own | {"tau": draw.uniform(0.5, 2.0)}, "data": {"store": "nw-ucla"}, "seed": seed}


def search(method: str, trials: int, draw: random.Random) -> list[Event]:
    """Trials of 60,000 clips; what they are worth hangs on k nearly alone."""
    told: list[Event] = []
    for number in range(trials):
        name, config = f"{method}-{number:03d}", drawn(draw, method)
        worth = LEVEL[method] - 0.15 + 0.1 * (np.log10(config["method"]["k"]) + 3) / 3 + draw.gauss(0, 0.004)
        told.append(Started(trial=name, method=method, seed=0, config=config, time=made_up.BEGAN))
        for point in (1, 2, 3):
            reached = worth * (1 - 0.3 / point**2)
            metrics = {
                "val/linear": reached,
                "val/knn": reached - 0.05,
                "train/loss": 1 / (1 + point) + draw.random() / 9,
            }
            metrics |= {"val/signals_rankme": 100 * reached + draw.gauss(0, 1)}
            told.append(Reported(trial=name, clips=20000 * point, metrics=metrics, time=made_up.BEGAN + point))
        cost = {"flops": 1e12 * (2 if method == "mamp" else 1), "device_seconds": 60.0}
        told.append(Ended(trial=name, state="complete", time=made_up.BEGAN + 60, seconds=60, **cost))
    return told


def told_right(method: str, protocol: str) -> np.ndarray:
    """(seeds, clips): some clips are hard for all methods, and each run has its own luck."""
    stream = np.random.default_rng([len(method), len(protocol)])
    ease = np.random.default_rng(5).normal(0, 0.6, CLIPS)
    level = {0.80: 1.0, 0.78: 0.95, 0.62: 0.2}[LEVEL[method]] - (0.3 if protocol == "knn" else 0)
    return ease + stream.normal(0, 0.7, (len(SEEDS), CLIPS)) + level > 0


def predicted(methods: Sequence[str] = METHODS) -> pd.DataFrame:
    """What Results.predictions() gives: floors too, under the name of their method."""
    tables = []
    for protocol in ("knn", "linear"):
        right = {method: told_right(method, protocol) for method in methods}
        subjects = [place % 12 for place in range(CLIPS)]
        table = predictions(right, classes=CLASSES, subjects=subjects, protocol=protocol)
        tables.append(table.assign(trial=table["trial"].str.replace("-0000-", "-000-")))
        floor = table.assign(trial=table["trial"].str.replace("-0000-", "-floor-"), predicted=0)
        tables.append(floor)
    return pd.concat(tables, ignore_index=True)


def finals(methods: Sequence[str] = METHODS, peeked: bool = True) -> list[Event]:
    """Finalists whose test figures are those of the predictions, with a look at test halfway; and the floors."""
    told: list[Event] = []
    table = predicted(methods)
    right = (table["label"] == table["predicted"]).groupby([table["trial"], table["protocol"]]).mean()
    for method in methods:
        for kind, stem, clips in (("final", "000", 60000), ("floor", "floor", 0)):
            for seed in SEEDS:
                name, config = f"{method}-{stem}-seed-{seed}", drawn(random.Random(1), method, seed)
                told.append(Started(trial=name, method=method, kind=kind, seed=seed, config=config, time=made_up.BEGAN))
                metrics = {f"test/{protocol}": right[name, protocol] for protocol in ("linear", "knn")}
                if kind == "final" and peeked:
                    better = {key: value + 0.02 for key, value in metrics.items()}
                    told.append(Reported(trial=name, clips=40000, metrics=better, time=made_up.BEGAN))
                metrics |= {"test/clips": float(CLIPS), "test/clips_clean": float(CLIPS)}
                told.append(Reported(trial=name, clips=clips, metrics=metrics, time=made_up.BEGAN + 1))
                told.append(Ended(trial=name, state="complete", time=made_up.BEGAN + 2, seconds=2, flops=1e12))
    return told


def ledger(events: Sequence[Event]) -> list[dict]:
    """A line a final and floor."""
    told = [event for event in events if isinstance(event, Started) and event.kind != "search"]
    about = {"store": "nw-ucla", "split": "xview", "clips": CLIPS, "clean": CLIPS, "protocols": ["linear", "knn"]}
    return [{"who": event.trial, "when": made_up.BEGAN, **about} for event in told]


def folder(path: Path, trials: int = 16, peeked: bool = True, methods: Sequence[str] = METHODS) -> Results:
    """The results folder, predictions and ledger included."""
    draw = random.Random(3)
    events = [event for method in methods for event in search(method, trials, draw)]
    for number, state in ((900, "failed"), (901, "pruned")):
        told = made_up.life(f"{methods[0]}-{number}", methods[0], draw, began=made_up.BEGAN, clips=24000, state=state)
        cost = {"flops": 4e11, "device_seconds": 24.0}
        changed = {Started: {"config": drawn(draw, methods[0])}, Ended: cost}
        events += [event.model_copy(update=changed.get(type(event), {})) for event in told]
    tested = finals(methods, peeked)
    results = Results(path)
    results.create(SWEEP, made_up.ENVIRONMENT)
    results.write([*events, *tested], "val/linear")
    kept = ["trial", "protocol", "clip", "subject", "label", "predicted"]
    results.write_predictions([predicted(methods)[kept].to_dict("list")])
    write_ledger(results, ledger(tested))
    return results


def write_ledger(results: Results, lines: Sequence[dict]) -> None:
    """Put these lines into the folder's ledger."""
    path = results.folder / "test_ledger.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

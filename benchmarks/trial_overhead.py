"""Seconds of a trial's slot beyond its own work: inline in a reused Tune actor, and under Ray Train.

python benchmarks/trial_overhead.py [--trials 6]
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

from skelray import trial
from skelray.events import Ended, Journal, Started
from skelray.sweep import config, driver

ROOT = Path(__file__).parents[1]
SMALL = ("data.store=synthetic-small", "train.clips=64", "train.batch=64", "train.reports=1", "final.seeds=0")


def alone(trials: int) -> float:
    """Seconds of one such trial in this process, its start included, the mean of several after the first."""
    cfg = config.load(ROOT / "search_spaces/skeletonmae.yaml", None, SMALL).trial("skeletonmae", {})
    trial.settle(cfg)
    seconds = []
    for _ in range(trials):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            trial.run(cfg, folder=Path(folder), report=lambda clips, metrics: None)
            seconds.append(time.perf_counter() - start)
    return sum(seconds[1:]) / (trials - 1)


def slots(launcher: str, trials: int) -> list[float]:
    """Seconds from the start of each trial to the start of the next, one trial at a time; the last one to its end."""
    with tempfile.TemporaryDirectory() as folder:
        driver.sweep(
            ROOT / "search_spaces/skeletonmae.yaml",
            sets=(*SMALL, f"budget.trials={trials}", f"resources.launcher={launcher}", "resources.concurrent=1"),
            results=Path(folder) / "results",
            name="overhead",
            tracking_uri="none",
        )
        events = Journal(next(Path(folder).rglob("journal.jsonl"))).read()
    times = [event.time for event in events if isinstance(event, Started)]
    times.append(max(event.time for event in events if isinstance(event, Ended)))
    return [after - before for before, after in itertools.pairwise(times)]


def main() -> None:
    """Print one line a launcher."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=6)
    asked = parser.parse_args()
    work = alone(asked.trials)
    print(f"the trial itself: {work:.2f} s")
    for launcher in ("inline", "train"):
        first, *rest = slots(launcher, asked.trials)
        beyond = sum(rest) / len(rest) - work
        print(f"{launcher:7} first trial {first - work:6.2f} s beyond its work, each one after {beyond:6.2f} s")


if __name__ == "__main__":
    main()

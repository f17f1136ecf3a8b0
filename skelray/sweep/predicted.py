"""What the finals of a sweep took each test clip for, and their curves, gathered from their folders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skelray.evaluate import kept
from skelray.events import Trial
from skelray.results import Results


def collect(results: Results, trials: Path, known: Mapping[str, Trial]) -> None:
    """Write predictions and curves; `trials` is the folder of trials' own folders. Doing it twice changes nothing."""
    columns: dict[str, list[Any]] = {key: [] for key in ("trial", "protocol", "clip", "subject", "label", "predicted")}
    curves = {}
    for key, trial in known.items():
        if trial.started.kind == "search" or trial.ended is None or trial.ended.state != "complete":
            continue
        curves[key] = kept.curves(trials / key)
        for protocol, found in kept.load(trials / key).items():
            columns["trial"] += [key] * len(found["clip"])
            columns["protocol"] += [protocol] * len(found["clip"])
            for name, values in found.items():
                columns[name] += values
    results.write_predictions(columns)
    results.write_curves({key: found for key, found in curves.items() if found})

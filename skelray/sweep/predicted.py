"""What the finals of a sweep took each test clip for, and their curves, gathered from their folders."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from skelray.evaluate import kept
from skelray.events import Trial
from skelray.results import Results


def collect(results: Results, trials: Path, known: Mapping[str, Trial]) -> None:
    """Write predictions and curves; `trials` is the folder of trials' own folders. Doing it twice changes nothing."""
    finals = [
        key
        for key, trial in known.items()
        if trial.started.kind != "search" and trial.ended is not None and trial.ended.state == "complete"
    ]
    results.write_predictions(_columns(trials, finals))
    results.write_curves({key: curves for key in finals if (curves := kept.curves(trials / key))})


def _columns(trials: Path, finals: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
    """One table a final and protocol: of a large set many together would not lie in memory."""
    for key in finals:
        for protocol, told in kept.load(trials / key).items():
            many = len(told["clip"])
            yield {"trial": [key] * many, "protocol": [protocol] * many, **told}

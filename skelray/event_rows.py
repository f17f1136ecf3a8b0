"""What a trial's events come to as rows of tables."""

import json
from datetime import UTC, datetime
from typing import Any

from skelray.events import Ended, Trial


def row_of(trial: Trial, ended: Ended, objective: str) -> dict[str, Any]:
    """One row for a trial that ended: what it was, what became of it, its cost, its metrics as last reported."""
    begun, last = trial.started, trial.last
    return last | {
        "trial": begun.trial, "method": begun.method, "kind": begun.kind, "state": ended.state,
        "value": None if ended.state == "failed" else last.get(objective),
        "clips": trial.clips, "seconds": ended.seconds, "seed": begun.seed,
        "flops": ended.flops, "device_seconds": ended.device_seconds,
        "started": _moment(begun.time), "ended": _moment(ended.time), "reason": ended.reason,
        "config": json.dumps(begun.config, sort_keys=True),
    }  # fmt: skip


def points_of(trial: Trial) -> list[dict[str, Any]]:
    """One row for each metric at each number of clips."""
    return [
        {"trial": trial.started.trial, "clips": clips, "metric": metric, "value": value, "time": _moment(time)}
        for (clips, metric), (value, time) in sorted(trial.points.items())
    ]


def _moment(time: float) -> datetime:
    return datetime.fromtimestamp(time, UTC)

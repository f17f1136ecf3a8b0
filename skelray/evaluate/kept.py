"""What was found of one encoder, in its folder: which clip was taken for what, and the points of curves."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from skelray import atomic
from skelray.data.store import Store
from skelray.evaluate.case import Outcome, Point, Predictions

FILE, CURVES = "predictions.json", "curves.json"


def save(folder: Path, found: Outcome, store: Store) -> None:
    """Write them whole: predictions with the name and the subject of each clip; curves where there are any."""
    columns = {
        metric: {
            "clip": store.clip_name[told.clips].tolist(),
            "subject": store.subject[told.clips].tolist(),
            "label": told.label.tolist(),
            "predicted": told.predicted.tolist(),
        }
        for metric, told in found.predictions.items()
    }
    if not found.curves:
        (folder / CURVES).unlink(missing_ok=True)  # of an earlier measurement
    for name, content in {FILE: columns, **({CURVES: found.curves} if found.curves else {})}.items():
        with atomic.whole(folder / name) as unfinished:
            unfinished.write_text(json.dumps(content))


def plain(found: Outcome) -> dict[str, Any]:
    """All that was found, as JSON; `outcome` brings it back."""
    told = {
        metric: {"clips": each.clips.tolist(), "label": each.label.tolist(), "predicted": each.predicted.tolist()}
        for metric, each in found.predictions.items()
    }
    return {"metrics": dict(found.metrics), "predictions": told, "curves": dict(found.curves)}


def outcome(said: dict[str, Any]) -> Outcome:
    """What `plain` wrote."""
    told = {
        metric: Predictions(**{name: np.array(values, np.int64) for name, values in each.items()})
        for metric, each in said["predictions"].items()
    }
    return Outcome(said["metrics"], told, said["curves"])


def load(folder: Path) -> dict[str, dict[str, list[Any]]]:
    """metric -> columns, each a list with an entry a clip; {} when an older version wrote the folder."""
    found: dict[str, dict[str, list[Any]]] = _read(folder / FILE)
    return found


def curves(folder: Path) -> dict[str, list[Point]]:
    """curve -> its points; {} when an older version wrote the folder."""
    found: dict[str, list[Point]] = _read(folder / CURVES)
    return found


def _read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.is_file() else {}

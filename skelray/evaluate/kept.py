"""The predictions of one final in its folder: which clip of the test side was taken for what."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skelray import atomic
from skelray.data.store import Store
from skelray.evaluate.case import Predictions

FILE = "predictions.json"


def save(folder: Path, told: Mapping[str, Predictions], store: Store) -> None:
    """Write them whole, with the name and the subject of each clip."""
    columns = {
        metric: {
            "clip": store.clip_name[found.clips].tolist(),
            "subject": store.subject[found.clips].tolist(),
            "label": found.label.tolist(),
            "predicted": found.predicted.tolist(),
        }
        for metric, found in told.items()
    }
    with atomic.whole(folder / FILE) as unfinished:
        unfinished.write_text(json.dumps(columns))


def load(folder: Path) -> dict[str, dict[str, list[Any]]]:
    """metric -> columns, each a list with an entry a clip; {} when an older version wrote the folder."""
    path = folder / FILE
    found: dict[str, dict[str, list[Any]]] = json.loads(path.read_text()) if path.is_file() else {}
    return found

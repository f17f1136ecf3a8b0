"""Tables of predictions for tests of the statistics, from what each run told right."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def predictions(
    right: Mapping[str, np.ndarray],
    *,
    classes: int = 4,
    subjects: Sequence[object] | None = None,
    protocol: str = "linear",
    seeds: Mapping[str, Sequence[int]] | None = None,
) -> pd.DataFrame:
    """`right[method]` is (runs, clips); a wrong answer is the next class, so one class alone is never told wrong."""
    tables = []
    for method, runs in right.items():
        for number, told in enumerate(np.asarray(runs, dtype=bool)):
            seed = (seeds or {}).get(method, range(1, len(runs) + 1))[number]
            label = np.arange(len(told)) % classes
            columns = {
                "trial": f"{method}-0000-seed-{seed}", "method": method, "seed": seed, "protocol": protocol,
                "clip": [f"clip{place:04d}" for place in range(len(told))],
                "label": label, "predicted": np.where(told, label, (label + 1) % max(classes, 2)),
            }  # fmt: skip
            tables.append(pd.DataFrame(columns | ({} if subjects is None else {"subject": list(subjects)})))
    return pd.concat(tables, ignore_index=True)


def coins(seed: int, runs: int, clips: int, chance: float) -> np.ndarray:
    """Runs that tell each clip by chance: (runs, clips)."""
    return np.random.default_rng(seed).random((runs, clips)) < chance

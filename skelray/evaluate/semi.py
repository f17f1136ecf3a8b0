"""Few labels: fine-tuning on the fixed labelled subsets, mean and spread over several draws of them.

Published figures come from subsets that nobody else has; here every method, seed and worker reads the same ones, of
which data.subsets tells. While validation clips are scored the same rule draws from the training clips without them.
Every class keeps a label, so a share with fewer clips than classes is left out.
"""

import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from skelray.data import splits, subsets
from skelray.data.loader import Pool
from skelray.data.splits import Indices
from skelray.errors import BadInput
from skelray.evaluate import classifier, clones
from skelray.evaluate.case import Case, Outcome, Point, Predictions
from skelray.method import Method
from skelray.rng import seed_for


class Config(classifier.Recipe):
    """The recipe of fine-tuning, on how few labels, and how often."""

    shares: tuple[float, ...] = Field((0.01, 0.1), min_length=1)  # of the training side
    draws: int = Field(subsets.DRAWS, ge=1, le=subsets.DRAWS)  # of each share
    # Clips that the method makes for each labelled one, share by share; (): none. MacDiff: 2.0 of 1 %, 0.25 of 10 %.
    generated: tuple[Annotated[float, Field(ge=0)], ...] = ()
    steps: int = Field(50, ge=1)  # of sampling
    start: int | None = Field(None, ge=1)  # steps of noise on the clip that a new one begins at; None: noise alone

    @model_validator(mode="after")
    def shares_are_known(self) -> "Config":
        if unknown := [share for share in self.shares if share not in subsets.SHARES]:
            raise ValueError(f"no labelled subset of {unknown[0]:g}; there are {', '.join(map(str, subsets.SHARES))}")
        if len(set(self.shares)) < len(self.shares):
            raise ValueError(f"shares {list(self.shares)} name a share twice")
        if self.generated and len(self.generated) != len(self.shares):
            raise ValueError(f"generated has {len(self.generated)} numbers for {len(self.shares)} shares: one each")
        return self


def names(cfg: Config) -> list[str]:
    """The metrics; shares that the data cannot serve are missing among those that are measured."""
    return [_name(share) for share in cfg.shares]


def refuse(method: Method, pool: Pool, cfg: Config) -> None:
    """Raise BadInput where no share can be served, or clips are to be made by a method that cannot."""
    if not served(pool, cfg):
        raise BadInput(f"evaluate.semi.shares: {'; '.join(_too_small(pool, share) or '' for share in cfg.shares)}")
    if any(cfg.generated):
        try:
            clones.refuse(method, pool, cfg.steps, cfg.start)
        except BadInput as error:
            raise BadInput(f"evaluate.semi.generated: {error}") from None


def served(pool: Pool, cfg: Config) -> list[tuple[float, float]]:
    """The shares that the data can serve, each with the number of clips to make for a labelled one."""
    pairs = zip(cfg.shares, cfg.generated or [0.0] * len(cfg.shares), strict=True)
    return [(share, ratio) for share, ratio in pairs if _too_small(pool, share) is None]


def measure(case: Case, cfg: Config) -> Outcome:
    """semi_1, semi_10: the mean accuracy over draws; _spread: its standard deviation, from two draws on.

    Raises BadInput where no share can be served or a method cannot make clips that are asked for, Diverged.
    """
    refuse(case.method, case.pool, cfg)
    for share in cfg.shares:
        if (reason := _too_small(case.pool, share)) is not None:
            warnings.warn(f"semi: {reason}; it is left out", stacklevel=2)
    metrics, told, points = dict[str, float](), dict[str, Predictions](), list[Point]()
    for share, ratio in served(case.pool, cfg):
        outcomes = list(drawn(case, cfg, share, ratio, points))
        for end in ("", "_clean"):
            values = [
                value for each in outcomes for key, value in each.metrics.items() if key.endswith("_clean") == bool(end)
            ]
            if values:
                metrics[_name(share) + end] = float(np.mean(values))
            if len(values) > 1:
                metrics[f"{_name(share)}_spread{end}"] = float(np.std(values, ddof=1))
        for each in outcomes:
            told |= each.predictions
    return Outcome(metrics, told, {"semi": points})


def drawn(case: Case, cfg: Config, share: float, ratio: float, points: list[Point]) -> Iterator[Outcome]:
    """What is found by each draw of a share; adds a point a draw."""
    for draw in range(cfg.draws):
        clips, seed = labelled(case, share, draw), seed_for(case.seed, "semi", f"{share:g}", draw)
        made = clones.enlarged(case, clips, ratio, steps=cfg.steps, start=cfg.start, seed=seed)
        with made if ratio else nullcontext((case.pool, clips)) as (pool, chosen):
            model = classifier.fit(case.method, pool, chosen, cfg, seed=seed)
        found = case.score(f"{_name(share)}_draw{draw}", lambda these, model=model: model.classes(case.batches(these)))  # type: ignore[misc]
        accuracy = next(iter(found.metrics.values()))
        points.append(
            {"share": share, "draw": draw, "clips": len(clips), "made": len(chosen) - len(clips), "accuracy": accuracy}
        )
        yield found


def labelled(case: Case, share: float, draw: int) -> Indices:
    """The clips that keep their label: of the whole training side once the test is open, else of training alone."""
    store, split = case.pool.store, _split(case.pool)
    if case.open_test is not None:
        return subsets.labelled(store, split, share, draw).indices
    inside = case.selection.train
    return inside[np.sort(subsets.first(store.label[inside], store.clip_name[inside], split, share, draw))]


def _too_small(pool: Pool, share: float) -> str | None:
    inside = splits.training_clips(pool.store, _split(pool))
    count, classes = len(inside) * subsets.SHARES[share] // 100, len(np.unique(pool.store.label[inside]))
    if count >= max(2, classes):
        return None
    return f"{100 * share:g} % of {len(inside):,} training clips are {count}, fewer than their {classes} classes"


def _split(pool: Pool) -> str:
    if pool.quarantine is None:
        raise ValueError("labelled subsets are of the training side of a split, and this pool knows none")
    return pool.quarantine.split


def _name(share: float) -> str:
    return f"semi_{100 * share:g}"

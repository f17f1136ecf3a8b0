"""From a table of predictions to everything that a report says of the methods under one protocol."""

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd

from skelray.errors import BadInput
from skelray.statistics.classes import ClassAccuracy, confusion, per_class
from skelray.statistics.correction import LEVEL, Ranks, holm_of_tested, ranks
from skelray.statistics.intervals import FEWEST_DRAWS, FEWEST_SEEDS, RESAMPLES, Bounds, Spread, bootstrap, spread
from skelray.statistics.paired import Difference, Effect, McNemar, combined, difference, effect, mcnemar
from skelray.statistics.runs import Finals, Runs, by_share, finals
from skelray.statistics.sentences import sentence

FEW_SUBJECTS = 10  # resampling so few gives intervals that hold the truth in 78 to 92 of 100 (docs/statistics.md)


@dataclass(frozen=True)
class Method:
    """One method under one protocol. `confusion[row][column]` sums over seeds and draws; rows are the true classes."""

    name: str
    seeds: tuple[int, ...]
    trials: tuple[str, ...]
    accuracy: Spread
    classes: tuple[ClassAccuracy, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Pair:
    """Two methods, the one with the higher mean first. `verdict` rests on `corrected`, Holm's p-value, alone."""

    first: str
    second: str
    runs: tuple[int, int]
    difference: Difference
    bootstrap: Bounds
    corrected: float | None
    verdict: Literal["better", "no difference", "open"]
    effect: Effect
    mcnemar: tuple[McNemar, ...]
    mcnemar_combined: float | None
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """All methods (best mean first) and all pairs under one protocol; `notes` are sentences that a reader needs.

    `draws`: of labels, that each seed was measured with; 1 where the protocol does not draw.
    """

    protocol: str
    clips: int
    subjects: int | None
    classes: tuple[str, ...]
    tests: int
    methods: tuple[Method, ...]
    pairs: tuple[Pair, ...]
    ranks: Ranks | None
    notes: tuple[str, ...]
    draws: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The same as plain lists, dictionaries, words and finite numbers: what json.dumps takes."""
        found: dict[str, Any] = asdict(self)
        return found


def compare(table: pd.DataFrame, protocol: str, *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compare all methods of a predictions table under one protocol; see `runs.finals` for columns and refusals.

    Holm's correction is over all pairs that can be tested. The same table gives the same numbers whatever the order
    of its rows; `seed` addresses the draws of the bootstrap.
    """
    found = finals(table, protocol)
    groups = found.groups
    methods = [
        Method(
            runs.method, runs.seeds, runs.trials,
            spread(runs.right, groups, _draw(seed, protocol, runs.method), resamples=resamples),
            per_class(found, runs), tuple(map(tuple, confusion(found, runs).tolist())),
        )
        for runs in found.runs
    ]  # fmt: skip
    order = sorted(zip(methods, found.runs, strict=True), key=lambda each: (-each[0].accuracy.mean, each[0].name))
    both = list(combinations([runs for _, runs in order], 2))
    told = [difference(one.right, other.right, groups) for one, other in both]
    corrected, tests = holm_of_tested([each.p for each in told])
    pairs = []
    for (one, other), each, p in zip(both, told, corrected, strict=True):
        draw = _draw(seed, protocol, one.method, other.method)
        interval = bootstrap([one.right, other.right], groups, draw, resamples=resamples)
        pairs.append(_pair(one, other, each, interval, p, tests))
    subjects = None if groups is None else int(groups.max()) + 1
    return Comparison(
        protocol, len(found.clips), subjects, found.classes, tests, tuple(method for method, _ in order),
        tuple(pairs), _ranks(found.runs, pairs), tuple(_notes(found, subjects)), max(1, len(found.draws)),
    )  # fmt: skip


def compare_all(table: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Comparison]:
    """One comparison a protocol, in the order of their first rows; corrections are within a protocol.

    The draws of one share of labels are one protocol.
    """
    if "protocol" not in table.columns:
        raise BadInput("predictions: the column 'protocol' is missing")
    names = [str(name) for name in by_share(table)["protocol"].dropna().unique()]
    return {name: compare(table, name, resamples=resamples, seed=seed) for name in names}


def _draw(seed: int, *purpose: str) -> np.random.Generator:
    """A stream of its own for each purpose, the same on every machine (skelray.rng would bring torch with it)."""
    return np.random.default_rng([seed, *" ".join(purpose).encode()])


def _pair(one: Runs, other: Runs, found: Difference, interval: Bounds, corrected: float | None, tests: int) -> Pair:
    runs = (len(one.seeds), len(other.seeds))
    tables = mcnemar(one, other)
    verdict: Literal["better", "no difference", "open"] = "open"
    if corrected is not None:
        verdict = "better" if corrected < LEVEL else "no difference"
    words = sentence(one.method, other.method, found, corrected, tests, runs)
    return Pair(
        one.method, other.method, runs, found, interval, corrected, verdict, effect(one.right, other.right),
        tuple(tables), combined(tables), words,
    )  # fmt: skip


def _ranks(runs: tuple[Runs, ...], pairs: list[Pair]) -> Ranks | None:
    shared = sorted(set.intersection(*(set(each.seeds) for each in runs)))
    if not shared:
        return None
    accuracy = {each.method: [float(each.right[each.seeds.index(seed)].mean()) for seed in shared] for each in runs}
    return ranks(accuracy, {(pair.first, pair.second): pair.verdict == "better" for pair in pairs})


def _notes(found: Finals, subjects: int | None) -> list[str]:
    notes = []
    counts = {runs.method: len(runs.seeds) for runs in found.runs}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        notes.append(
            f"Methods have unequal numbers of seeds ({listed}): where runs failed, the mean is over those that did not."
        )
    few = [name for name, count in counts.items() if count < FEWEST_SEEDS]
    if few:
        notes.append(f"Fewer than {FEWEST_SEEDS} seeds, so no interval and no claim: {', '.join(few)}.")
    if found.draws:
        many = len(found.draws)
        count = "one draw" if many == 1 else f"the same {many} draws"
        words = f"Each seed was measured with {count} of labelled clips"
        words += ", and its figure is the mean over them: draws are no further runs." if many > 1 else "."
        other = "Tests and intervals of pairs are over other draws too."
        notes.append(f"{words} {other if many >= FEWEST_DRAWS else 'Nothing is said of other draws.'}")
    if subjects is None:
        notes.append("The subjects of the clips are not known, so clips are taken as independent.")
    elif subjects == 1:
        notes.append("All clips are of one subject: nothing is said of other subjects.")
    elif subjects <= FEW_SUBJECTS:
        notes.append(
            f"{subjects} test subjects are few: bootstraps over them are too narrow; go by the intervals of the pairs."
        )
    return notes

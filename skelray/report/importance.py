"""Which hyperparameters mattered, per method, by two evaluators of Optuna: from the tables, not from the study.

fANOVA (Hutter et al., ICML 2014) fits a forest and asks how much of the objective's variance a dimension explains;
PED-ANOVA (Watanabe et al., IJCAI 2023) asks by how much the best trials lie elsewhere in a dimension than all trials.
They answer different questions from the same few trials: where they disagree, neither is to be built on.
"""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from skelray.dotted import conditions, existing
from skelray.report import tables
from skelray.results import Results

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

FEWEST = 10  # complete trials, below which nothing is said
BEST = 5  # trials that PED-ANOVA's better part holds at least: Optuna's own advice
SHARE = 0.1  # of all trials, where that is more of them
AGREE = 0.5  # rank correlation of the two, below which a reader is warned


@dataclass(frozen=True)
class Importance:
    """One method. `fanova` and `ped` are shares of 1 by dimension, most important first; empty where `why` says why.

    `trials` counts the complete trials used, `left` those left out because a value of theirs lies outside its range.
    fANOVA knows only dimensions that every trial has, PED-ANOVA conditional ones too. `best`: how many trials are
    PED-ANOVA's better part. `rho` is Spearman's, over the dimensions that both know; None below three.
    """

    method: str
    trials: int
    left: int = 0
    best: int = 0
    fanova: dict[str, float] | None = None
    ped: dict[str, float] | None = None
    rho: float | None = None
    warnings: tuple[str, ...] = ()
    why: str = ""


def importances(results: Results) -> list[Importance]:
    """One entry a method that searched anything, in the order of the sweep."""
    sweep, (_, more) = results.sweep(), tables.objective(results)
    when, trials = conditions(sweep), results.trials()
    complete = trials[(trials["state"] == "complete") & trials["value"].notna()]
    return [
        _importance(space["method"], space["search"], when.get(space["method"], {}), complete, more)
        for space in sweep.get("spaces", [])
        if isinstance(space, dict) and space.get("search")
    ]


def _importance(
    method: str, search: dict[str, Any], when: dict[str, Any], complete: pd.DataFrame, more: bool
) -> Importance:
    mine = complete[complete["method"] == method]
    if len(mine) < FEWEST:
        ran = f"{len(mine)} trial{'s' if len(mine) != 1 else ''} of {method} ran to the end"
        return Importance(method, len(mine), why=f"{ran}; fewer than {FEWEST} say nothing of importance.")
    if mine["value"].nunique() < 2:
        return Importance(method, len(mine), why=f"All trials of {method} have one value: nothing explains anything.")
    with _quiet():
        study, left = _study(method, search, when, mine, more)
        used = len(mine) - left
        if used < FEWEST:
            return Importance(method, used, left, why=f"Only {used} trials of {method} lie inside its search space.")
        best = min(max(BEST, round(SHARE * used)), used // 2)
        by_variance, by_place = _evaluated(study, best / used)
    if not by_variance and not by_place:
        return Importance(method, used, left, why=f"Nothing that {method} searched varies over its trials.")
    rho = _rho(by_variance, by_place)
    return Importance(
        method, used, left, best, by_variance, by_place, rho, tuple(_warnings(by_variance, by_place, rho))
    )


def _evaluated(study: "Study", quantile: float) -> tuple[dict[str, float], dict[str, float]]:
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    try:
        forest = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    except RuntimeError:  # no tree found anything to split: no dimension that all trials have explains the values
        forest = {}
    elsewhere = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=quantile))
    return _ordered(forest), _ordered(elsewhere)


def _ordered(found: dict[str, float]) -> dict[str, float]:
    known = {name: float(value) for name, value in found.items() if value == value}
    return dict(sorted(known.items(), key=lambda item: (-item[1], item[0])))


def _rho(one: dict[str, float], other: dict[str, float]) -> float | None:
    both = [name for name in one if name in other]
    values = pd.DataFrame({"one": [one[name] for name in both], "other": [other[name] for name in both]})
    if len(both) < 3 or (values.nunique() < 2).any():
        return None
    return float(values["one"].corr(values["other"], method="spearman"))


def _warnings(one: dict[str, float], other: dict[str, float], rho: float | None) -> Iterator[str]:
    shared = [name for name in other if name in one]
    if shared and next(iter(one)) != shared[0]:
        yield f"fANOVA puts {next(iter(one))} first, PED-ANOVA {shared[0]}: neither is to be built on."
    if rho is not None and rho < AGREE:
        yield f"The two evaluators order the dimensions differently (rank correlation {rho:.2f}, below {AGREE})."
    alone = [name for name in other if name not in one]
    if one and alone and other[alone[0]] > max((other[name] for name in shared), default=0):
        yield f"PED-ANOVA puts {alone[0]} first, which not every trial has: fANOVA cannot judge it."


def _study(
    method: str, search: dict[str, Any], when: dict[str, Any], trials: pd.DataFrame, more: bool
) -> tuple["Study", int]:
    """The trials again in memory, and how many lie outside their ranges."""
    import optuna

    ranges = {name: _distribution(each) for name, each in search.items()}
    study = optuna.create_study(direction="maximize" if more else "minimize")
    left = 0
    for config, value in trials[["config", "value"]].itertuples(index=False):
        flat = existing(json.loads(config), when)
        params = {name: _label(search[name], flat[name]) for name in ranges if name in flat}
        try:
            trial = optuna.trial.create_trial(
                params=params, distributions={name: ranges[name] for name in params}, value=float(value)
            )
        except (ValueError, TypeError):  # a point or a fixed value outside of its range
            left += 1
        else:
            study.add_trial(trial)
    return study, left


def _distribution(dimension: dict[str, Any]) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    log = bool(dimension.get("log", False))
    match dimension["kind"]:
        case "float":
            return FloatDistribution(dimension["low"], dimension["high"], log=log)
        case "int":
            return IntDistribution(dimension["low"], dimension["high"], log=log, step=dimension.get("step", 1))
        case _:
            return CategoricalDistribution([_text(value) for value in dimension["values"]])


def _label(dimension: dict[str, Any], value: Any) -> Any:
    if dimension["kind"] in ("float", "int"):
        return value
    known = (
        each for each in dimension["values"] if each == value and isinstance(each, bool) == isinstance(value, bool)
    )
    return _text(next(known, value))


def _text(value: Any) -> str:
    """A choice as Optuna takes it: lists are no values there, and true is not 1."""
    return json.dumps(value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's words on studies made and trials too few: what a reader must know is said in the report."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)

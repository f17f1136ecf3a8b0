"""What a results folder says, as data frames: who is best, what was tried, what failed and why."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from skelray.dotted import conditions, existing, text
from skelray.results import Results

FLOOR = "untrained"
OTHER = ("clips", "signals_", "generation_", "reconstruction")  # how metrics begin that are measured in other units

DETAIL = re.compile(r"test/(knn_\d+|robustness_(?!clean$)\w+|semi_\d+_spread)(_clean)?")


def percent(mean: float | None, spread: float | None = None) -> str:
    """`71.3`, or `71.3 ± 0.8` when there is a spread; shares in, percent out; a dash for what was not measured."""
    if mean is None or math.isnan(mean):
        return "-"
    return f"{100 * mean:.1f}" if spread is None or math.isnan(spread) else f"{100 * mean:.1f} ± {100 * spread:.1f}"


def is_accuracy(metric: str) -> bool:
    """Whether a metric is a share of clips that were told right; a probe's rate and a count of clips are not."""
    side, _, name = metric.partition("/")
    return side in ("val", "test") and not name.endswith("_lr") and not name.startswith(OTHER)


def measured(value: float | None, metric: str) -> str:
    """A metric for people: accuracies in percent, anything else as it is."""
    if value is None or math.isnan(value):
        return "-"
    return percent(value) if is_accuracy(metric) else f"{value:.4g}"


def test_metrics(finals: pd.DataFrame) -> list[str]:
    """The test accuracies of a finals table, linear first, each standard test set before its clean one."""
    tests = (column for column in finals.columns if column.startswith("test/") and not column.endswith(" spread"))
    found = [column for column in tests if is_accuracy(column)]
    return sorted(found, key=lambda name: ("linear" not in name, name))


def foremost(metrics: Sequence[str]) -> list[str]:
    """The metrics without those that go into detail: more neighbours, single corruptions, spreads over draws."""
    return [metric for metric in metrics if not DETAIL.fullmatch(metric)]


def left_out(results: Results) -> dict[str, list[str]]:
    """Protocol that finals were asked for -> the methods with a complete finalist and no figure of it."""
    finals = results.finals()
    finals = finals[(finals["kind"] == "final") & (finals["state"] == "complete")]
    found = dict[str, list[str]]()
    for name in dict.fromkeys((results.sweep().get("final") or {}).get("protocols", [])):
        own = [column for column in finals if str(column).split("_")[0] == f"test/{name}"]
        has = finals[own].notna().any(axis=1).groupby(finals["method"], sort=False).any()
        if lacking := [str(method) for method in has.index[~has]]:
            found[name] = lacking
    return found


def objective(results: Results) -> tuple[str, bool]:
    """The metric that the sweep selected on, and whether more is better."""
    asked = results.sweep().get("objective") or {}
    return str(asked.get("metric", "val/linear")), asked.get("mode", "max") == "max"


def leaders(results: Results, further: Sequence[str] = ()) -> pd.DataFrame:
    """One row a finalist (a method's configuration), best test figure first, the untrained encoders last.

    Columns: name, method, kind, seeds, clips, val (the search trial's best), and for each test accuracy and `further`
    metric its mean over seeds and, under `<metric> spread`, its standard deviation (n - 1; nan for one seed).
    """
    finals = results.finals()
    metrics = [*test_metrics(finals), *further]
    finals = finals[finals["state"] == "complete"]
    best = best_values(results)
    rows: list[dict[str, Any]] = []
    configs, names = finals["config"].map(_without_seed), finalists(finals)
    for (method, kind, _), seeds in finals.groupby(["method", "kind", configs], sort=False):
        row: dict[str, Any] = {"name": names[seeds.index[0]], "method": method, "kind": kind, "seeds": len(seeds)}
        row |= {"clips": int(seeds["clips"].max()), "val": best.get(str(method)) if kind == "final" else None}
        for metric in metrics:
            row |= {metric: seeds[metric].mean(), f"{metric} spread": seeds[metric].std(ddof=1)}
        rows.append(row)
    columns = ["name", "method", "kind", "seeds", "clips", "val"]
    columns += [column for metric in metrics for column in (metric, f"{metric} spread")]
    frame = pd.DataFrame(rows, columns=columns)
    first = metrics[0] if metrics else "seeds"
    frame = frame.assign(below=frame["kind"] == "floor")
    frame = frame.sort_values(["below", first], ascending=[True, False], kind="stable", na_position="last")
    return frame.drop(columns="below").reset_index(drop=True)


def together(leaders: pd.DataFrame) -> pd.DataFrame:
    """The same rows with one for all floors that are one encoder: methods that begin from the same random weights."""
    numbers = [column for column in leaders.columns if column not in ("name", "method")]
    floors = leaders[leaders["kind"] == "floor"].groupby(numbers, sort=False, dropna=False)["method"].agg(", ".join)
    merged = floors.reset_index().assign(name=lambda rows: f"{FLOOR} " + rows["method"])
    return pd.concat([leaders[leaders["kind"] != "floor"], merged], ignore_index=True)[leaders.columns]


def best_values(results: Results) -> dict[str, float]:
    """Each method's best objective among its trials that ran to the end."""
    trials, (_, more) = results.trials(), objective(results)
    complete = trials[(trials["state"] == "complete") & trials["value"].notna()].groupby("method", sort=False)["value"]
    return {str(method): float(value) for method, value in (complete.max() if more else complete.min()).items()}


def searched(results: Results) -> pd.DataFrame:
    """One column a searched dimension, one row a trial (index: trial): its value as text, empty where it has none."""
    sweep = results.sweep()
    asked = {space["method"]: space["search"] for space in sweep.get("spaces", []) if isinstance(space, dict)}
    when = conditions(sweep)
    rows: dict[str, dict[str, str]] = {}
    for trial, method, config in results.trials()[["trial", "method", "config"]].itertuples(index=False):
        flat = existing(json.loads(config), when.get(method, {}))
        rows[trial] = {key: short(flat[key]) for key in asked.get(method, {}) if key in flat}
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def finalists(finals: pd.DataFrame) -> "pd.Series[str]":
    """A name a row: its method, or the search trial that it repeats where a method has several finalists.

    Untrained encoders are `untrained METHOD`.
    """
    configs = finals["config"].map(_without_seed)
    several = configs[finals["kind"] == "final"].groupby(finals["method"]).nunique()
    named = finals["method"].where(finals["kind"] == "final", f"{FLOOR} " + finals["method"])
    many = (finals["kind"] == "final") & (finals["method"].map(several) > 1)
    return named.mask(many, finals["trial"].str.replace(r"-seed-\d+$", "", regex=True)).astype(str)


def short(value: Any) -> str:
    """A value of a config in a few letters."""
    return f"{value:.4g}" if isinstance(value, float) else text(value)


def _without_seed(config: str) -> str:
    return json.dumps({key: value for key, value in json.loads(config).items() if key != "seed"}, sort_keys=True)

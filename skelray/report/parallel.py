"""A method's trials as lines through its dimensions: where the good ones went."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from skelray.dotted import conditions, existing
from skelray.report import svg, tables
from skelray.results import Results

ABSENT = -0.16  # where a line passes a dimension that does not exist in its trial


def coordinates(results: Results, method: str, number: int) -> str | None:
    """The drawing, or None where there is nothing to lay side by side: fewer than two trials or no dimension."""
    sweep = results.sweep()
    spaces = {space["method"]: space["search"] for space in sweep.get("spaces", []) if isinstance(space, dict)}
    search = spaces.get(method) or {}
    metric, more = tables.objective(results)
    trials = results.trials()
    mine = trials[(trials["method"] == method) & (trials["state"] == "complete") & trials["value"].notna()]
    if len(mine) < 2 or not search:
        return None
    mine = mine.sort_values("value", ascending=more, kind="stable")  # the best is drawn last, on top
    when = conditions(sweep).get(method, {})
    flat = [existing(json.loads(config), when) for config in mine["config"]]
    names = [name for name in search if any(name in each for each in flat)]
    scale = 100 if tables.is_accuracy(metric) else 1
    values = scale * mine["value"].to_numpy(float)
    figure = _drawn(names, search, flat, values, metric, number)
    best = flat[-1]
    at = ", ".join(f"{name} {tables.short(best[name])}" for name in names if name in best)
    told = f"{len(mine)} complete trials; {metric} from {values.min():.4g} to {values.max():.4g}. The best, "
    told += f"{mine['trial'].iloc[-1]}, has {at}. All values are in the table of trials."
    return svg.inline(figure, f"parallel-{number}", f"Complete trials of {method} through what was searched", told)


def _drawn(
    names: list[str], search: dict[str, Any], flat: list[dict[str, Any]], values: np.ndarray, metric: str, number: int
) -> Figure:
    figure = svg.figure(max(4.6, 1.15 * (len(names) + 1)), 3.4)
    spread = float(np.ptp(values)) or 1.0
    share = (values - values.min()) / spread
    order = pd.Series(values).rank(pct=True).to_numpy()
    with svg.look():
        axes = figure.add_subplot()
        axes.grid(visible=False)
        for place in range(len(names) + 1):
            axes.plot([place, place], [0, 1], color=svg.DIM, linewidth=0.8, zorder=1)
        for row, trial in enumerate(flat):
            heights = [_height(search[name], trial[name]) if name in trial else ABSENT for name in names]
            last = row == len(flat) - 1
            axes.plot(
                range(len(names) + 1), [*heights, share[row]], color=svg.INK if last else svg.METHODS[number % 8],
                alpha=1.0 if last else 0.15 + 0.7 * order[row] ** 2, linewidth=2.2 if last else 1.2, zorder=2 + row,
            )  # fmt: skip
        for place, name in enumerate(names):
            _ends(axes, place, search[name])
        for height, value in ((0.0, values.min()), (1.0, values.max())):
            axes.annotate(f"{value:.4g}", (len(names), height), (4, 0), textcoords="offset points", va="center")
        if any(name not in trial for trial in flat for name in names):
            axes.annotate("does not exist", (0, ABSENT), (-4, 0), textcoords="offset points", va="center", ha="right")
        labels = [name.replace(".", ".\n", 1) for name in names]
        axes.set_xticks(range(len(names) + 1), [*labels, metric], fontsize=8)
        axes.set_yticks([])
        axes.set_xlim(-0.9, len(names) + 0.6)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
    return figure


def _ends(axes: Any, place: int, dimension: dict[str, Any]) -> None:
    marks = [(0.0, dimension.get("low")), (1.0, dimension.get("high"))]
    if dimension["kind"] not in ("float", "int"):
        marks = [(_height(dimension, value), value) for value in dimension["values"]]
    for height, value in marks:
        axes.annotate(
            tables.short(value), (place, height), (-4, 0), textcoords="offset points", va="center", ha="right",
            fontsize=7.5,
        )  # fmt: skip


def _height(dimension: dict[str, Any], value: Any) -> float:
    """From 0, the low end, to 1; choices stand evenly, and what lies outside of its range at the nearer end."""
    if dimension["kind"] not in ("float", "int"):
        values = dimension["values"]
        return values.index(value) / max(1, len(values) - 1) if value in values else ABSENT
    low, high = float(dimension["low"]), float(dimension["high"])
    if dimension.get("log"):
        low, high, value = math.log(low), math.log(high), math.log(max(float(value), 1e-300))
    return min(1.0, max(0.0, (float(value) - low) / (high - low))) if high > low else 0.5

"""Learning by clips seen, and the best validated figure within a cost: in clips, FLOPs and device-seconds."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from skelray.report import cost_curve, spent, svg, tables
from skelray.report.blocks import Block, Part, Picture, Table
from skelray.report.figures import thousands
from skelray.results import Results

POINTS = 8  # columns of a table that stands for a curve
DASHES, MARKERS = ("-", "--", "-.", ":"), "osD^vPX*"  # so that methods differ in more than their colour


def colours(results: Results) -> dict[str, int]:
    """Each method's number, the same in every picture: by the order of first trials."""
    methods = dict.fromkeys([*results.trials()["method"], *results.finals()["method"]])
    return {str(method): place for place, method in enumerate(methods)}


def look(place: int) -> dict[str, Any]:
    """Colour, dashes and mark of the method of this number."""
    return {"color": svg.METHODS[place % 8], "linestyle": DASHES[place % 4], "marker": MARKERS[place % 8]}


def learning(results: Results) -> Part:
    """The objective and the training loss of every trial by clips seen, a panel a method."""
    metric, more = tables.objective(results)
    blocks: list[Block] = []
    told = {
        metric: f"{metric} by clips seen, a line a trial; in colour a method's best complete trial. A dot: stopped"
        " early; a cross: failed. One scale for all.",
        "train/loss": "Training loss by clips seen. Each method has its own scale: losses do not compare.",
    }
    for name, caption in told.items():
        trials, history = results.trials(), results.history()
        points = history[(history["metric"] == name) & history["trial"].isin(trials["trial"])]
        if len(points):
            blocks.append(_learning(points, trials, name, more, colours(results), caption, shared=name == metric))
    return Part("Learning curves", blocks)


def _learning(
    points: pd.DataFrame, trials: pd.DataFrame, metric: str, more: bool, numbers: dict[str, int], caption: str,
    shared: bool,
) -> Picture:  # fmt: skip
    scale = 100 if tables.is_accuracy(metric) else 1
    points = points.assign(value=points["value"] * scale).sort_values("clips")
    low, high = points["value"].min(), points["value"].max()
    margin = 0.05 * (high - low) or 1.0
    drawings = []
    for method, mine in trials[trials["trial"].isin(points["trial"])].groupby("method", sort=False):
        complete = mine[(mine["state"] == "complete") & mine["value"].notna()].sort_values("value", ascending=not more)
        best = complete["trial"].iloc[0] if len(complete) else None
        figure = svg.figure()
        with svg.look():
            axes = figure.add_subplot()
            for trial, state in mine[["trial", "state"]].itertuples(index=False):
                line = points[points["trial"] == trial]
                _line(axes, line, state, trial == best, svg.METHODS[numbers[str(method)] % 8])
            axes.set_title(f"{method} ({len(mine)} trial{'s' if len(mine) > 1 else ''})", loc="left", fontweight="bold")
            axes.set_xlabel("clips seen")
            axes.set_ylabel(f"{metric} (%)" if scale == 100 else metric)
            axes.set_xlim(left=0)
            axes.xaxis.set_major_formatter(thousands)
            if shared:
                axes.set_ylim(low - margin, high + margin)
        ends = points[points["trial"].isin(mine["trial"])].groupby("trial", sort=False)["value"].last()
        states = ", ".join(f"{count} {state}" for state, count in mine["state"].value_counts().items())
        words = f"{len(mine)} trials ({states}); last values from {ends.min():.4g} to {ends.max():.4g}"
        words += f"; the best complete trial is {best}, at {ends.to_dict()[best]:.4g}" if best in ends.index else ""
        name = f"learning-{metric.replace('/', '-')}-{numbers[str(method)]}"
        drawings.append(svg.inline(figure, name, f"{metric} of {method} by clips seen", f"{words}."))
    return Picture(caption, drawings, _numbers(points, metric))


def _line(axes: Axes, points: pd.DataFrame, state: str, best: bool, colour: str) -> None:
    look: dict[str, Any] = (
        {"color": colour, "linewidth": 2.2, "zorder": 3} if best else {"color": svg.DIM, "linewidth": 0.8}
    )
    clips, values = points["clips"].to_numpy(), points["value"].to_numpy()
    axes.plot(clips, values, marker="o" if len(points) == 1 else None, markersize=4, **look)
    mark = {"pruned": "o", "failed": "x"}.get(state)
    if mark and len(points):
        axes.plot(clips[-1:], values[-1:], mark, color=svg.INK, markersize=5, markeredgewidth=1.6, zorder=4)


def _numbers(points: pd.DataFrame, metric: str) -> Table:
    """The last value within each of a few numbers of clips; what ended before has none."""
    clips = np.unique(points["clips"])
    chosen = np.unique(clips[np.linspace(0, len(clips) - 1, min(POINTS, len(clips))).round().astype(int)])
    rows = []
    for trial, mine in points.groupby("trial", sort=False):
        within = [mine.loc[mine["clips"] <= each, "value"] for each in chosen]
        over = [each > mine["clips"].max() for each in chosen]
        rows.append([str(trial)] + ["-" if late or found.empty else f"{found.iloc[-1]:.4g}"
                                    for found, late in zip(within, over, strict=True)])  # fmt: skip
    unit = ", in percent" if tables.is_accuracy(metric) else ""
    return Table(f"{metric}{unit}, by clips seen", ["trial", *(f"{each:,}" for each in chosen)], rows)


def costs(results: Results) -> list[Block]:
    """The best figure within a cost, per method with its interval, and the Pareto front over all, in each unit."""
    metric, _ = tables.objective(results)
    scale = 100 if tables.is_accuracy(metric) else 1
    drawings, rows, lacking, methods = [], [], [], set(results.trials()["method"])
    for unit, spoken in spent.UNITS.items():
        found = cost_curve.curves(results, unit)
        if unknown := sorted(methods - set(found["method"])):
            lacking.append(spoken if found.empty else f"{spoken} of {', '.join(unknown)}")
        if found.empty:
            continue
        front = cost_curve.pareto(results, unit)
        drawings.append(_cost(found, front, metric, scale, unit, colours(results)))
        rows += _front(front, spoken, scale)
    if not drawings:
        return []
    caption = (
        f"The best {metric} that a method's search is expected to have found within a cost, had its trials come in"
        " another order; the band is a 95 % bootstrap over trials. The thick line is the Pareto front: no method gives"
        " more for as little. The search alone counts; a trial counts from its end on."
    )
    heads = ["within", "unit", "method", f"best {metric}", "95 % interval"]
    blocks: list[Block] = [Picture(caption, drawings, Table("The Pareto front over all methods", heads, rows))]
    if lacking:
        blocks.append(f"Without a curve, for not every trial was counted: {'; '.join(lacking)}.")
    return blocks


def _cost(found: pd.DataFrame, front: pd.DataFrame, metric: str, scale: int, unit: str, numbers: dict[str, int]) -> str:
    figure = svg.figure(4.0, 3.1)
    spoken = spent.UNITS[unit]
    with svg.look():
        axes = figure.add_subplot()
        if len(front):
            cost, mean = front["cost"].to_numpy(float), scale * front["mean"].to_numpy(float)
            axes.plot(cost, mean, drawstyle="steps-post", color=svg.RULE, linewidth=7, label="Pareto front")
        for method, mine in found.groupby("method", sort=False):
            style = look(numbers[str(method)])
            cost = mine["cost"].to_numpy(float)
            low, mean, high = (scale * mine[name].to_numpy(float) for name in ("low", "mean", "high"))
            axes.fill_between(cost, low, high, step="post", color=style["color"], alpha=0.12, linewidth=0)
            end = [len(cost) - 1]  # of a search with one complete trial nothing is known before
            axes.plot(
                cost,
                mean,
                drawstyle="steps-post",
                linewidth=1.6,
                label=str(method),
                markevery=end,
                markersize=5,
                **style,
            )
        axes.set_title(f"by {spoken}", loc="left", fontweight="bold")
        axes.set_xlabel(f"{spoken} of the search")
        axes.set_ylabel(f"best {metric}" + (" (%)" if scale == 100 else ""))
        axes.set_xlim(left=0)
        if unit == "clips":
            axes.xaxis.set_major_formatter(thousands)
        figure.legend(loc="outside lower center", ncols=3, fontsize=8, columnspacing=1.2)
    last = found.dropna(subset=["mean"]).groupby("method", sort=False).last()
    told = "; ".join(
        f"{method} {scale * row['mean']:.4g} within {spent.number(row['cost'])}" for method, row in last.iterrows()
    )
    return svg.inline(
        figure, f"cost-{unit}", f"Best {metric} by {spoken}", f"At the whole search: {told or 'nothing'}."
    )


def _front(front: pd.DataFrame, spoken: str, scale: int) -> list[list[str]]:
    """The front's rows where its method or its figure changes: not every point of the grid."""
    told = front.drop_duplicates(subset=["method", "mean"])
    places = np.unique(np.linspace(0, len(told) - 1, min(2 * POINTS, len(told))).round().astype(int))
    return [
        [
            spent.number(row["cost"]),
            spoken,
            str(row["method"]),
            f"{scale * row['mean']:.4g}",
            _between(scale * row["low"], scale * row["high"]),
        ]
        for row in told.iloc[places].to_dict("records")
    ]


def _between(low: float, high: float) -> str:
    return "-" if math.isnan(low) or math.isnan(high) else f"{low:.4g} to {high:.4g}"

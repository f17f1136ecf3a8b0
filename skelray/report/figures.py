"""The pictures of a report: learning curves by clips seen, and the finalists with their seeds."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from skelray.report import tables
from skelray.results import Results

# Okabe and Ito's colours, told apart by colour-blind readers as well; one a method, in the order of the sweep.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#4D4D4D")
GREY, WIDE = "#B8B8B8", 4


def draw(results: Results, folder: Path) -> list[tuple[str, str]]:
    """Draw what there is to draw into `folder`; (file name, caption) of each picture, in the order of reading."""
    folder.mkdir(parents=True, exist_ok=True)
    trials, history = results.trials(), results.history()
    metric, more = tables.objective(results)
    drawn = []
    finals = tables.leaders(results)
    if len(finals) and tables.test_metrics(finals):
        caption = (
            "Test accuracy of each finalist: a dot a seed, a bar at their mean; dashed: the same encoder untrained."
        )
        drawn.append((_save(_finalists(results, finals), folder / "finalists.png"), caption))
    for name, title, caption in (
        (
            metric,
            "objective",
            f"`{metric}` by clips seen, one line a trial; the best complete trial of a method in colour.",
        ),
        (
            "train/loss",
            "train_loss",
            "Training loss by clips seen; each method has its own scale: losses do not compare.",
        ),
    ):
        points = history[(history["metric"] == name) & history["trial"].isin(trials["trial"])]
        if len(points):
            figure = _curves(points, trials, name, more, _colours(results), shared=name == metric)
            drawn.append((_save(figure, folder / f"{title}.png"), caption))
    return drawn


def _curves(
    points: pd.DataFrame, trials: pd.DataFrame, metric: str, more: bool, colours: dict[str, str], shared: bool
) -> Figure:
    methods = list(dict.fromkeys(trials.loc[trials["trial"].isin(points["trial"]), "method"]))
    figure, panels = _panels(len(methods), shared)
    share = tables.is_accuracy(metric)
    by_trial = dict(list(points.groupby("trial", sort=False)))
    for panel, method in zip(panels, methods, strict=True):
        colour = colours[method]
        mine = trials[trials["method"] == method]
        complete = mine[(mine["state"] == "complete") & mine["value"].notna()].sort_values("value", ascending=not more)
        best = complete["trial"].iloc[0] if len(complete) else None
        for trial, state in mine[["trial", "state"]].itertuples(index=False):
            if trial not in by_trial or trial == best:
                continue
            _line(panel, by_trial[trial], share, state, color=GREY, linewidth=1.0, zorder=2)
        if best in by_trial:
            _line(panel, by_trial[best], share, "complete", color=colour, linewidth=2.2, zorder=3)
        title = f"{method}  ({len(mine)} trial{'s' if len(mine) > 1 else ''})"
        panel.set_title(title, fontsize=11, color=colour, fontweight="bold", loc="left")
        panel.set_xlabel("clips seen")
        panel.set_xlim(left=0)
    for panel in panels[::WIDE]:
        panel.set_ylabel(f"{metric} (%)" if share else metric)
    _legend(figure, list(trials.loc[trials["trial"].isin(points["trial"]), "state"]), len(methods))
    return figure


def _line(panel: Axes, points: pd.DataFrame, share: bool, state: str, **look: Any) -> None:
    points = points.sort_values("clips")
    scale = 100 if share else 1
    clips, values = points["clips"].to_numpy(), points["value"].to_numpy() * scale
    panel.plot(clips, values, marker="o" if len(points) == 1 else None, markersize=4, **look)
    if state in _MARKS:
        marker, colour = _MARKS[state]
        panel.plot(clips[-1:], values[-1:], marker, color=colour, markersize=5, zorder=4)


_MARKS = {"pruned": ("o", "#777777"), "failed": ("x", "#C00000")}


def _legend(figure: Figure, states: list[str], methods: int) -> None:
    entries, others = [], states.count("complete") > methods or set(states) != {"complete"}
    if "complete" in states:
        entries.append(Line2D([], [], color="black", linewidth=2.2, label="best complete trial"))
    if others:
        entries.append(Line2D([], [], color=GREY, linewidth=1.0, label="other trials"))
    for state, label in (("pruned", "stopped early"), ("failed", "failed")):
        if state in states:
            marker, colour = _MARKS[state]
            entries.append(Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=5, label=label))
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), frameon=False, fontsize=9)


def _finalists(results: Results, leaders: pd.DataFrame) -> Figure:
    metrics = tables.foremost(tables.test_metrics(leaders))
    finals = results.finals()
    finals = finals[finals["state"] == "complete"]
    methods = list(dict.fromkeys(leaders["method"]))
    colour_of = _colours(results)
    figure, panels = _panels(len(metrics), shared=True)
    for panel, metric in zip(panels, metrics, strict=True):
        for place, method in enumerate(methods):
            mine = finals[finals["method"] == method]
            values = 100 * mine.loc[mine["kind"] == "final", metric].dropna()
            floor = 100 * mine.loc[mine["kind"] == "floor", metric].dropna()
            if len(floor):
                panel.hlines(floor.mean(), place - 0.35, place + 0.35, color="#555555", linestyle="--", linewidth=1.3)
            if len(values):
                panel.hlines(values.mean(), place - 0.25, place + 0.25, color=colour_of[method], linewidth=3)
                panel.plot([place] * len(values), values, "o", color=colour_of[method], markersize=6, alpha=0.55, mew=0)
        panel.set_title(_spoken(metric), fontsize=11, loc="left")
        tilt = 45 if len(methods) > 4 else 0
        panel.set_xticks(range(len(methods)), methods, rotation=tilt, ha="right" if tilt else "center")
        panel.set_xlim(-0.6, len(methods) - 0.4)
    for panel in panels[::WIDE]:
        panel.set_ylabel("test accuracy (%)")
    entries = [Line2D([], [], color="black", marker="o", linewidth=3, label="finalist: seeds and their mean")]
    if (finals["kind"] == "floor").any():
        entries.append(Line2D([], [], color="#555555", linestyle="--", label=f"{tables.FLOOR} encoder"))
    figure.legend(handles=entries, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _panels(number: int, shared: bool) -> tuple[Figure, list[Axes]]:
    """`number` panels, four a row; with `shared`, one vertical scale for all."""
    rows, columns = -(-number // WIDE), min(number, WIDE)
    figure = Figure(figsize=(max(5.2, 3.6 * columns), 3.3 * rows + 0.4), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    first: Axes | None = None
    panels = []
    for place in range(number):
        panel = figure.add_subplot(rows, columns, place + 1, sharey=first if shared else None)
        first = first or panel
        panel.grid(axis="y", color="#E6E6E6", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.xaxis.set_major_locator(MaxNLocator(5))
        panel.xaxis.set_major_formatter(FuncFormatter(thousands))
        panels.append(panel)
    return figure, panels


def _colours(results: Results) -> dict[str, str]:
    """Each method's colour, the same in every picture: by the order of first trials."""
    methods = dict.fromkeys([*results.trials()["method"], *results.finals()["method"]])
    return {method: COLOURS[place % len(COLOURS)] for place, method in enumerate(methods)}


def _spoken(metric: str) -> str:
    protocol = metric.removeprefix("test/")
    names = {"linear": "linear probe", "knn": "nearest neighbour"}
    plain = protocol.removesuffix("_clean")
    return f"{names.get(plain, plain)}, {'clean' if protocol.endswith('_clean') else 'standard'} test set"


def thousands(value: float, place: int | float | None = None) -> str:
    """A number on an axis."""
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


def _save(figure: Figure, path: Path) -> str:
    figure.savefig(path, metadata={"Software": None})
    return path.name

"""What is left of the finalists' accuracy when clips go wrong: a panel a corruption, a line a finalist."""

import math
from typing import Any

import pandas as pd

from skelray.report import curves, svg, tables
from skelray.report.blocks import Part, Picture, Table
from skelray.results import Results

COLUMNS = ["name", "method", "curve", "level", "accuracy", "spread", "seeds"]


def points(results: Results) -> pd.DataFrame:
    """One row a finalist, curve and level: mean accuracy over seeds, its standard deviation (n - 1), how many seeds."""
    finals = results.finals()
    finals = finals[(finals["kind"] == "final") & (finals["state"] == "complete")]
    named = dict(zip(finals["trial"], tables.finalists(finals), strict=True)) if len(finals) else {}
    method = dict(zip(finals["trial"], finals["method"], strict=True))
    rows = [
        (named[trial], method[trial], curve, place, point["level"], float(point["accuracy"]))
        for trial, found in results.curves().items()
        if trial in named
        for curve, line in found.items()
        for place, point in enumerate(line)
        if "level" in point  # other protocols keep curves, too: `semi` a point a draw of labels
    ]
    told = pd.DataFrame(rows, columns=["name", "method", "curve", "place", "level", "accuracy"])
    # a level may be a number or the name of a body part: it is found by its text, and stays in the order of the curve
    told = told.assign(level=told["level"].map(_level))
    keys = ["name", "method", "curve", "place", "level"]
    found = told.groupby(keys, sort=False)["accuracy"].agg(accuracy="mean", spread="std", seeds="size").reset_index()
    return found[COLUMNS]


def part(results: Results) -> Part:
    """All curves; empty where no final measured any."""
    found = points(results)
    if found.empty:
        return Part("Robustness", [])
    numbers = curves.colours(results)
    drawings = [
        _drawn(str(curve), mine, numbers, place)
        for place, (curve, mine) in enumerate(found.groupby("curve", sort=False))
    ]
    rows = [
        [row["name"], row["curve"], row["level"], tables.percent(row["accuracy"], row["spread"]), str(row["seeds"])]
        for row in found.to_dict("records")
    ]
    caption = "Test accuracy (%) of the linear probe, fitted on clean clips, on clips that were corrupted; means over"
    caption += " seeds. Each curve begins with the clean clips."
    heads = ["method", "what happens", "level", "accuracy", "seeds"]
    return Part("Robustness", [Picture(caption, drawings, Table("Accuracy in percent, by corruption", heads, rows))])


def _drawn(curve: str, mine: pd.DataFrame, numbers: dict[str, int], place: int) -> str:
    figure = svg.figure(4.0, 3.1)
    levels = list(dict.fromkeys(mine["level"]))
    numeric = all(_is_number(level) for level in levels)
    told = []
    with svg.look():
        axes = figure.add_subplot()
        for name, line in mine.groupby("name", sort=False):
            at: list[Any] = [float(each) if numeric else levels.index(each) for each in line["level"]]
            values = (100 * line["accuracy"]).tolist()
            style = curves.look(numbers[str(line["method"].iloc[0])])
            axes.plot(at, values, label=str(name), markersize=4, linewidth=1.6, **style)
            told.append(f"{name} from {values[0]:.1f} to {values[-1]:.1f}")
        if not numeric:
            axes.set_xticks(range(len(levels)), levels, rotation=30, ha="right")
        axes.set_title(curve.replace("_", " "), loc="left", fontweight="bold")
        axes.set_ylabel("accuracy (%)")
        figure.legend(loc="outside lower center", ncols=3, fontsize=8, columnspacing=1.2)
    words = f"Levels {', '.join(levels)}: {'; '.join(told)}."
    return svg.inline(figure, f"robust-{place}", f"Accuracy under {curve.replace('_', ' ')}", words)


def _level(level: Any) -> str:
    return f"{level:g}" if isinstance(level, int | float) and not isinstance(level, bool) else str(level)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False

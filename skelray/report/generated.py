"""What finalists generate, beside what the same encoders generate untrained, and how far real bodies are apart."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from skelray.report import tables
from skelray.report.blocks import Block, Part, Table
from skelray.results import Results

BEGINNING = "test/generation_"
FREELY = ("frechet", "frechet_training", "bone_ratio", "bone_variation", "bone_variation_real")
AGAIN = (
    "mpjpe_mm", "frechet_conditional", "frechet_training", "bone_ratio_conditional", "bone_variation_conditional",
    "bone_variation_real",
)  # fmt: skip
REFERENCES = ("frechet_training", "bone_variation_real")
SHARES = ("bone_variation",)  # how the names of those begin that are told in percent
WORDS = (
    "frechet has no unit, and less is better: the distance between the movements of made and of held-out bodies;"
    " frechet_training is that of as many real training bodies, where a perfect method would stand.",
    "bone_ratio is the mean length of a bone, made over real: 1 is right. bone_variation is how much a bone's length"
    " varies over time, in percent of it: right is bone_variation_real, that of held-out bodies.",
)
PLACED = "mpjpe_mm is how far a joint is from where it was, in millimetres, as a mean: less is better."


def rows(results: Results) -> pd.DataFrame:
    """One row a finalist that generates, in the leaderboard's order, each followed by its method's untrained encoder.

    Columns: name, method, kind, and of each figure its mean over seeds and, under `<figure> spread`, its standard
    deviation. Empty where nobody measured any.
    """
    figures = [BEGINNING + name for name in dict.fromkeys(FREELY + AGAIN)]
    measured = [name for name in figures if name in results.finals()]
    told = tables.leaders(results, measured)
    told = told[told[measured].notna().any(axis=1)] if measured else told.iloc[:0]
    place = {method: number for number, method in enumerate(dict.fromkeys(told["method"]))}
    order = told.assign(place=told["method"].map(place), below=told["kind"] == "floor")
    told = order.sort_values(["place", "below"], kind="stable").drop(columns=["place", "below"])
    return told.rename(columns=lambda name: str(name).removeprefix(BEGINNING)).reset_index(drop=True)


def part(results: Results) -> Part:
    """A table of what is made from noise, one of what is made again from clips; empty where nobody measured any."""
    found = rows(results)
    about = "mean ± standard deviation over seeds, bone_variation in percent"
    blocks: list[Block] = []
    if freely := _table(found, FREELY, f"Bodies made from noise alone: {about}"):
        blocks += [freely, *WORDS]
    if again := _table(found, AGAIN, f"Bodies made again from what a method sees of each held-out one: {about}"):
        blocks += [again, *([PLACED] if AGAIN[0] in again.heads else [])]
    return Part("Generation", blocks)


def number(mean: float, spread: float = math.nan) -> str:
    """`3,209 ± 197`, `26.1`, `6.37 ± 0.19`: two decimals below 10, none from 100 on; a dash for what is unknown."""
    if not math.isfinite(mean):
        return "-"
    digits = 0 if abs(mean) >= 100 else 1 if abs(mean) >= 10 else 2
    return f"{mean:,.{digits}f}" + (f" ± {spread:,.{digits}f}" if math.isfinite(spread) else "")


def _table(found: pd.DataFrame, figures: tuple[str, ...], caption: str) -> Table | None:
    """Methods that have a figure which is no reference, with all of those figures that anybody has."""
    known = [name for name in figures if name in found and found[name].notna().any()]
    own = [name for name in known if name not in REFERENCES]
    if not own:
        return None
    lines = [
        [row["name"], *(_cell(name, row) for name in known)]
        for row in found[found[own].notna().any(axis=1)].to_dict("records")
    ]
    return Table(caption, ["method", *known], lines)


def _cell(name: str, row: Mapping[Any, Any]) -> str:
    unit = 100 if name.startswith(SHARES) else 1
    if name in REFERENCES:  # of the data, hence the same for each seed
        return number(unit * row[name])
    return number(unit * row[name], unit * row[f"{name} spread"])

"""The finals of one protocol as arrays: every method's runs over the same clips in the same order, or a refusal."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skelray.errors import BadInput, near

COLUMNS = ("trial", "method", "seed", "protocol", "clip", "label", "predicted")

DRAWN = re.compile(r"(.+)_draw(\d+)")  # how a protocol names what it found with one of its draws of labels

# (runs, clips): whether a run told a clip's class; (runs, draws, clips) where each was measured with several draws
Right = NDArray[np.bool_]
Groups = NDArray[np.int64]  # (clips,): the number of a clip's subject, 0 .. subjects - 1


@dataclass(frozen=True, eq=False)
class Runs:
    """One method's finals: `predicted[s, d, c]` is what the run of `seeds[s]` said of clip c (a place in `classes`).

    d counts the draws of labels that the run was measured with: one where a protocol does not draw.
    """

    method: str
    seeds: tuple[int, ...]
    trials: tuple[str, ...]
    predicted: NDArray[np.int64]  # (runs, draws, clips)
    right: Right  # (runs, draws, clips)


@dataclass(frozen=True, eq=False)
class Finals:
    """All methods over the same clips; `label[c]` is a place in `classes`; `groups` is None without subjects."""

    protocol: str
    runs: tuple[Runs, ...]
    clips: tuple[str, ...]
    classes: tuple[str, ...]
    label: NDArray[np.int64]  # (clips,)
    groups: Groups | None
    draws: tuple[int, ...] = ()  # their numbers; () where the protocol does not draw


def drawn(right: Right) -> Right:
    """(runs, draws, clips) of either form."""
    return right if right.ndim == 3 else right[:, None]


def by_share(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the draws of one share of labels under one protocol: `semi_1_draw0` is semi_1, draw 0.

    The column `draw` is -1 where a protocol does not draw.
    """
    named = {name: DRAWN.fullmatch(str(name)) for name in table["protocol"].dropna().unique()}
    share = {name: found[1] if found else name for name, found in named.items()}
    number = {name: int(found[2]) if found else -1 for name, found in named.items()}
    draw = table["protocol"].map(number).fillna(-1).astype(int)
    return table.assign(protocol=table["protocol"].map(share), draw=draw)


def finals(table: pd.DataFrame, protocol: str) -> Finals:
    """Arrays of one protocol's predictions, clips and seeds in a fixed order whatever the order of the rows.

    Columns: trial, method, seed, protocol, clip, label, predicted, and subject where it is known. The draws of a share
    of labels (`semi_1_draw0`, ...) are one protocol (`semi_1`). Raises BadInput, naming trials and clips, when a
    column, clip or draw is missing, a method has two runs of a seed, a clip has two labels or subjects, a prediction is
    empty, or nothing was measured under this protocol.
    """
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        hint = near(missing[0], map(str, table.columns))
        raise BadInput(f"predictions: the column {missing[0]!r} is missing; due are {', '.join(COLUMNS)}{hint}")
    table = by_share(table)
    rows = table[table["protocol"] == protocol]
    if rows.empty:
        known = sorted(map(str, table["protocol"].dropna().unique()))
        hint = near(protocol, known)
        raise BadInput(f"predictions: none under the protocol {protocol!r}; there are {known or 'none at all'}{hint}")
    for name in COLUMNS:
        if rows[name].isna().any():
            trials = _some(rows.loc[rows[name].isna(), "trial"])
            raise BadInput(f"predictions of {protocol}: {name} is empty in rows of the trial {trials}")
    _one_run_a_seed(rows, protocol)
    label = _one_a_clip(rows, "label", protocol)
    draws = sorted({int(draw) for draw in rows["draw"].unique()})
    _every_draw(rows, draws, protocol)
    _every_clip(rows, label.index, protocol)
    classes = _ordered(pd.concat([rows["label"], rows["predicted"]]))
    place = {name: number for number, name in enumerate(classes)}
    coded = np.array([place[name] for name in label], dtype=np.int64)
    told = pd.MultiIndex.from_product([draws, label.index])
    runs = tuple(_runs(str(name), each, told, place, coded) for name, each in rows.groupby("method"))
    names, clips = tuple(map(str, classes)), tuple(map(str, label.index))
    numbers = tuple(draw for draw in draws if draw >= 0)
    return Finals(protocol, runs, clips, names, coded, _groups(rows, label.index, protocol), numbers)


def _runs(
    method: str, rows: pd.DataFrame, told: pd.MultiIndex, place: dict[object, int], label: NDArray[np.int64]
) -> Runs:
    """`told`: the draws and their clips."""
    said = rows.pivot(index="seed", columns=["draw", "clip"], values="predicted").sort_index()[told]
    trials = rows.drop_duplicates("seed").set_index("seed")["trial"].loc[said.index]
    predicted = np.vectorize(place.__getitem__, otypes=[np.int64])(said.to_numpy())
    predicted = predicted.reshape(len(said), -1, len(label))
    seeds = tuple(int(seed) for seed in said.index)
    return Runs(method, seeds, tuple(map(str, trials)), predicted, predicted == label)


def _one_run_a_seed(rows: pd.DataFrame, protocol: str) -> None:
    trials = rows.groupby(["method", "seed"])["trial"].unique()
    double = trials[trials.map(len) > 1]
    if len(double):
        method, seed = double.index[0]
        raise BadInput(
            f"predictions of {protocol}: {method} has two runs of seed {seed} ({_some(double.iloc[0])});"
            " give each configuration a method name of its own"
        )
    twice = rows[rows.duplicated(["method", "seed", "draw", "clip"])]
    if len(twice):
        trial, clip = twice.iloc[0][["trial", "clip"]]
        raise BadInput(f"predictions of {protocol}: the trial {trial} tells the clip {clip} twice; once is due")


def _one_a_clip(rows: pd.DataFrame, column: str, protocol: str) -> pd.Series:
    pairs = rows[["clip", column]].drop_duplicates()
    double = pairs[pairs["clip"].duplicated(keep=False)]
    if len(double):
        clip = double.iloc[0]["clip"]
        values = _some(double.loc[double["clip"] == clip, column])
        raise BadInput(f"predictions of {protocol}: the clip {clip} has the {column} {values}; one is due in all runs")
    return pairs.set_index("clip")[column].sort_index()


def _every_draw(rows: pd.DataFrame, draws: list[int], protocol: str) -> None:
    for trial, told in rows.groupby("trial")["draw"]:
        if left := sorted(set(draws) - set(told)):
            raise BadInput(
                f"predictions of {protocol}: the trial {trial} lacks the draw{'s' * (len(left) > 1)} {_some(left)} of"
                f" {len(draws)}; methods are compared over the same draws"
            )


def _every_clip(rows: pd.DataFrame, clips: pd.Index, protocol: str) -> None:
    for (trial, _), told in rows.groupby(["trial", "draw"])["clip"]:
        left = clips.difference(pd.Index(told))
        if len(left):
            raise BadInput(
                f"predictions of {protocol}: the trial {trial} lacks {len(left)} of {len(clips)} clips"
                f" ({_some(left)}); methods are compared over the same clips"
            )


def _groups(rows: pd.DataFrame, clips: pd.Index, protocol: str) -> Groups | None:
    if "subject" not in rows.columns or rows["subject"].isna().all():
        return None
    unknown = rows.loc[rows["subject"].isna(), "clip"]
    if len(unknown):
        raise BadInput(f"predictions of {protocol}: the subject of {_some(unknown)} is empty; all clips or none")
    codes, _ = pd.factorize(_one_a_clip(rows, "subject", protocol).loc[clips], sort=True)
    return codes.astype(np.int64)


def _ordered(values: pd.Series) -> list[object]:
    found = list(values.unique())
    try:
        return sorted(found)
    except TypeError:  # numbers beside words
        return sorted(found, key=str)


def _some(values: Iterable[object], most: int = 3) -> str:
    """The first few different values, and how many more there are."""
    names = list(dict.fromkeys(map(str, values)))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

"""How well label-free signals order trials: their rank correlation with accuracy, from the tables alone.

Spearman, Am. J. Psychol. 1904; ties share their mean rank. p is scipy's, two-sided, by Student's t: with few trials it
is an indication and no more.
"""

from typing import Any

import pandas as pd

from skelray.report import tables
from skelray.results import Results

SIGNAL = "signals_"  # how the names of signals begin, after val/ or test/
ASIDE = ("clips",)  # what stands among the signals and is none
LEAST = 3  # trials, below which two orders cannot disagree by degrees
COLUMNS = ["of", "signal", "accuracy", "n", "rho", "p"]


def correlations(results: Results) -> pd.DataFrame:
    """One row a signal and accuracy: of (search, finals), signal, accuracy, n, rho, p.

    Over trials that ran to their end and have both numbers; rho and p are nan for fewer than three of them, and where
    one of the two does not vary. Empty when nobody measured a signal.
    """
    finals = results.finals()
    every = {"search": (results.trials(), "val/"), "finals": (finals[finals["kind"] == "final"], "test/")}
    rows = [row for of, (table, side) in every.items() for row in _rows(of, table, side)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(of: str, table: pd.DataFrame, side: str) -> list[dict[str, Any]]:
    table = table[table["state"] == "complete"]
    known = [str(column) for column in table.columns if str(column).startswith(side) and table[column].notna().any()]
    signals = [name for name in known if name.startswith(side + SIGNAL) and not name.endswith(ASIDE)]
    accuracies = sorted(filter(tables.is_accuracy, known), key=lambda name: ("linear" not in name, name))
    return [
        {"of": of, "signal": signal.removeprefix(side + SIGNAL), "accuracy": accuracy.removeprefix(side)}
        | _spearman(table[[signal, accuracy]].dropna())
        for signal in signals
        for accuracy in accuracies
    ]


def _spearman(pairs: pd.DataFrame) -> dict[str, float | int]:
    from scipy.stats import spearmanr  # takes most of a second: not paid where there is no signal

    if len(pairs) < LEAST or (pairs.nunique() < 2).any():
        return {"n": len(pairs), "rho": float("nan"), "p": float("nan")}
    found = spearmanr(pairs.iloc[:, 0], pairs.iloc[:, 1])
    return {"n": len(pairs), "rho": float(found.statistic), "p": float(found.pvalue)}

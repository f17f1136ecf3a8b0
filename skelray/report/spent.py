"""What each method used, in clips, FLOPs and device-seconds, beside the share that it was given."""

import math
from typing import Any

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table

from skelray.results import Results

UNITS = {"clips": "clips", "flops": "FLOPs", "device_seconds": "device-seconds"}  # column -> spoken
SHARED = {"flops": "flops", "seconds": "device_seconds"}  # unit of a budget -> column


def ledger(results: Results) -> pd.DataFrame:
    """One row a method and stage, in the order of the results.

    Columns: method, stage (search, finals), trials, the states complete, pruned, failed (how many), clips, flops,
    device_seconds (sums; nan where an older version did not count), share and off (of a search under a shared budget:
    what it was given, and used / share - 1; nan elsewhere). Trials that failed count with what they used.
    """
    budget = results.sweep().get("budget") or {}
    unit, share = SHARED.get(str(budget.get("unit"))), budget.get("share")
    rows: list[dict[str, Any]] = []
    for stage, table in (("search", results.trials()), ("finals", results.finals())):
        for method, mine in table.groupby("method", sort=False):
            states = mine["state"].value_counts()
            row: dict[str, Any] = {"method": method, "stage": stage, "trials": len(mine)}
            row |= {state: int(states.get(state, 0)) for state in ("complete", "pruned", "failed")}
            row |= {column: mine[column].sum(skipna=False) for column in UNITS}
            given = share if unit and stage == "search" else None
            row |= {"share": given, "off": row[unit] / given - 1 if unit and given else None}
            rows.append(row)
    columns = ["method", "stage", "trials", "complete", "pruned", "failed", *UNITS, "share", "off"]
    return pd.DataFrame(rows, columns=columns).astype({"share": float, "off": float})


def table(results: Results) -> Table:
    """The ledger for a terminal."""
    found = ledger(results)
    shared = ["of its share"] if found["share"].notna().any() else []
    shown = Table(title="Used by each method", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("method", "stage", "trials", *UNITS.values(), *shared):
        shown.add_column(heading, justify="left" if heading in ("method", "stage") else "right")
    for row in found.to_dict("records"):
        part = "" if pd.isna(row["off"]) else f"{100 * (1 + row['off']):.1f} %"
        shown.add_row(
            row["method"], row["stage"], str(row["trials"]), f"{row['clips']:,}", number(row["flops"]),
            number(row["device_seconds"]), *[part for _ in shared],
        )  # fmt: skip
    return shown


def number(value: float) -> str:
    """A large number for people; a dash for what was not counted."""
    if math.isnan(value):
        return "-"
    return f"{value:.3g}" if value >= 1e9 else f"{value:,.0f}"

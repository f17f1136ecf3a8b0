"""The best validated accuracy that a method reaches within a cost, had its trials come in another order. Data only.

A trial counts from its end on, with its value, if it ran to its end; what stopped early or failed costs and brings
nothing. The expectation over random orders is that of Dodge et al. (Show your work, EMNLP 2019, "expected validation
performance"), drawn without replacement, which is without bias and ends at the best trial (Tang et al., ACL 2020);
its interval is a bootstrap: trials drawn with replacement, laid in the order of drawing.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skelray.report import tables
from skelray.report.spent import UNITS
from skelray.results import Results

ORDERS, POINTS, LEVEL = 1000, 64, 0.95

Floats = NDArray[np.float64]


def curves(results: Results, unit: str, orders: int = ORDERS, points: int = POINTS) -> pd.DataFrame:
    """The curves of all methods by one unit: "clips", "flops" or "device_seconds"; no row where that was not counted.

    Columns: method, cost, mean (expected best value within the cost), low, high (95 % of the bootstrap's orders),
    reached (share of the random orders in which a trial had come to its end). mean, low and high are nan where an order
    that they stand for has no such trial yet. The search alone counts, not the finals.
    """
    if unit not in UNITS:
        raise ValueError(f"{unit!r} is not one of {', '.join(UNITS)}")
    _, more = tables.objective(results)
    found = [
        curve(mine[unit].to_numpy(float), _values(mine), more, orders, points).assign(method=method)
        for method, mine in results.trials().groupby("method", sort=False)
        if mine[unit].notna().all()
    ]
    columns = ["method", "cost", "mean", "low", "high", "reached"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def curve(costs: Floats, values: Floats, more: bool = True, orders: int = ORDERS, points: int = POINTS) -> pd.DataFrame:
    """The curve of trials with these costs and values (nan: it brought none): cost, mean, low, high, reached."""
    random, sign = np.random.default_rng(0), 1.0 if more else -1.0
    worth = np.where(np.isnan(values), -np.inf, sign * values)
    count = len(costs)
    grid = np.unique(np.append(np.linspace(0, costs.sum(), points + 1)[1:], costs.sum()))
    shuffled = np.stack([random.permutation(count) for _ in range(orders)])
    drawn = random.integers(count, size=(orders, count))
    best, again = (_best(costs, worth, order, grid) for order in (shuffled, drawn))
    reached = np.isfinite(best).mean(0)
    tail = (1 - LEVEL) / 2
    # whole orders, not values between two of them: one may have reached nothing
    ranked = np.sort(again, axis=0)
    low, high = ranked[math.floor(tail * (orders - 1))], ranked[math.ceil((1 - tail) * (orders - 1))]
    low, high = (low, high) if more else (high, low)
    mean = np.where(reached == 1, np.where(np.isfinite(best), best, 0).mean(0), np.nan)
    told = {"mean": sign * mean} | {name: _told(sign * side) for name, side in (("low", low), ("high", high))}
    return pd.DataFrame({"cost": grid, **told, "reached": reached})


def front(costs: ArrayLike, values: ArrayLike, more: bool = True) -> NDArray[np.bool_]:
    """Which points are on the Pareto front: none is at most as dear and at least as good, and better in one of both.

    Points without a value (nan) are not; of equal points all are.
    """
    price, worth = np.asarray(costs, float), np.asarray(values, float) * (1 if more else -1)
    known = ~np.isnan(worth) & ~np.isnan(price)
    on = np.zeros(len(price), bool)
    best = -np.inf
    for cost in np.unique(price[known]):
        here = known & (price == cost)
        top = worth[here].max()
        if top > best:
            on |= here & (worth == top)
            best = top
    return on


def pareto(results: Results, unit: str, orders: int = ORDERS, points: int = POINTS) -> pd.DataFrame:
    """The rows of `curves` on the front over all methods: which to search with for how much, and what it gives."""
    found = curves(results, unit, orders, points)
    _, more = tables.objective(results)
    chosen = found[front(found["cost"].to_numpy(float), found["mean"].to_numpy(float), more)]
    return chosen.sort_values("cost", kind="stable").reset_index(drop=True)


def pareto_trials(results: Results, unit: str) -> pd.DataFrame:
    """The trials on the front over all methods by what each cost alone: method, trial, cost, value; cheapest first."""
    trials = results.trials().assign(value=lambda each: _values(each))
    _, more = tables.objective(results)
    chosen = trials[front(trials[unit].to_numpy(float), trials["value"].to_numpy(float), more)]
    chosen = chosen.rename(columns={unit: "cost"}).sort_values("cost", kind="stable")
    return chosen[["method", "trial", "cost", "value"]].reset_index(drop=True)


def _values(trials: pd.DataFrame) -> Floats:
    return trials["value"].where(trials["state"] == "complete").to_numpy(float)


def _best(costs: Floats, worth: Floats, orders: NDArray[np.int64], grid: Floats) -> Floats:
    """The best worth within each cost of the grid, for each order of trials; -inf before the first."""
    ends, best = costs[orders].cumsum(1), np.maximum.accumulate(worth[orders], axis=1)
    # a sum in another order may differ in its last digit: the whole cost is the whole cost
    done = np.stack([np.searchsorted(line, grid * (1 + 1e-12), side="right") for line in ends])
    first = np.full((len(orders), 1), -np.inf)
    found: Floats = np.take_along_axis(np.hstack([first, best]), done, axis=1)
    return found


def _told(side: Floats) -> Floats:
    return np.where(np.isfinite(side), side, np.nan)

"""One plain sentence a pair of methods: who is better and by how much, that nothing can be told apart, or why not."""

from skelray.statistics.correction import LEVEL
from skelray.statistics.intervals import Interval, NoInterval, seeds
from skelray.statistics.paired import Difference


def sentence(
    first: str, second: str, found: Difference, corrected: float | None, tests: int, runs: tuple[int, int]
) -> str:
    """Say in words what a difference of the first method minus the second amounts to.

    `corrected` is the p-value after Holm's correction over `tests` pairs; `runs` are the numbers of seeds of both.
    """
    if isinstance(found.interval, NoInterval) or corrected is None or found.p is None:
        return _untold(first, second, found, runs)
    better, worse = (first, second) if found.value >= 0 else (second, first)
    sign = 1 if found.value >= 0 else -1
    where = f"95 % interval {_bounds(found.interval, sign)}"
    if corrected < LEVEL:
        size = points(abs(found.value))
        p = f"{_p(corrected)}{_after(tests)}"
        return f"{better} is better than {worse} by {size} points ({where}; {p}; {_seeds(runs)})."
    alone = f"{_p(found.p)} alone, {_p(corrected)}" if tests > 1 and found.p < LEVEL else _p(corrected)
    details = f"difference {points(abs(found.value))} points, {where}; {alone}{_after(tests)}; {_seeds(runs)}"
    return f"No significant difference between {better} and {worse} ({details})."


def points(share: float) -> str:
    """A share of 1 as points with one decimal, never `-0.0`."""
    return f"{round(100 * share, 1) + 0.0:.1f}"


def _untold(first: str, second: str, found: Difference, runs: tuple[int, int]) -> str:
    why = found.interval.why if isinstance(found.interval, NoInterval) else "it was not tested"
    better, worse = (first, second) if found.value >= 0 else (second, first)
    apart = f"{better} is {points(abs(found.value))} points above {worse} in these runs"
    apart = apart if found.value else f"{better} and {worse} are level in these runs"
    return f"Whether {first} and {second} differ is open: {why} ({apart}; {_seeds(runs)})."


def _bounds(interval: Interval, sign: int) -> str:
    low, high = sorted((sign * interval.low, sign * interval.high))
    return f"{points(low)} to {points(high)}"


def _after(tests: int) -> str:
    return f" after Holm's correction over {tests} pairs" if tests > 1 else ""


def _seeds(runs: tuple[int, int]) -> str:
    return seeds(runs[0]) if runs[0] == runs[1] else f"{runs[0]} and {runs[1]} seeds"


def _p(value: float) -> str:
    """`p < 0.001`, or two digits; more where two would put it on the other side of the level."""
    if value < 0.001:
        return "p < 0.001"
    digits = next(count for count in range(2, 18) if (float(f"{value:.{count}g}") < LEVEL) == (value < LEVEL))
    return f"p = {value:.{digits}g}"

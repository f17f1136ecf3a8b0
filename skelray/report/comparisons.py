"""Who is better than whom: a sentence a pair of finalists, the numbers behind it, and the critical-difference diagram.

From the predictions of single clips; where an older sweep kept none, the report says so and claims nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import pandas as pd
from matplotlib.figure import Figure

from skelray.errors import BadInput
from skelray.report import svg, tables
from skelray.report.blocks import Block, Folded, Items, Part, Picture, Table, Title, Warn
from skelray.results import Results
from skelray.statistics.compare import Comparison, Method, Pair, compare
from skelray.statistics.correction import LEVEL, Ranks, holm_of_tested
from skelray.statistics.intervals import Interval, NoInterval, seeds
from skelray.statistics.runs import by_share
from skelray.statistics.sentences import points

MANY = 10  # pairs, from which on not every sentence is shown at once
UNKNOWN = -1  # subject of a clip, as stores write it
MISSING = (
    "This sweep kept no predictions of single clips (an older version ran it, or no final came to its end). Which clips"
    " a method tells cannot be compared, so there is no test, no critical-difference diagram, no table of classes and"
    " no confusion matrix. The spread over seeds alone is no substitute: it knows nothing of other clips, and with few"
    " seeds it claims differences that are not there."
)


def comparisons(results: Results) -> tuple[dict[str, Comparison], list[str]]:
    """A comparison of all finalists for each protocol, the one of the objective first; and why others have none.

    The draws of one share of labels are one protocol.
    """
    told = usable(results, ("final",))
    if told.empty:
        return {}, []
    found, refused = {}, []
    for protocol in _ordered(by_share(told)["protocol"].unique(), _chosen(results)):
        try:
            found[protocol] = compare(told, protocol)
        except BadInput as error:  # a run that lacks clips: said, and the other protocols stand
            refused.append(str(error))
    return found, refused


def usable(results: Results, kinds: Sequence[str]) -> pd.DataFrame:
    """Predictions of what came to its end, `method` named as in the tables, `searched` the method's own name."""
    told, finals = results.predictions(), results.finals()
    if told.empty or finals.empty:
        return pd.DataFrame()
    finals = finals.assign(name=tables.finalists(finals))
    finals = finals[finals["kind"].isin(kinds) & (finals["state"] == "complete")]
    told = told[told["trial"].isin(finals["trial"])]
    told = told.assign(searched=told["method"], method=told["trial"].map(finals.set_index("trial")["name"]))
    if (told["subject"] == UNKNOWN).any():  # all clips have a subject, or none is used
        told = told.drop(columns="subject")
    return told


def _chosen(results: Results) -> str:
    return tables.objective(results)[0].partition("/")[2]


def _ordered(names: Iterable[object], chosen: str) -> list[str]:
    """The objective's protocol, then linear, then by name, numbers in names by their size."""

    def rank(name: str) -> tuple[bool, bool, list[tuple[int, str]]]:
        parts = [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]
        return name != chosen, name != "linear", parts

    return sorted(map(str, names), key=rank)


def part(results: Results, found: dict[str, Comparison], refused: list[str]) -> Part:
    """All pairs of finalists in words; the first protocol in full, the others in a line each, and folded."""
    if not found:
        return Part("Comparisons", [*map(Warn, refused), *_without(results)])
    (first, each), *others = found.items()
    blocks: list[Block] = [Warn(why) for why in refused]
    chosen = _chosen(results)
    if others or first != chosen:
        blocks += [Title(f"Under {first}"), _family(each, first == chosen, chosen)]
    blocks += _told(each, 0)
    return Part("Comparisons", [*blocks, *_others(found)] if others else blocks)


def _told(each: Comparison, place: int) -> list[Block]:
    """The pairs of one protocol in words, what a reader must know of them, and the numbers."""
    alone = [] if each.pairs else ["One finalist: there is nothing to compare it with."]
    sentences = _sentences(
        [pair.sentence for pair in each.pairs if pair.verdict == "better"],
        [pair.sentence for pair in each.pairs if pair.verdict != "better"],
    )
    return [*alone, *sentences, *([Items(each.notes)] if each.notes else []), *_details(each, place)]


def _family(each: Comparison, selected: bool, chosen: str) -> str:
    why = f"the protocol that the sweep selected by: {each.protocol}"
    if not selected:
        why = f"{each.protocol}, for of {chosen}, by which the sweep selected, no clip's prediction is kept"
    covered = f" Holm's correction covers its {each.tests} pairs." if each.tests > 1 else ""
    return f"The claims of this report are those under {why}.{covered}"


def _others(found: Mapping[str, Comparison]) -> list[Block]:
    """A line for each protocol but the first, and all of it folded."""
    every = [(name, pair) for name, each in found.items() for pair in each.pairs]
    adjusted, tests = holm_of_tested([pair.difference.p for _, pair in every])
    kept = {
        (name, pair.first, pair.second)
        for (name, pair), p in zip(every, adjusted, strict=True)
        if p is not None and p < LEVEL
    }
    rows, folded = [], list[Block]()
    for place, (name, each) in enumerate(found.items()):
        if not place:
            continue
        apart = [f"{pair.first} > {pair.second}" for pair in each.pairs if pair.verdict == "better"]
        still = sum((name, pair.first, pair.second) in kept for pair in each.pairs)
        rows.append([name, str(each.tests), str(len(apart)), str(still), "; ".join(apart) or "-"])
        inside: list[Block] = [Title(f"Under {name}"), *_told(each, place)]
        folded.append(Folded(f"Under {name}: every pair and its numbers", inside))
    together = f"over all {tests} pairs"
    lead = (
        "Each of these is corrected over its own pairs alone. Who looks through them for the one that pleases has as"
        f" many chances to be wrong: what stands when all {tests} pairs of all protocols are corrected together"
        " has a column of its own."
    )
    heads = ["protocol", "pairs tested", "told apart", together, "which"]
    return [Title("Under other protocols"), lead, Table("Pairs told apart under other protocols", heads, rows), *folded]


def _without(results: Results) -> list[Block]:
    """What can be said of finalists without predictions: how far apart they are, and that it is open."""
    finals = tables.leaders(results)
    finals = finals[finals["kind"] == "final"]
    metrics = tables.test_metrics(finals)
    if finals.empty or not metrics:
        return ["No finalist was tested: there is nothing to compare."]
    rows = finals[["name", "seeds", metrics[0]]].dropna().to_dict("records")
    open_ = [
        f"Whether {one['name']} and {other['name']} differ is open: predictions of single clips are missing"
        f" ({one['name']} is {points(one[metrics[0]] - other[metrics[0]])} points above {other['name']} in these runs;"
        f" {seeds(min(one['seeds'], other['seeds']))})."
        for one, other in combinations(rows, 2)
    ]
    if not open_:
        return [Warn(MISSING), "One finalist: there is nothing to compare it with."]
    return [Warn(MISSING), f"By {metrics[0]}:", *_sentences([], open_, "Every pair is open.")]


def _sentences(claims: list[str], others: list[str], none: str = "No pair is told apart.") -> list[Block]:
    """All of them; of many pairs, those that claim nothing are folded."""
    if len(claims) + len(others) <= MANY:
        return [Items((*claims, *others))] if claims or others else []
    shown: list[Block] = [Items(tuple(claims))] if claims else [none]
    folded = f"The {len(others)} pairs of which nothing is claimed"
    return [*shown, *([Folded(folded, [Items(tuple(others))])] if others else [])]


def _details(each: Comparison, place: int) -> list[Block]:
    subjects = "" if each.subjects is None else f" of {each.subjects} subject{'s' if each.subjects > 1 else ''}"
    draws = f", means over {each.draws} draws of labels" if each.draws > 1 else ""
    both = (method.accuracy.seeds_and_clips for method in each.methods)
    over = next((bounds.over for bounds in both if isinstance(bounds, Interval)), "seeds and clips")
    methods = Table(
        f"Accuracy under {each.protocol} on {each.clips:,} clips{subjects}{draws}, in percent",
        ["method", "seeds", "mean", "deviation", "95 % over seeds", f"95 % over {over}"],
        [_method(method) for method in each.methods],
    )
    if not each.pairs:
        return [methods]
    corrected = f", p after Holm's correction over {each.tests} pairs" if each.tests > 1 else ""
    pairs = Table(
        f"Pairs under {each.protocol}: differences in points{corrected}",
        ["pair", "difference", "95 % interval", "p alone", "p corrected", "95 % bootstrap", "Cohen's h", "odds ratio",
         "McNemar p, these runs"],
        [_pair(pair) for pair in each.pairs],
    )  # fmt: skip
    return [methods, pairs, *_diagram(each.ranks, each.protocol, place)]


def _method(method: Method) -> list[str]:
    told = method.accuracy
    deviation = "-" if told.deviation is None else points(told.deviation)
    bounds = [_bounds(told.seeds), _bounds(told.seeds_and_clips)]
    return [method.name, str(told.runs), points(told.mean), deviation, *bounds]


def _pair(pair: Pair) -> list[str]:
    found, size = pair.difference, pair.effect
    odds = "-" if size.odds_ratio is None else f"{size.odds_ratio:.2f}"
    return [
        f"{pair.first} - {pair.second}", points(found.value), _bounds(found.interval), _p(found.p),
        _p(pair.corrected), _bounds(pair.bootstrap), f"{size.cohens_h:.2f}", odds, _p(pair.mcnemar_combined),
    ]  # fmt: skip


def _bounds(found: Interval | NoInterval) -> str:
    return f"{points(found.low)} to {points(found.high)}" if isinstance(found, Interval) else "-"


def _p(value: float | None) -> str:
    return "-" if value is None else "< 0.001" if value < 0.001 else f"{value:.2g}"


def _diagram(ranks: Ranks | None, protocol: str, place: int) -> list[Block]:
    if ranks is None:
        return ["No seed is common to all methods: there are no ranks and no critical-difference diagram."]
    names = list(ranks.average)
    joined = [f"{', '.join(group)}" for group in ranks.groups]
    told = f"Mean ranks over {seeds(ranks.blocks)}, 1 is best: "
    told += ", ".join(f"{name} {rank:.2f}" for name, rank in ranks.average.items()) + ". "
    told += f"Not told apart: {'; '.join(joined)}." if joined else "Every pair is told apart."
    rows = [[name, f"{ranks.average[name]:.2f}"] for name in names]
    caption = "Critical-difference diagram: mean ranks, 1 is best; a bar joins neighbours that the corrected tests"
    caption += " do not tell apart."
    if ranks.critical_difference is not None:
        caption += f" Nemenyi's difference, which knows nothing of clips, is {ranks.critical_difference:.2f};"
        caption += f" Friedman's p is {_p(ranks.friedman)}."
    drawing = svg.inline(_ranked(ranks), f"ranks-{place}", f"Mean ranks under {protocol}", told)
    return [Picture(caption, [drawing], Table(f"Mean ranks under {protocol}", ["method", "mean rank"], rows))]


def _ranked(ranks: Ranks) -> Figure:
    """Names down the side, dots at their ranks, bars beside the names that belong together."""
    names = list(ranks.average)
    figure = svg.figure(4.4, 0.75 + 0.3 * len(names))
    with svg.look():
        axes = figure.add_subplot()
        for row, name in enumerate(names):
            axes.plot([1, ranks.average[name]], [row, row], color=svg.RULE, linewidth=1)
            axes.plot([ranks.average[name]], [row], "o", color=svg.METHODS[0], markersize=7)
        for column, group in enumerate(ranks.groups):
            rows = [names.index(name) for name in group]
            right = len(names) + 0.25 + 0.25 * column
            axes.plot([right, right], [rows[0] - 0.2, rows[-1] + 0.2], color=svg.INK, linewidth=4)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0.8, len(names) + 0.3 + 0.25 * len(ranks.groups))
        axes.set_xticks(range(1, len(names) + 1))
        axes.set_xlabel("mean rank (1 is best)")
        axes.grid(visible=False)
    return figure

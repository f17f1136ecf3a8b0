"""How often the test side was read, by whom, whether that agrees with the finals; and what peeking would have shown."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from skelray import ledger
from skelray.report import tables
from skelray.report.blocks import Block, Folded, Part, Table, Warn
from skelray.results import Results

NOT_TO_DO = "what not to do"
PEEK = " (peek)"  # ends the name of who read test on the way, to show what that would claim


def lines(results: Results) -> list[dict[str, Any]]:
    """The lines of the folder's ledger, as `ledger.read` gives them."""
    return ledger.read(results.folder / ledger.FILE)


def disagreements(results: Results, opened: list[dict[str, Any]]) -> list[str]:
    """What the ledger and the finals tell differently, in sentences; none where they agree.

    Each final that ended well opened the test side, as often as it has protocols at most, and read as many clips as
    its row says; a final that failed may have.
    """
    finals = results.finals()
    tested = finals[(finals["state"] == "complete") & _measured(finals)]
    read = Counter(line["who"] for line in opened)
    told = []
    lacking = [trial for trial in tested["trial"] if trial not in read]
    if lacking:
        told.append(f"No opening is written down for {_some(lacking)}, though test figures of it are in the tables.")
    asked = len(dict.fromkeys((results.sweep().get("final") or {}).get("protocols", []))) or 1
    often = [f"{who} ({count} times)" for who, count in read.items() if count > asked and who in set(finals["trial"])]
    if often:
        told.append(f"The test side was opened more often than once a protocol by {_some(often)}.")
    if "test/clips" in tested:
        sizes = {line["who"]: line.get("clips") for line in opened}
        other = [
            f"{trial} ({sizes[trial]:,} clips, {int(clips):,} in the tables)"
            for trial, clips in tested[["trial", "test/clips"]].dropna().itertuples(index=False)
            if isinstance(sizes.get(trial), int) and sizes[trial] != int(clips)
        ]
        if other:
            told.append(f"Ledger and tables count test clips differently: {_some(other)}.")
    searched = sorted(set(results.trials()["trial"]) & set(read))
    if searched:
        told.append(f"Trials of the search read the test side: {_some(searched)}. Nothing here is an honest figure.")
    return told


def others(results: Results, opened: list[dict[str, Any]]) -> list[str]:
    """Who read the test side and is no final of this sweep: a later evaluation, an export of features."""
    known = {*results.finals()["trial"], *results.trials()["trial"]}
    return list(dict.fromkeys(line["who"] for line in opened if line["who"].removesuffix(PEEK) not in known))


def peeking(results: Results) -> pd.DataFrame:
    """Honest figures beside the best epoch on test, from finalists that measured test more than once on their way.

    One row a finalist (all seeds) and metric, finalists in the leaderboard's order: name, metric, seeds, honest (mean
    of the last points), best (mean of the seeds' best points), gap. Empty where it was not measured. For a reader to
    see; nothing may select by it.
    """
    finals, history = results.finals(), results.history()
    finals = finals[(finals["kind"] == "final") & (finals["state"] == "complete")]
    metrics = tables.test_metrics(finals)
    named = dict(zip(finals["trial"], tables.finalists(finals), strict=True)) if len(finals) else {}
    points = history[history["metric"].isin(metrics) & history["trial"].isin(finals["trial"])].sort_values("clips")
    runs = []
    for (trial, metric), mine in points.groupby(["trial", "metric"], sort=False):
        if mine["clips"].nunique() > 1:
            runs.append((named[str(trial)], str(metric), mine["value"].iloc[-1], mine["value"].max()))
    found = pd.DataFrame(runs, columns=["name", "metric", "honest", "best"])
    told = found.groupby(["name", "metric"], sort=False).agg(
        seeds=("honest", "size"), honest=("honest", "mean"), best=("best", "mean")
    )
    order = [(name, metric) for name in tables.leaders(results)["name"] for metric in metrics]
    told = told.reindex([each for each in order if each in told.index])
    return told.assign(gap=told["best"] - told["honest"]).reset_index()


def part(results: Results) -> Part:
    """The ledger in a table and a verdict, and the gap that peeking makes."""
    return Part("The test side", [*_ledger(results, lines(results)), *_peeking(results)])


def _ledger(results: Results, opened: list[dict[str, Any]]) -> list[Block]:
    if not opened:
        if not _measured(results.finals()).any():
            return ["The test side was never opened."]
        return [Warn(f"There are test figures and no {ledger.FILE}: how often the test side was read is unknown.")]
    read = Counter(line["who"] for line in opened)
    finals = set(results.finals()["trial"])
    by_finals = sum(count for who, count in read.items() if who in finals)
    peeks = sum(count for who, count in read.items() if who.endswith(PEEK) and who.removesuffix(PEEK) in finals)
    peeked = f" {_times(peeks)} by finals on their way, which chose nothing (see below)," if peeks else ""
    blocks: list[Block] = [
        f"The test side was opened {_times(len(opened))}: {_times(by_finals)} by {len(finals & set(read))} finals and"
        f" untrained encoders,{peeked} {_times(len(opened) - by_finals - peeks)} by others."
    ]
    wrong, foreign = disagreements(results, opened), others(results, opened)
    blocks += [Warn(each) for each in wrong]
    if not wrong:
        blocks.append("Ledger and finals agree: every final with a test figure opened it, once a protocol at most.")
    if foreign:
        blocks.append(f"Others that read it: {', '.join(foreign)}.")
    rows = [
        [line["who"], _moment(line.get("when")), str(line.get("split", "-")), *(_count(line.get(key)) for key in
         ("clips", "clean")), ", ".join(map(str, line.get("protocols", []))) or "-", str(line.get("config", "-"))]
        for line in opened
    ]  # fmt: skip
    heads = ["who", "when (UTC)", "split", "clips", "of them clean", "protocols", "config"]
    return [*blocks, Folded("Every opening", [Table("Every opening of the test side", heads, rows)])]


def _peeking(results: Results) -> list[Block]:
    found = peeking(results)
    if found.empty:
        return [
            "The gap between honest selection and the best epoch on test was not measured: finalists look at the test"
            " side after training alone, so there is no other epoch to choose."
        ]
    asked = tables.objective(results)[0].replace("val/", "test/", 1)
    first = found["metric"].isin([asked, *tables.foremost(list(found["metric"]))])
    why = "The best epoch on test is chosen with the answers at hand. It is shown to say by how much that flatters."
    caption = f"Honest figures beside {NOT_TO_DO}, in percent"
    blocks: list[Block] = [_flattered(caption, found[first]), why]
    if not first.all():
        blocks.append(Folded("The same in detail", [_flattered(f"{caption}, in detail", found[~first])]))
    return blocks


def _flattered(caption: str, found: pd.DataFrame) -> Table:
    rows = [
        [
            *(row["name"], row["metric"], str(row["seeds"])),
            *(tables.percent(row["honest"]), tables.percent(row["best"]), f"{100 * row['gap']:.1f}"),
        ]
        for row in found.to_dict("records")
    ]
    heads = ["method", "metric", "seeds", "last epoch", f"best epoch on test ({NOT_TO_DO})", "gap in points"]
    return Table(caption, heads, rows)


def _measured(finals: pd.DataFrame) -> "pd.Series[bool]":
    return finals[tables.test_metrics(finals)].notna().any(axis=1)


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _moment(when: Any) -> str:
    if not isinstance(when, int | float):
        return "-"
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"


def _some(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

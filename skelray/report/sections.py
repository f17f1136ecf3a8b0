"""Parts of a report that are tables and sentences: question, leaderboard, setting, trials, failures, environment."""

from typing import Any

import pandas as pd

from skelray.report import signals, spent, tables
from skelray.report.blocks import Block, Code, Folded, Part, Table, Title
from skelray.results import Results
from skelray.statistics.intervals import Interval, student
from skelray.statistics.sentences import points

TOLD = ("question", "expected", "price")  # of a sweep file, for people
SET = ("trial", "overrides", "objective", "budget", "resources", "final", "seed")


def question(sweep: dict[str, Any]) -> list[tuple[str, str]]:
    """What was asked, expected and paid, as far as the sweep says."""
    return [(key.capitalize(), str(sweep[key])) for key in TOLD if sweep.get(key)]


def board(results: Results) -> tuple[list[str], list[list[str]], str]:
    """Heads, rows and title of the leaderboard; the search trials' best when no finalist was trained."""
    metric, _ = tables.objective(results)
    finals = tables.together(tables.leaders(results))
    if not len(finals):
        best = tables.best_values(results)
        return (
            ["method", f"best {metric} (%)" if tables.is_accuracy(metric) else f"best {metric}"],
            [[name, tables.measured(value, metric)] for name, value in best.items()],
            ("No finalist was tested; best of the search" if best else "No trial ran to its end"),
        )
    metrics = tables.foremost(tables.test_metrics(finals))
    heads, means = _means(finals, metrics)
    rows = [
        [name, str(row["seeds"]), f"{row['clips']:,}", tables.measured(row["val"], metric), *found]
        for row, (name, *found) in zip(finals.to_dict("records"), means, strict=True)
    ]
    counts = sorted(set(finals["seeds"]))
    seeds = f"{' or '.join(map(str, counts))} seed{'s' if counts[-1] > 1 else ''}"
    title = f"Finalists: mean ± standard deviation over {seeds}, in percent"
    return [heads[0], "seeds", "clips", f"best {metric}", *heads[1:]], rows, title


def _means(finals: pd.DataFrame, metrics: list[str]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of a table of finalists: its name, then mean and spread of each metric."""
    rows = [
        [row["name"], *(tables.percent(row[name], row[f"{name} spread"]) for name in metrics)]
        for row in finals.to_dict("records")
    ]
    return _heads(metrics), rows


def _heads(metrics: list[str]) -> list[str]:
    return ["method", *(name.replace("_clean", " clean") for name in metrics)]


def leaderboard(results: Results) -> Part:
    """The board, how well its means are known, and what its rows and columns mean."""
    header, rows, title = board(results)
    blocks: list[Block] = [Table(title, header, rows)] if rows else [f"{title}."]
    if any("clean" in column for column in header):
        blocks.append(
            f"clean leaves out test clips whose coordinates also occur on the training side{_sizes(results)}."
        )
    if any(tables.FLOOR in row[0] for row in rows):
        blocks.append(f"The floor is the {tables.FLOOR} encoder: what training adds is what lies above it.")
    blocks += [_left_out(name, methods) for name, methods in tables.left_out(results).items()]
    return Part("Leaderboard", [*blocks, *_details(results), *_intervals(results)])


def _left_out(protocol: str, methods: list[str]) -> str:
    why = {
        "generation": "nothing is generated that could be held against real clips",
        "semi": "no further labelled clips can be made, which were asked for",
    }.get(protocol, "no figure can be had there")
    return (
        f"{protocol} was asked for and is left out for {', '.join(methods)}: {why}. Where a table has a place for"
        " such a figure, a dash stands there."
    )


def _details(results: Results) -> list[Block]:
    """What goes into detail: retrieval by more neighbours, single corruptions, spreads over draws of labels."""
    finals = tables.together(tables.leaders(results))
    every = tables.test_metrics(finals)
    metrics = [metric for metric in every if metric not in tables.foremost(every)]
    caption = "In detail: mean ± standard deviation over seeds, in percent"
    return [Table(caption, *_means(finals, metrics))] if metrics else []


def _intervals(results: Results) -> list[Block]:
    """95 % intervals of each finalist over seeds, for these test clips; or why there are none."""
    finals = results.finals()
    metrics = tables.foremost(tables.test_metrics(finals))
    finals = finals[(finals["state"] == "complete") & (finals["kind"] == "final")]
    if finals.empty or not metrics:
        return []
    rows, whys = [], dict[str, list[str]]()
    for name, mine in finals.groupby(tables.finalists(finals), sort=False):
        found = {metric: student(mine[metric].dropna().tolist()) for metric in metrics}
        for why in dict.fromkeys(each.why for each in found.values() if not isinstance(each, Interval)):
            whys.setdefault(why, []).append(str(name))
        bounds = (f"{points(e.low)} to {points(e.high)}" if isinstance(e, Interval) else "-" for e in found.values())
        rows.append([str(name), *bounds])
    caption = "95 % t interval of the mean over seeds, in percent: another training, these clips"
    table = Table(caption, _heads(metrics), rows)
    known = any(cell != "-" for row in rows for cell in row[1:])
    lacking = [f"No interval for {', '.join(names)}: {why}." for why, names in whys.items()]
    return [*([table] if known else []), *lacking]


def _sizes(results: Results) -> str:
    finals = results.finals()
    sizes = [finals[column].max() for column in ("test/clips_clean", "test/clips") if column in finals]
    if len(sizes) < 2 or any(map(pd.isna, sizes)):
        return ""
    return f": {int(sizes[0]):,} of {int(sizes[1]):,} remain"


def setting(sweep: dict[str, Any]) -> Part:
    """The sweep as it ran, as far as it is common to its methods."""
    rows = [[key, _inline(sweep[key])] for key in SET if sweep.get(key) not in (None, {})]
    if sweep.get("dropped"):
        rows.append(["dropped", "; ".join(map(str, sweep["dropped"]))])
    return Part("Setting", [Table("The sweep as it ran", ["part", "as run"], rows, "told")] if rows else [])


def trials(results: Results) -> list[tuple[str, Block]]:
    """Per method the table of its search trials, best first."""
    found, dimensions = results.trials(), tables.searched(results)
    metric, more = tables.objective(results)
    accuracies = [column for column in found.columns if column.startswith("val/") and column != metric]
    told: list[tuple[str, Block]] = []
    for method, mine in found.groupby("method", sort=False):
        short = mine["state"] != "complete"  # a value at fewer clips does not compete with one at all of them
        mine = mine.assign(short=short).sort_values(["short", "value"], ascending=[True, not more], kind="stable")
        own = [key for key in dimensions.columns if (dimensions.loc[list(mine["trial"]), key] != "").any()]
        header = ["trial", "state", metric, *accuracies, "clips", "seconds", *own]
        rows = [
            [row["trial"], row["state"], tables.measured(row["value"], metric)]
            + [tables.measured(row[column], column) for column in accuracies]
            + [f"{row['clips']:,}", f"{row['seconds']:,.0f}", *(dimensions.loc[row["trial"], key] for key in own)]
            for row in mine.to_dict("records")
        ]
        told.append((str(method), Table(f"Trials of {method}, best first", header, rows)))
    return told


def listed(results: Results) -> Part:
    """All search trials."""
    found = trials(results)
    if not found:
        return Part("Trials", ["No trial ended."])
    blocks: list[Block] = ["Accuracies in percent, on validation subjects."]
    for method, table in found:
        blocks += [Title(method), Folded(f"All trials of {method}", [table])]
    return Part("Trials", blocks)


def used(results: Results) -> Part:
    """What each method cost, beside the share that it was given."""
    found = spent.ledger(results)
    if found.empty:
        return Part("Cost", [])
    shared = found["share"].notna().any()
    heads = ["method", "stage", "trials", "complete", "pruned", "failed", *spent.UNITS.values()]
    rows = [
        [row["method"], row["stage"], *(str(row[state]) for state in ("trials", "complete", "pruned", "failed"))]
        + [f"{row['clips']:,}", spent.number(row["flops"]), spent.number(row["device_seconds"])]
        + ([] if not shared else ["" if pd.isna(row["off"]) else f"{100 * (1 + row['off']):.1f} %"])
        for row in found.to_dict("records")
    ]
    blocks: list[Block] = [Table("Used by each method", [*heads, *["of its share"] * bool(shared)], rows)]
    return Part("Cost", blocks)


def signalled(results: Results) -> Part:
    """How label-free signals order what accuracy orders."""
    found = signals.correlations(results)
    rows = [
        [row["signal"], row["of"], row["accuracy"], str(row["n"])]
        + [f"{row[key]:.2g}" if row[key] == row[key] else "-" for key in ("rho", "p")]
        for row in found.to_dict("records")
    ]
    heads = ["signal", "over", "accuracy", "trials", "rank correlation", "p"]
    why = "Spearman's, with accuracy; with few trials an indication and no more."
    return Part("Label-free signals", [Table("Rank correlation with accuracy", heads, rows), why] if rows else [])


def failures(results: Results) -> Part:
    """What failed, when and why."""
    both = pd.concat([results.trials(), results.finals()])
    failed = both[both["state"] == "failed"]
    rows = [
        [trial, f"{clips:,}", reason or "not told"]
        for trial, clips, reason in failed[["trial", "clips", "reason"]].itertuples(index=False)
    ]
    return Part("Failures", [Table("Failed", ["trial", "after clips", "reason"], rows, "told")] if rows else [])


def environment(results: Results) -> list[Part]:
    """What it ran on, and how to run it again."""
    known, name = results.environment(), results.folder.resolve().name
    git, hardware, data = known.get("git", {}), known.get("hardware", {}), known.get("data", {})
    commit = git.get("commit")
    machine = [hardware.get("cpu", "unknown"), f"{hardware.get('cores')} cores", f"{hardware.get('memory_gib')} GiB"]
    rows = [
        ["commit", f"{commit}{', with local changes' if git.get('dirty') else ''}" if commit else "unknown"],
        ["begun", str(known.get("created", "unknown"))],
        ["command", str(known.get("command", "unknown"))],
        ["data", f"{data.get('store', 'unknown')}, fingerprint {str(data.get('fingerprint', 'unknown'))[:16]}"],
        ["hardware", ", ".join(map(str, [*machine, *hardware.get("gpus", [])]))],
        ["python", str(known.get("python", "unknown"))],
        ["packages", ", ".join(f"{package} {version}" for package, version in known.get("packages", {}).items())],
    ]
    rows += [
        [f"resumed {later.get('created', '')}", _inline({k: v for k, v in later.items() if k != "created"})]
        for later in known.get("resumed", [])
    ]
    again = f"git checkout {commit}\n" if commit else ""
    again += f"python -m skelray.sweep results/{name}/sweep.yaml --name {name}-again"
    ran = Table("What it ran on", ["what", "as found"], rows, "told")
    return [Part("Environment", [ran]), Part("Again", [Code(again)])]


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key}: {'{' + _inline(each) + '}' if isinstance(each, dict) else _inline(each)}"
            for key, each in value.items()
        )
    return "[" + ", ".join(map(_inline, value)) + "]" if isinstance(value, list) else str(value)

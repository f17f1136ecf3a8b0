"""A results folder as a page for people. Reads results only: no torch, no Ray."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table

from skelray import atomic
from skelray.report import tables
from skelray.results import Results


def write(folder: str | Path) -> Path:
    """Write report.md and figures/*.png into a results folder from what lies in it. Raises BadInput when not whole."""
    from skelray.report import figures  # matplotlib takes a second: not paid for a leaderboard

    results = Results(folder)
    sweep, name = results.sweep(), results.folder.resolve().name
    parts = [f"# {name}", _question(sweep), _leaderboard(results)]
    parts += [
        f"![{caption}](figures/{file})\n\n{caption}"
        for file, caption in figures.draw(results, results.folder / "figures")
    ]
    parts += [_setting(sweep), _trials(results), _failures(results), _environment(results, name)]
    path = results.folder / "report.md"
    with atomic.whole(path) as unfinished:
        unfinished.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return path


def leaderboard(folder: str | Path) -> Table:
    """The leaderboard for a terminal; the search trials' best when no finalist was trained."""
    header, rows, title = _board(Results(folder))
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    kept = [place for place, column in enumerate(header) if column not in ("clips", "seeds")]  # eighty columns are few
    for place in kept:
        table.add_column(header[place].replace("/", "\n").replace(" ", "\n"), justify="right" if place else "left")
    for row in rows:
        table.add_row(*(row[place] for place in kept), style="dim" if tables.FLOOR in row[0] else None)
    return table


def _board(results: Results) -> tuple[list[str], list[list[str]], str]:
    metric, _ = tables.objective(results)
    finals = tables.together(tables.leaders(results))
    if not len(finals):
        best = tables.best_values(results)
        return (
            ["method", f"best {metric} (%)"],
            [[name, tables.percent(value)] for name, value in best.items()],
            ("No finalist was tested; best of the search" if best else "No trial ran to its end"),
        )
    metrics = tables.test_metrics(finals)
    rows = [
        [row["name"], str(row["seeds"]), f"{row['clips']:,}"]
        + ([tables.percent(row["val"])])
        + [tables.percent(row[name], row[f"{name} spread"]) for name in metrics]
        for row in finals.to_dict("records")
    ]
    spoken = [name.replace("_clean", " clean") for name in metrics]
    counts = sorted(set(finals["seeds"]))
    seeds = f"{' or '.join(map(str, counts))} seed{'s' if counts[-1] > 1 else ''}"
    title = f"Finalists: mean ± standard deviation over {seeds}, in percent"
    return ["method", "seeds", "clips", f"best {metric}", *spoken], rows, title


def _leaderboard(results: Results) -> str:
    header, rows, title = _board(results)
    notes = ""
    if any("clean" in column for column in header):
        notes = f"\n\n*clean* leaves out test clips whose coordinates also occur on the training side{_sizes(results)}."
    if any(tables.FLOOR in row[0] for row in rows):
        notes += f"\n\nThe floor is the {tables.FLOOR} encoder: what training adds is what lies above it."
    return f"## Leaderboard\n\n{title}.\n\n{_markdown(header, rows)}{notes}" if rows else f"## Leaderboard\n\n{title}."


def _sizes(results: Results) -> str:
    finals = results.finals()
    if not {"test/clips", "test/clips_clean"} <= set(finals.columns):
        return ""
    whole, clean = (int(finals[column].max()) for column in ("test/clips", "test/clips_clean"))
    return f": {clean:,} of {whole:,} remain"


def _question(sweep: dict[str, Any]) -> str:
    told = [(key, sweep.get(key)) for key in ("question", "expected", "price")]
    return "\n".join(f"- **{key.capitalize()}**: {text}" for key, text in told if text)


def _setting(sweep: dict[str, Any]) -> str:
    rows = [
        [key, _inline(sweep[key])]
        for key in ("trial", "overrides", "objective", "budget", "resources", "final", "seed")
        if sweep.get(key) not in (None, {})
    ]
    if sweep.get("dropped"):
        rows.append(["dropped", "; ".join(map(str, sweep["dropped"]))])
    return "## Setting\n\n" + _markdown(["part", "as run"], rows) if rows else ""


def _trials(results: Results) -> str:
    trials, dimensions = results.trials(), tables.searched(results)
    if not len(trials):
        return "## Trials\n\nNo trial ended."
    metric, more = tables.objective(results)
    accuracies = [column for column in trials.columns if column.startswith("val/") and column != metric]
    parts = []
    for method, mine in trials.groupby("method", sort=False):
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
        parts.append(f"### {method}\n\n{_markdown(header, rows)}")
    return "## Trials\n\nAccuracies in percent, on validation subjects.\n\n" + "\n\n".join(parts)


def _failures(results: Results) -> str:
    both = pd.concat([results.trials(), results.finals()])
    failed = both[both["state"] == "failed"]
    rows = [
        [trial, f"{clips:,}", reason or "not told"]
        for trial, clips, reason in failed[["trial", "clips", "reason"]].itertuples(index=False)
    ]
    return "## Failures\n\n" + _markdown(["trial", "after clips", "reason"], rows) if rows else ""


def _environment(results: Results, name: str) -> str:
    known = results.environment()
    git, hardware, data = known.get("git", {}), known.get("hardware", {}), known.get("data", {})
    commit = git.get("commit")
    rows = [
        ["commit", f"`{commit}`{', with local changes' if git.get('dirty') else ''}" if commit else "unknown"],
        ["begun", str(known.get("created", "unknown"))],
        ["command", f"`{known.get('command', 'unknown')}`"],
        ["data", f"{data.get('store', 'unknown')}, fingerprint `{str(data.get('fingerprint', 'unknown'))[:16]}`"],
        [
            "hardware",
            ", ".join(
                [
                    str(hardware.get("cpu", "unknown")),
                    f"{hardware.get('cores')} cores",
                    f"{hardware.get('memory_gib')} GiB",
                    *hardware.get("gpus", []),
                ]
            ),
        ],
        ["python", str(known.get("python", "unknown"))],
        ["packages", ", ".join(f"{package} {version}" for package, version in known.get("packages", {}).items())],
    ]
    rows += [
        [f"resumed {later.get('created', '')}", _inline({k: v for k, v in later.items() if k != "created"})]
        for later in known.get("resumed", [])
    ]
    again = f"git checkout {commit}\n" if commit else ""
    again += f"python -m skelray.sweep results/{name}/sweep.yaml --name {name}-again"
    return f"## Environment\n\n{_markdown(['what', 'as found'], rows)}\n\n## Again\n\n```sh\n{again}\n```"


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key}: {'{' + _inline(each) + '}' if isinstance(each, dict) else _inline(each)}"
            for key, each in value.items()
        )
    return "[" + ", ".join(map(_inline, value)) + "]" if isinstance(value, list) else str(value)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    numbers = [all(not row[place] or row[place][0] in "-.0123456789" for row in rows) for place in range(len(header))]
    lines = [header, ["---:" if number else "---" for number in numbers], *rows]
    return "\n".join("| " + " | ".join(_cell(each) for each in line) + " |" for line in lines)


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")

"""Encoders measured on stores they were not trained on: a matrix of sources and targets, each target with its classes.

Every pair is checked before anything is measured. What a protocol fits, it fits on the target's own training side.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from skelray import atomic, encoder, evaluate, measure
from skelray.encoder import Bench, Target
from skelray.errors import BadInput
from skelray.measure import EvaluateConfig
from skelray.report.tables import measured
from skelray.weights import named

TABLE, PAGE, LEDGER = "transfer.json", "transfer.md", "test_ledger.jsonl"
Row = dict[str, Any]


def run(
    sources: Sequence[str],
    targets: Sequence[str],
    protocols: Sequence[str],
    *,
    test: bool = False,
    out: Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    told: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """One row a source and target, in order: what was found by each protocol, and how the joints correspond.

    `test`: score the test side of each target, each opening a line in `out`. `out`: the folder for tables, written at
    the end. `told` hears each row. Raises BadInput when a pair cannot be measured, before any is.
    """
    for name in protocols:
        evaluate.load(name)
    if test and out is None:
        raise BadInput("--test needs --out, the folder in which each opening of a test side is written down")
    if out is not None:
        refuse_place(out)
    benches = pairs(sources, targets, protocols, test, out, device, seed)
    cfg = EvaluateConfig(protocols=tuple(protocols))
    rows = []
    for _, each in benches:
        measure.refuse_unable(each.case.method, cfg, each.case.pool)
        encoder.refuse_unlabelled(each.case, cfg.protocols)
    for source, each in benches:
        rows.append(row(source, each, cfg))
        told(rows[-1])
    if out is not None:
        write(out, rows)
    return rows


def pairs(
    sources: Sequence[str], targets: Sequence[str], protocols: Sequence[str], test: bool, out: Path | None,
    device: str, seed: int,
) -> list[tuple[str, Bench]]:  # fmt: skip
    """Every source on every target. Raises BadInput for a pair that cannot be, naming both."""
    found: dict[str, Target] = {name: encoder.target(name) for name in dict.fromkeys(targets)}
    made = []
    for source in dict.fromkeys(sources):
        weights = named.find(source)
        for where in found.values():
            about = {"encoder": weights.sha256, "protocols": list(protocols)}
            reader, ledger = ("skelray transfer" if test else None), (out / LEDGER if out else None)
            try:
                each = encoder.bench(
                    weights, where, device=device, seed=seed, ledger=ledger, reader=reader, about=about
                )
            except BadInput as error:
                raise BadInput(f"{source} on {where.name}: {error}") from None
            made.append((source, each))
    return made


def row(source: str, each: Bench, cfg: EvaluateConfig) -> Row:
    """What is found of an encoder on a store."""
    outcomes = [evaluate.measure(name, each.case, getattr(cfg, name)) for name in cfg.protocols]
    weights, opened = each.encoder.weights, each.target.store
    return {
        "from": source,
        "to": each.target.name,
        "side": "val" if each.case.open_test is None else "test",
        "metrics": {name: value for outcome in outcomes for name, value in outcome.metrics.items()},
        "curves": {name: curve for outcome in outcomes for name, curve in outcome.curves.items()},
        "joints": each.joints,
        "met_in_pretraining": encoder.met(each, each.case),
        "classes": len(opened.classes),
        "seed": each.case.seed,
        "encoder": {"method": weights.method.cfg.name, "sha256": each.encoder.sha256, "layout": weights.skeleton.name},
        "trained_on": (weights.origin.data or {}).get("store"),
        "store": {"fingerprint": opened.fingerprint, "layout": opened.skeleton.name, "transforms": opened.transforms},
    }


def matrix(rows: Sequence[Row], metric: str) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the table of one metric: a line a source, a column a target, shares in percent."""
    sources, targets = (list(dict.fromkeys(each[key] for each in rows)) for key in ("from", "to"))
    known = {(each["from"], each["to"]): each["metrics"].get(metric) for each in rows}
    lines = [
        [source, *(measured(known.get((source, where)), f"val/{metric}") for where in targets)] for source in sources
    ]
    return ["from", *targets], lines


def metrics(rows: Sequence[Row], protocols: Sequence[str]) -> list[str]:
    """The telling number of each protocol: its first that was found."""
    every = list(dict.fromkeys(name for each in rows for name in each["metrics"]))
    first = [next((name for name in every if name == own or name.startswith(f"{own}_")), None) for own in protocols]
    return [name for name in first if name is not None]


def refuse_place(out: Path) -> None:
    """Raise BadInput unless tables can be written to a folder, where none lie yet."""
    if (out / TABLE).exists():
        raise BadInput(f"{out} holds the tables of another transfer; choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {out} is no folder that could be written: {error.strerror}") from None


def write(out: Path, rows: Sequence[Row]) -> None:
    """Write the rows as JSON, and every number of theirs as tables in Markdown."""
    with atomic.whole(out / TABLE) as unfinished:
        unfinished.write_text(json.dumps(list(rows), indent=1) + "\n", encoding="utf-8")
    parts = [f"# Transfer\n\nNumbers of the {'test side' if rows[0]['side'] == 'test' else 'validation clips'}."]
    for metric in dict.fromkeys(name for each in rows for name in each["metrics"]):
        header, lines = matrix(rows, metric)
        table = [header, ["---"] * len(header), *lines]
        parts.append(f"## {metric}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in table))
    parts += [f"{each['from']} on {each['to']}: {filled(each)}." for each in rows if each["joints"]["filled"]]
    with atomic.whole(out / PAGE) as unfinished:
        unfinished.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def filled(each: Row) -> str:
    """In words, which joints of an encoder were copied from neighbours."""
    return f"{', '.join(each['joints']['filled'])} not in the store, each a copy of its nearest joint that is"

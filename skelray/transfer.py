"""Encoders measured on stores they were not trained on: a matrix of sources and targets, each target with its classes.

Every pair is checked before anything is measured. What a protocol fits, it fits on the target's own training side.
Beside each encoder stands its floor: the same encoder untrained. What training brings is what lies above it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from skelray import atomic, encoder, evaluate, measure, resume
from skelray.encoder import Bench, Target
from skelray.errors import BadInput
from skelray.ledger import FILE as LEDGER
from skelray.measure import EvaluateConfig
from skelray.report.tables import measured
from skelray.train import Diverged
from skelray.weights import named
from skelray.weights.folder import Weights
from skelray.weights.named import Named
from skelray.weights.tensors import built

TABLE, PAGE = "transfer.json", "transfer.md"
Row = dict[str, Any]


def run(
    sources: Sequence[str],
    targets: Sequence[str],
    protocols: Sequence[str],
    *,
    settings: Sequence[str] = (),
    floor: bool = True,
    test: bool = False,
    out: Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    told: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """One row a source and target, in order: what was found by each protocol, and how the joints correspond.

    `settings`: linear.form=full, ... `floor`: each encoder untrained, too, a row after its own. `test`: score the test
    side of each target, each opening a line in `out`. `out`: the folder for tables; what a stopped run had measured is
    taken from there. `told` hears each row. Raises BadInput when a pair cannot be measured, before any is.
    """
    cfg = measure.asked(protocols, settings)
    if test and out is None:
        raise BadInput("--test needs --out, the folder in which each opening of a test side is written down")
    if out is not None and (out / TABLE).exists():
        raise BadInput(f"{out} holds the tables of another transfer; choose another --out")
    with encoder.written_to(out, out / LEDGER if test else None) if out is not None else nullcontext():
        asked = list(pairs(sources, targets, cfg, floor, test, out, device, seed))
        for each in asked:
            encoder.refuse_unfit(each.bench.case, cfg)
        rows, kept = list[Row](), resume.Kept(out) if out is not None else None
        known = kept.known() if kept else {}
        for each in asked:
            key = encoder.identity(each.bench, cfg.model_dump(mode="json"), each.source, each.floor)
            if (found := known.get(key)) is None:
                found = row(each, cfg)
                if kept is not None:
                    kept.add(key, found)
            rows.append(found)
            told(found)
        if out is not None:
            write(out, rows)
    return rows


@dataclass(frozen=True)
class Pair:
    """An encoder on a store."""

    source: str
    floor: bool  # True: the encoder as it was before training
    bench: Bench


def pairs(
    sources: Sequence[str], targets: Sequence[str], cfg: EvaluateConfig, floor: bool, test: bool, out: Path | None,
    device: str, seed: int,
) -> Iterator[Pair]:  # fmt: skip
    """Every source on every target, then its floor. Raises BadInput for a pair that cannot be, naming both."""
    for source in dict.fromkeys(sources):
        trained = named.find(source)
        found: list[Target] = [encoder.target(name, weights=trained.weights) for name in dict.fromkeys(targets)]
        for weights in (trained, untrained(trained, seed)) if floor else (trained,):
            for where in found:
                about = {"encoder": weights.sha256, "protocols": list(cfg.protocols)}
                reader, ledger = ("skelray transfer" if test else None), (out / LEDGER if out else None)
                try:
                    bench = encoder.bench(
                        weights, where, device=device, seed=seed, size=cfg.size, ledger=ledger, reader=reader,
                        about=about | ({} if weights is trained else {"floor": True}),
                    )  # fmt: skip
                except BadInput as error:
                    raise BadInput(f"{source} on {where.name}: {error}") from None
                yield Pair(source, weights is not trained, bench)


def untrained(found: Named, seed: int) -> Named:
    """The same encoder before training, its weights drawn by `seed`; what it measured of its data it keeps."""
    weights = found.weights
    fresh = built(weights.method.cfg, weights.skeleton, seed)
    buffers = dict(weights.method.named_buffers())
    fresh.load_state_dict({name: buffers[name] for name in fresh.state_dict() if name in buffers}, strict=False)
    return Named(Weights(fresh, weights.skeleton, weights.origin, weights.parts, weights.buffers), found.folder)


def row(pair: Pair, cfg: EvaluateConfig) -> Row:
    """What is found of an encoder on a store. Raises BadInput for an encoder that has no finite features."""
    each = pair.bench
    try:
        outcomes = [evaluate.measure(name, each.case, getattr(cfg, name)) for name in cfg.protocols]
    except Diverged as error:
        raise BadInput(f"{pair.source} on {each.target.name} cannot be measured: {error}") from None
    weights, opened = each.encoder.weights, each.target.store
    return {
        "from": pair.source,
        "floor": pair.floor,
        "to": each.target.name,
        "side": "val" if each.case.open_test is None else "test",
        "metrics": {name: value for outcome in outcomes for name, value in outcome.metrics.items()},
        "curves": {name: curve for outcome in outcomes for name, curve in outcome.curves.items()},
        "own_split": each.own_split and not pair.floor,
        "joints": each.joints,
        "met_in_pretraining": 0 if pair.floor else encoder.met(each, each.case),
        "classes": len(opened.classes),
        "seed": each.case.seed,
        "threads": torch.get_num_threads(),
        "config": {name: cfg.model_dump(mode="json")[name] for name in ("size", *cfg.protocols)},
        "encoder": {"method": weights.method.cfg.name, "sha256": each.encoder.sha256, "layout": weights.skeleton.name},
        "trained_on": None if pair.floor else (weights.origin.data or {}).get("store"),
        "store": {"fingerprint": opened.fingerprint, "layout": opened.skeleton.name, "transforms": opened.transforms},
    }


def named_in_table(each: Row) -> str:
    """What a line of a table is called."""
    return f"{each['from']}, untrained" if each["floor"] else str(each["from"])


def matrix(rows: Sequence[Row], metric: str) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the table of one metric: a line a source, a column a target, shares in percent."""
    sources = list(dict.fromkeys(map(named_in_table, rows)))
    targets = list(dict.fromkeys(each["to"] for each in rows))
    known = {(named_in_table(each), each["to"]): each["metrics"].get(metric) for each in rows}
    lines = [
        [source, *(measured(known.get((source, where)), f"val/{metric}") for where in targets)] for source in sources
    ]
    return ["from", *targets], lines


def metrics(rows: Sequence[Row], protocols: Sequence[str]) -> list[str]:
    """The telling number of each protocol: its first that was found."""
    every = list(dict.fromkeys(name for each in rows for name in each["metrics"]))
    first = [next((name for name in every if name == own or name.startswith(f"{own}_")), None) for own in protocols]
    return [name for name in first if name is not None]


def write(out: Path, rows: Sequence[Row]) -> None:
    """Write the rows as JSON, and every number of theirs as tables in Markdown. Raises BadInput on a full disk."""
    try:
        _write(out, rows)
    except OSError as error:
        raise resume.unwritten(out, error) from None
    resume.Kept(out).forget()


def _write(out: Path, rows: Sequence[Row]) -> None:
    parts = [f"# Transfer\n\nNumbers of the {'test side' if rows[0]['side'] == 'test' else 'validation clips'}."]
    for metric in dict.fromkeys(name for each in rows for name in each["metrics"]):
        header, lines = matrix(rows, metric)
        table = [header, ["---"] * len(header), *lines]
        parts.append(f"## {metric}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in table))
    parts += [f"{named_in_table(each)} on {each['to']}: {filled(each)}." for each in rows if each["joints"]["filled"]]
    with atomic.whole(out / PAGE) as unfinished:
        unfinished.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    with atomic.whole(out / TABLE) as unfinished:
        unfinished.write_text(json.dumps(list(rows), indent=1) + "\n", encoding="utf-8")


def filled(each: Row) -> str:
    """In words, which joints of an encoder were copied from neighbours."""
    return f"{', '.join(each['joints']['filled'])} not in the store, each a copy of its nearest joint that is"

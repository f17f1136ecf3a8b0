"""What an encoder is worth on a store by the protocols that somebody asks for, as files in a folder."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from skelray import atomic, encoder, evaluate, measure, resume
from skelray.data import splits
from skelray.encoder import Bench
from skelray.errors import BadInput
from skelray.evaluate import kept
from skelray.evaluate.case import Case, Outcome, together
from skelray.ledger import FILE as LEDGER
from skelray.measure import EvaluateConfig
from skelray.train import Diverged
from skelray.weights import named

FILE = "evaluation.json"


@dataclass(frozen=True)
class Appraisal:
    """What was found, protocol by protocol."""

    parts: dict[str, Outcome]
    seconds: dict[str, float]
    about: dict[str, Any]


def run(
    name: str,
    store: str,
    protocols: Sequence[str],
    *,
    out: Path,
    settings: Sequence[str] = (),
    split: str | None = None,
    val_subjects: int | None = None,
    test: bool = False,
    ledger: Path | None = None,
    force: bool = False,
    device: str = "cpu",
    seed: int = 0,
) -> Appraisal:
    """Measure an encoder and write evaluation.json and predictions.json in `out`.

    `settings`: linear.form=full, ... `test`: score the test side, once, with a line in `ledger` (in `out` by default);
    otherwise validation clips. Raises BadInput for what the encoder, the store or a protocol cannot do, before anything
    is measured.
    """
    cfg, ledger = measure.asked(protocols, settings), ledger or out / LEDGER
    if (out / FILE).exists() and not force:
        raise BadInput(f"{out} holds an evaluation; choose another --out, or replace it with --force")
    with encoder.written_to(out, ledger if test else None):
        return _measured(
            name, store, cfg, out=out, split=split, val_subjects=val_subjects, ledger=ledger, device=device, seed=seed,
            test=test,
        )  # fmt: skip


def _measured(
    name: str, store: str, cfg: EvaluateConfig, *, out: Path, split: str | None, val_subjects: int | None,
    ledger: Path, device: str, seed: int, test: bool,
) -> Appraisal:  # fmt: skip
    weights = named.find(name)
    where = encoder.target(store, split, weights=weights.weights)
    try:
        named.refuse_layout(weights.weights, where.store)
    except BadInput as error:
        raise BadInput(f"{error}; `skelray transfer` finds joints by their names") from None
    text = cfg.model_dump_json()
    about = {"encoder": weights.sha256, "config": hashlib.sha256(text.encode()).hexdigest()[:12]}
    bench = encoder.bench(
        weights, where, device=device, seed=seed, size=cfg.size, val_subjects=val_subjects, ledger=ledger,
        reader="skelray evaluate" if test else None, about=about | {"protocols": list(cfg.protocols)},
    )  # fmt: skip
    case = bench.case
    encoder.refuse_unfit(case, cfg)
    parts, seconds = dict[str, Outcome](), dict[str, float]()
    progress, failed = resume.Kept(out), ""
    known = progress.known()
    for protocol in cfg.protocols:
        settings = getattr(cfg, protocol)
        key = encoder.identity(bench, protocol, settings.model_dump(mode="json"))
        if (before := known.get(key)) is None:
            start = time.perf_counter()
            try:
                fresh = evaluate.measure(protocol, case, settings)
            except Diverged as error:
                failed = f"{name}: {protocol} cannot be measured: {error}"
                break
            before = {"seconds": time.perf_counter() - start, "outcome": kept.plain(fresh)}
            progress.add(key, before)
        parts[protocol], seconds[protocol] = kept.outcome(before["outcome"]), before["seconds"]
    if failed and not parts:
        raise BadInput(failed)
    found = Appraisal(parts, seconds, described(name, bench, case, cfg, test))
    try:
        write(out, found, case)
    except OSError as error:
        raise resume.unwritten(out, error) from None
    progress.forget()
    if failed:
        raise BadInput(f"{failed}; {out / FILE} has what was measured before: {', '.join(parts)}")
    return found


def described(name: str, bench: Bench, case: Case, cfg: EvaluateConfig, test: bool) -> dict[str, Any]:
    """Everything that the numbers depend on."""
    weights, opened = bench.encoder, bench.target.store
    asked = cfg.model_dump(mode="json")
    return {
        "encoder": {"name": name, "method": weights.weights.method.cfg.name, "sha256": weights.sha256},
        "store": {"name": bench.target.name, "fingerprint": opened.fingerprint, "own_split": bench.own_split},
        "side": "test" if test else "val",
        "met_in_pretraining": encoder.met(bench, case),
        "clips": {"training": len(case.training), "scored": clips_scored(bench, test)},
        "config": {key: asked[key] for key in ("size", *cfg.protocols)},
        "seed": case.seed,
        "threads": torch.get_num_threads(),
    }


def clips_scored(bench: Bench, test: bool) -> int:
    """How many clips were told; counts test clips without opening the side again."""
    where = bench.target
    return splits.sizes(where.store, where.split)[1] if test else len(bench.case.selection.val)


def write(out: Path, found: Appraisal, case: Case) -> None:
    """Both files, each whole."""
    whole = together(found.parts.values())
    kept.save(out, replace(whole, curves={}), case.pool.store)
    said = found.about | {"metrics": whole.metrics, "curves": whole.curves, "seconds": found.seconds}
    with atomic.whole(out / FILE) as unfinished:
        unfinished.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")

"""What an encoder is worth on a store by the protocols that somebody asks for, as files in a folder."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from skelray import atomic, encoder, evaluate, measure, yaml_file
from skelray.data import splits
from skelray.data.clip import UNKNOWN
from skelray.encoder import Bench
from skelray.errors import BadInput
from skelray.evaluate import kept
from skelray.evaluate.case import Case, Outcome, together
from skelray.measure import EvaluateConfig
from skelray.schema import problems
from skelray.train import Diverged
from skelray.weights import named

FILE, LEDGER = "evaluation.json", "test_ledger.jsonl"


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
    cfg = config(protocols, settings)
    refuse_place(out, force)
    weights, where = named.find(name), encoder.target(store, split)
    try:
        named.refuse_layout(weights.weights, where.store)
    except BadInput as error:
        raise BadInput(f"{error}; `skelray transfer` finds joints by their names") from None
    text = cfg.model_dump_json()
    about = {"encoder": weights.sha256, "config": hashlib.sha256(text.encode()).hexdigest()[:12]}
    bench = encoder.bench(
        weights, where, device=device, seed=seed, size=cfg.size, ledger=ledger or out / LEDGER,
        reader="skelray evaluate" if test else None, about=about | {"protocols": list(cfg.protocols)},
    )  # fmt: skip
    case = held_out(bench, val_subjects)
    encoder.refuse_unlabelled(case, cfg.protocols)
    measure.refuse_unable(case.method, cfg, case.pool)
    parts, seconds = dict[str, Outcome](), dict[str, float]()
    for protocol in cfg.protocols:
        start = time.perf_counter()
        try:
            parts[protocol] = evaluate.measure(protocol, case, getattr(cfg, protocol))
        except Diverged as error:
            raise BadInput(f"{name}: {protocol} cannot be measured: {error}") from None
        seconds[protocol] = time.perf_counter() - start
    found = Appraisal(parts, seconds, described(name, bench, case, cfg, test))
    write(out, found, case)
    return found


def config(protocols: Sequence[str], settings: Sequence[str]) -> EvaluateConfig:
    """The protocols with their settings. Raises BadInput with the nearest name for one that there is not."""
    tree: dict[str, Any] = {}
    if not protocols:
        raise BadInput(f"--protocol: name one or more of {', '.join(evaluate.available())}")
    for name in protocols:
        evaluate.load(name)
    for text in settings:
        key, equals, value = text.partition("=")
        *path, last = key.strip().split(".")
        if not equals or not last:
            raise BadInput(f"--set {text}: key=value is due, as linear.form=full")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise BadInput(f"--set {text}: {part} has a value already")
        place[last] = yaml_file.value(value, f"--set {text}")
    if beside := [key for key in tree if key in evaluate.available() and key not in protocols]:
        raise BadInput(f"--set {beside[0]}: {beside[0]} is none of the protocols that are asked for")
    try:
        return EvaluateConfig.model_validate({"protocols": tuple(dict.fromkeys(protocols))} | tree)
    except ValidationError as error:
        key, text = problems(error, EvaluateConfig)[0]
        raise BadInput(f"--set {key}: {text}") from None


def refuse_place(out: Path, force: bool) -> None:
    """Raise BadInput unless an evaluation can be written to a folder, where none lies unless `force`."""
    if (out / FILE).exists() and not force:
        raise BadInput(f"{out} holds an evaluation; choose another --out, or replace it with --force")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {out} is no folder that could be written: {error.strerror}") from None


def held_out(bench: Bench, subjects: int | None) -> Case:
    """The case, with so many subjects held out. Raises BadInput for a store that does not know its subjects."""
    if subjects is None:
        return bench.case
    opened, split = bench.target.store, bench.target.split
    if (opened.subject[splits.training_clips(opened, split)] == UNKNOWN).any():
        raise BadInput(f"--val-subjects: {opened.name} does not know its subjects; leave it out")
    return replace(bench.case, selection=splits.select(opened, split, subjects, seed=0))


def described(name: str, bench: Bench, case: Case, cfg: EvaluateConfig, test: bool) -> dict[str, Any]:
    """Everything that the numbers depend on."""
    weights, opened = bench.encoder, bench.target.store
    asked = cfg.model_dump(mode="json")
    return {
        "encoder": {"name": name, "method": weights.weights.method.cfg.name, "sha256": weights.sha256},
        "store": {"name": bench.target.name, "fingerprint": opened.fingerprint},
        "side": "test" if test else "val",
        "met_in_pretraining": encoder.met(bench, case),
        "clips": {"training": len(case.training), "scored": len(case.side.standard if test else case.selection.val)},
        "config": {key: asked[key] for key in ("size", *cfg.protocols)},
        "seed": case.seed,
        "threads": torch.get_num_threads(),
    }


def write(out: Path, found: Appraisal, case: Case) -> None:
    """Both files, each whole."""
    whole = together(found.parts.values())
    kept.save(out, replace(whole, curves={}), case.pool.store)
    said = found.about | {"metrics": whole.metrics, "curves": whole.curves, "seconds": found.seconds}
    with atomic.whole(out / FILE) as unfinished:
        unfinished.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")

"""An encoder on a store, ready for every protocol: found by its name, its clips split, joints mapped, test closed."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skelray import evaluate, measure, resume
from skelray.data import folds, locate, mapping, splits, store
from skelray.data.clip import UNKNOWN
from skelray.data.config import DataConfig, Stream
from skelray.data.quarantine import Openable, Quarantine
from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.evaluate.case import Case
from skelray.features import exported
from skelray.measure import EvaluateConfig
from skelray.weights.exported import SIDES
from skelray.weights.folder import Weights
from skelray.weights.named import Named

TAKEN = {"sweep.yaml": "a sweep", "model.safetensors": "weights", "step-*": "a trial", "MLmodel": "a model"}
LABEL_FREE = {"signals", "generation"}  # protocols that no class is needed for


@dataclass(frozen=True)
class Target:
    """A store and one of its splits."""

    store: Store
    split: str

    @property
    def name(self) -> str:
        """nw-ucla:xview."""
        return f"{self.store.name}:{self.split}"


@dataclass(frozen=True)
class Bench:
    """An encoder on a store."""

    encoder: Named
    target: Target
    case: Case
    mapping: mapping.Mapping | None  # None: the store has the joints that the encoder was trained on

    @property
    def joints(self) -> dict[str, Any]:
        """How many joints of the encoder the store has, and which are filled."""
        skeleton = self.encoder.weights.skeleton
        filled = self.mapping.filled if self.mapping else ()
        return {"found": len(skeleton.joints) - len(filled), "filled": [skeleton.joints[joint] for joint in filled]}

    @property
    def own_split(self) -> bool:
        """Whether the encoder was trained on this split of this store."""
        own = exported.trained_on(self.encoder.weights, self.target.store)
        return own is not None and own.split == self.target.split


def target(name: str, split: str | None = None, *, weights: Weights) -> Target:
    """The store of that name or path and a split of it: `split`, or what follows the last colon of a name that is no
    path, or that which the encoder of these `weights` was trained on if it was on this store, or the only one there is.

    Raises BadInput when there is no such store or split, and for several splits of which none is named.
    """
    head, colon, tail = name.rpartition(":")
    if split is None and colon and not Path(name).exists():
        name, split = head, tail
    opened = store.open(locate.find(name))
    known = splits.available(opened)
    if split is None and (own := exported.trained_on(weights, opened)) is not None:
        split = own.split
    if split is None and len(known) > 1:
        raise BadInput(f"{opened.name} has the splits {', '.join(known)}; name one of them, as {name}:{known[0]}")
    if split is None and not known:
        raise BadInput(f"{opened.name} knows no split, so none of its clips could be held out")
    split = known[0] if split is None else split
    splits.training_side(opened, split)
    return Target(opened, split)


def bench(
    found: Named,
    where: Target,
    *,
    stream: Stream | None = None,
    device: str = "cpu",
    seed: int = 0,
    size: int = 64,
    val_subjects: int | None = None,
    ledger: Path | None = None,
    reader: str | None = None,
    about: Mapping[str, Any] | None = None,
) -> Bench:
    """Put an encoder on a store. Validation clips are the encoder's own where it was trained on this store and split.

    `stream`: what it looks at, where it does not tell. `val_subjects`: so many others are held out instead. `reader`:
    who opens the test side; None scores validation clips. `ledger`, `about`: where each opening is written down, and
    what of it. Raises BadInput when the store cannot serve the encoder.
    """
    opened, looks = where.store, exported.looked(found.weights, stream)
    mapped = mapping.between(opened.skeleton, found.weights.skeleton)
    own = exported.trained_on(found.weights, opened)
    data = own if own is not None and own.split == where.split else DataConfig(store=opened.name, split=where.split)
    if val_subjects is not None:
        if (opened.subject[splits.training_clips(opened, where.split)] == UNKNOWN).any():
            raise BadInput(f"--val-subjects: {opened.name} does not know its subjects; leave it out")
        data = DataConfig(store=opened.name, split=where.split, val_subjects=val_subjects)
    closed = (Quarantine if reader is None else Openable)(opened, where.split)
    pool = mapping.pool(opened, found.weights.skeleton, device, stream=looks, quarantine=closed)
    opening = None
    if reader is not None:
        if ledger is None:
            raise ValueError("the test side is opened with a ledger alone")
        splits.refuse_untestable(opened, where.split)
        opening = partial(splits.open_test, opened, where.split, reader=reader, ledger=ledger, about=about)
    method = found.weights.method.to(pool.device)
    return Bench(found, where, Case(method, pool, folds.choose(data, opened), seed, size, opening), mapped)


def met(each: Bench, case: Case) -> int:
    """How many of the clips to be scored the encoder was trained on, without their labels; a warning says so.

    A finalist was trained on the validation clips too, and the test side of one split lies on the training side of
    another. Reads no clip.
    """
    weights, opened, where = each.encoder.weights, each.target.store, each.target
    own = exported.trained_on(weights, opened)
    if own is None:
        return 0
    known = folds.choose(own, opened)
    trained = known.train if weights.origin.side == SIDES["train"] else known.everything
    test = case.open_test is not None
    scored = np.flatnonzero(~splits.training_side(opened, where.split)) if test else case.selection.val
    if count := int(np.isin(scored, trained).sum()):
        side = "test" if test else "validation"
        warnings.warn(
            f"the encoder was trained, without labels, on {count:,} of the {len(scored):,} {side} clips of "
            f"{where.name}: its figures there are not those of clips that are new to it",
            stacklevel=2,
        )
    return count


def identity(each: Bench, *more: Any) -> str:
    """Everything that numbers of an encoder on a store depend on, and `more` of it (JSON), in one word."""
    case = each.case
    told = [
        each.encoder.sha256, each.encoder.weights.skeleton.model_dump(mode="json"), each.target.name,
        each.target.store.fingerprint, case.pool.stream, case.seed, case.size, case.open_test is not None,
        case.selection.val.tolist(), str(case.pool.device), torch.get_num_threads(), version("skelray"), *more,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def refuse_unfit(case: Case, cfg: EvaluateConfig) -> None:
    """Raise BadInput, before anything is measured, for a protocol that could not measure the case."""
    measure.refuse_unable(case.method, cfg, case.pool)
    refuse_unlabelled(case, cfg.protocols)
    for name in cfg.protocols:
        evaluate.refuse_few(name, case)


@contextmanager
def written_to(out: Path, ledger: Path | None) -> Iterator[None]:
    """A folder for what is found inside; where nothing came into it, it goes again, with what was made above it.

    Raises BadInput unless files can be written there, and lines to a ledger, and while another process writes there.
    """
    _refuse_taken(out)
    _refuse_ledger(ledger)
    lacking = [each for each in (out, *out.parents) if not os.path.exists(each)]  # never raises
    try:
        _make(out)
        with resume.alone(out, f"another process writes to {out}; wait for it, or choose another --out"):
            yield
    finally:
        with suppress(OSError):  # the first that is not empty keeps those above it
            for each in lacking:
                each.rmdir()


def _refuse_taken(out: Path) -> None:
    """A sweep's results have a ledger of the same name, and folders of weights are known by what lies in them."""
    for pattern, what in TAKEN.items():
        if any(out.glob(pattern)):
            raise BadInput(f"--out {out} is the folder of {what}; choose one of its own")


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {out} is no folder that could be written: {error.strerror}") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise BadInput(f"--out {out} is no folder that could be written; choose one of yours")


def _refuse_ledger(ledger: Path | None) -> None:
    if ledger is None:
        return
    above = next(each for each in (ledger, *ledger.parents) if each.exists())
    if ledger.is_dir() or (above != ledger and not above.is_dir()) or not os.access(above, os.W_OK):
        raise BadInput(f"--ledger {ledger} is no file that could be written: the test side stays closed")


def refuse_unlabelled(case: Case, protocols: Sequence[str]) -> None:
    """Raise BadInput when a class is to be told of which no clip is there to learn from."""
    if not (told_by := [name for name in protocols if name not in LABEL_FREE]):
        return
    opened = case.pool.store
    told = opened.label if case.open_test is not None else opened.label[case.selection.everything]
    lacking = np.setdiff1d(told, opened.label[case.training])
    if len(lacking):
        names = ", ".join(opened.classes[one] for one in lacking[:5])
        side = "the training side" if case.open_test is not None else "the training side without validation clips"
        raise BadInput(f"{told_by[0]}: {opened.name} has no clip of {names} on {side}: nobody could learn what it is")

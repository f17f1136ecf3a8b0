"""One trial, wired: a config in, numbers out. Knows nothing of Ray.

`val/*` is what a sweep may look at: run() makes it and reaches no test clip. `test/*` is made once, by final().
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from skelray import atomic, checkpoint, evaluate, measure, methods
from skelray.data import folds, locate, splits, store
from skelray.data.loader import Loader, Pool
from skelray.data.quarantine import Openable, Quarantine
from skelray.errors import BadInput
from skelray.evaluate import kept
from skelray.evaluate.case import Case, Outcome
from skelray.method import Method
from skelray.rng import seed_for
from skelray.schema import reread
from skelray.train import State, train
from skelray.trial_config import TrialConfig

Report = Callable[[int, dict[str, float]], None]  # clips seen, metrics; what it raises ends the trial


def settle(cfg: TrialConfig) -> None:
    """What a trial asks of its whole process; call it where the process is yours. Numbers repeat on equal threads."""
    torch.set_num_threads(cfg.train.threads)


@dataclass(frozen=True)
class Prepared:
    """What a trial works on, found and checked before anything starts."""

    cfg: TrialConfig
    store: store.Store
    pool: Pool
    selection: splits.Selection
    method: Method
    device: torch.device

    def case(self, open_test: Callable[[], splits.TestSide] | None = None) -> Case:
        """The method as it is now, to be measured."""
        return Case(self.method, self.pool, self.selection, self.cfg.seed, self.cfg.evaluate.size, open_test)

    def validate(self) -> dict[str, float]:
        """val/* of the method as it is now."""
        cfg, seed, val = self.cfg.evaluate, self.cfg.seed, self.selection.val
        found = measure.validate(self.case(), cfg)
        return found | measure.reconstruction(self.method, self.pool, val, cfg, seed=seed)

    def test(self, protocols: Sequence[str], ledger: Path, reader: str) -> Outcome:
        """test/* of the method as it is now, and the class that each test clip was given; opens the test side."""
        digest = hashlib.sha256(self.cfg.model_dump_json().encode()).hexdigest()[:12]
        about = {"config": digest, "protocols": list(protocols)}
        opened = partial(splits.open_test, self.store, self.cfg.data.split, reader=reader, ledger=ledger, about=about)
        return measure.test(self.case(opened), self.cfg.evaluate, protocols)


def prepare(
    cfg: TrialConfig, device: torch.device | str = "cpu", fingerprint: str | None = None, *, final: bool = False
) -> Prepared:
    """Open the store, select the clips, build the method under its addressed seed.

    `final`: everything is chosen, so the test side can be opened. Raises BadInput when the store is missing, cannot
    serve the config, or is not the one of `fingerprint`.
    """
    data = cfg.data
    opened = store.open(locate.find(data.store))
    if fingerprint is not None and fingerprint != opened.fingerprint:
        raise BadInput(
            f"the store changed since the sweep began: {opened.path} has fingerprint {opened.fingerprint[:12]}, "
            f"it was {fingerprint[:12]}; bring the old store back, or begin a sweep under another name"
        )
    selection = folds.choose(data, opened)
    selection.refuse_batch(cfg.train.batch, f"{data.store}, {data.split}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(cfg.seed, "init"))
        method = methods.load(cfg.method.name)(cfg.method, opened.skeleton)
    device = torch.device(device)
    closed = (Openable if final else Quarantine)(opened, data.split)
    pool, method = Pool(opened, device, stream=data.stream, quarantine=closed), method.to(device)
    measure.refuse_unable(method, cfg.evaluate, pool)
    return Prepared(cfg, opened, pool, selection, method, device)


def run(
    cfg: TrialConfig,
    *,
    folder: Path,
    report: Report,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
    wrap: Callable[[Method], nn.Module] = lambda method: method,
    fingerprint: str | None = None,
) -> dict[str, float]:
    """Train on the training side without its validation clips; reach no test clip. Returns the last metrics.

    At each of `train.reports` points rank 0 measures val/*, saves a checkpoint in `folder`, and every rank calls
    report(clips seen, metrics). Called again, it tells the report of the newest checkpoint again and goes on from
    there, bit for bit on a CPU. `wrap` makes the model that trains (DDP) from the method. Raises BadInput, Diverged.
    """
    parts = prepare(cfg, device, fingerprint)
    return _pretrain(parts, parts.selection.train, parts.validate, folder, report, rank, world, wrap)


def final(
    cfg: TrialConfig,
    *,
    folder: Path,
    report: Report,
    ledger: Path,
    protocols: Sequence[str] = ("linear", "knn"),
    reader: str = "final",
    device: torch.device | str = "cpu",
    fingerprint: str | None = None,
    trained: bool = True,
    peek: bool = False,
) -> dict[str, float]:
    """Train on the whole training side and open the test side once: test/* for `protocols`, standard and clean.

    `report` hears training losses alone. A finished final repeats its numbers from `folder` without opening the test.
    With trained=False it is the random encoder's row, by the same protocols: the floor that training has to pass.
    With peek=True the test side is read at every report as well, by those protocols that also validate; nothing is
    chosen by it: it shows what "best epoch on test" would have claimed.
    """
    parts = prepare(cfg, device, fingerprint, final=True)
    for name in protocols:  # said before training: it would go wrong after it
        evaluate.load(name)
        evaluate.refuse(name, parts.method, parts.pool, getattr(cfg.evaluate, name))
    splits.refuse_untestable(parts.store, cfg.data.split)
    folder.mkdir(parents=True, exist_ok=True)
    finished, mine = folder / "final.json", _identity(parts, "everything" if trained else "nothing")
    known = json.loads(finished.read_text()) if finished.exists() else {"identity": None, "metrics": {}}
    answered = known.get("protocols", [name for name in protocols if f"test/{name}" in known["metrics"]])  # if older
    if _agrees(known["identity"], mine) and set(protocols) <= set(answered):
        if (state := checkpoint.latest(folder)) is not None:
            report(state["clips"], state["metrics"])  # so that the test's figures stand at the same clips again
        return dict(known["metrics"])
    if trained:
        seen = [name for name in protocols if name in cfg.evaluate.protocols]
        look = partial(_peek, parts, seen, ledger, reader) if peek and seen else dict
        _pretrain(parts, parts.selection.everything, look, folder, report)
    else:
        _begin(parts, parts.selection.everything)
    found = parts.test(protocols, ledger, reader)
    kept.save(folder, found, parts.store)
    with atomic.whole(finished) as unfinished:
        unfinished.write_text(
            json.dumps({"identity": mine, "protocols": list(protocols), "metrics": dict(found.metrics)})
        )
    return dict(found.metrics)


def _peek(parts: Prepared, protocols: Sequence[str], ledger: Path, reader: str) -> dict[str, float]:
    found = parts.test(protocols, ledger, f"{reader} (peek)").metrics
    return {name: value for name, value in found.items() if not name.startswith("test/clips")}


def _pretrain(
    parts: Prepared,
    clips: splits.Indices,
    look: Callable[[], dict[str, float]],
    folder: Path,
    report: Report,
    rank: int = 0,
    world: int = 1,
    wrap: Callable[[Method], nn.Module] = lambda method: method,
) -> dict[str, float]:
    cfg = parts.cfg
    mine = _identity(parts, "train" if len(clips) == len(parts.selection.train) else "everything")
    resume = checkpoint.latest(folder)
    last: dict[str, float] = {}
    if resume is not None:
        if not _agrees(resume["identity"], mine):
            raise BadInput(f"{folder} holds checkpoints of another trial or another store; choose another folder")
        last = resume["metrics"]
        report(resume["clips"], last)  # a kill may have come between the checkpoint and its report
    else:
        _begin(parts, clips)

    def reached(seen: int, losses: dict[str, float], state: Callable[[], State]) -> None:
        nonlocal last
        last = {**losses, **look()} if rank == 0 else losses
        if rank == 0:
            checkpoint.save(folder, {**state(), "identity": mine, "clips": seen, "metrics": last})
        report(seen, last)

    source = Loader(parts.pool, clips, cfg.method.views, seed=cfg.seed, rank=rank, world=world)
    model = wrap(parts.method)
    train(
        model, source, cfg.train, cfg.optim,
        seed=cfg.seed, rank=rank, device=parts.device, report=reached, resume=resume,
    )  # fmt: skip
    return last


def _begin(parts: Prepared, clips: splits.Indices) -> None:
    """Let the method measure what it wants to know of the data: the same on every worker, hence as if alone."""
    parts.method.begin(Loader(parts.pool, clips, parts.cfg.method.views, seed=parts.cfg.seed))


def _identity(parts: Prepared, side: str) -> dict[str, str]:
    """What a checkpoint must agree in before it is continued."""
    return {"trial": parts.cfg.model_dump_json(), "store": parts.store.fingerprint, "side": side}


def _agrees(known: dict[str, str] | None, mine: dict[str, str]) -> bool:
    """Whether what was begun, maybe by an older version, is the same trial on the same clips."""
    return known is not None and known | {"trial": reread(TrialConfig, known["trial"])} == mine

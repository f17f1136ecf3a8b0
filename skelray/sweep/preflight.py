"""Before anything starts: can this machine or cluster ever place what a sweep asks for, and how many trials at once?"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
import torch

from skelray import evaluate, methods
from skelray.data import splits
from skelray.data.loader import Loader, Pool
from skelray.data.quarantine import Quarantine
from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.sweep.config import Plan, Resources
from skelray.train import TrainConfig

INLINE_BYTES = 450 << 20  # one trial in its actor: torch, pyarrow, a small model; stores are mapped, not copied
NESTED_BYTES = 1200 << 20  # one nested trial with one worker: seven processes of Ray Train and Tune
WORKER_BYTES = 400 << 20  # each further worker of a nested trial


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is, on this machine or in the whole cluster."""

    cpus: int
    gpus: int
    memory: int  # bytes that are free
    dashboard: bool = True  # Ray's dashboard runs or can be started
    where: str = "this machine"


@dataclass(frozen=True, slots=True)
class Placement:
    """How trials are placed: the launcher, how many at once, and what each of their workers holds."""

    launcher: Literal["train", "inline"]
    concurrent: int
    workers: int
    cpus: int
    gpus: float
    machine: Machine


def here() -> Machine:
    """This machine, as the container or the batch system lets us use it."""
    from ray._private.utils import get_dashboard_dependency_error

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists() and (parts := quota.read_text().split())[0] != "max":
        cpus = max(1, min(cpus, math.floor(int(parts[0]) / int(parts[1]))))
    dashboard = get_dashboard_dependency_error() is None
    return Machine(cpus, torch.cuda.device_count(), psutil.virtual_memory().available, dashboard)


def place(resources: Resources, trials: int, machine: Machine) -> Placement:
    """Choose the launcher and the number of trials at once (at most `trials`).

    Raises BadInput for what could never be placed: Ray would wait for it for ever, without a word.
    """
    chosen: Literal["train", "inline"] = "train" if resources.launcher == "train" or resources.workers > 1 else "inline"
    _refuse(resources, chosen, machine)
    workers, cpus, gpus = resources.workers, resources.cpus, resources.gpus
    need = _memory(chosen, workers)
    room = min(machine.cpus // (workers * cpus), machine.memory // need)
    if gpus:
        room = min(room, machine.gpus * math.floor(1 / gpus) if gpus < 1 else machine.gpus // int(workers * gpus))
    asked = resources.concurrent
    if asked != "auto" and asked > room:
        raise BadInput(
            f"resources.concurrent: {asked} trials at once do not fit, {room} do: {_there(machine)}, "
            f"{machine.memory / 2**30:.1f} GiB free; use auto, or at most {room}"
        )
    return Placement(chosen, max(1, min(room if asked == "auto" else asked, trials)), workers, cpus, gpus, machine)


def refuse_unequal_shares(train: TrainConfig, workers: int) -> None:
    """Raise BadInput when a batch does not fall into equal pieces: their gradients would be averaged as if it did."""
    if train.batch % (workers * train.accumulate):
        raise BadInput(
            f"train.batch: {train.batch} clips do not fall into equal pieces for {workers} worker(s) that accumulate "
            f"{train.accumulate}; a multiple of {workers * train.accumulate} does"
        )


def refuse_other_bodies(plan: Plan, opened: Store) -> None:
    """Raise BadInput where the joints of the store do not serve a method at some end of its search.

    Every method is built there without memory for its weights, and looks at one training clip through its views.
    """
    for method, space in plan.spaces.items():
        known: set[str] = set()
        asked: list[tuple[str, dict[str, Any]]] = [("", {}), *(("", point) for point in space.points)]
        for name in space.search if not plan.sweep.only_points else ():
            ends = space.search[name].ends.values()
            asked += [(f"{name} = {end!r}: ", {**space.setting(name), name: end}) for end in ends]
        for at, values in asked:
            whole = plan.trial(method, values)
            trial, split = whole.method, whole.data.split
            if (text := trial.model_dump_json()) in known:
                continue
            known.add(text)
            pool = Pool(opened, quarantine=Quarantine(opened, split))
            try:
                with torch.device("meta"):
                    methods.load(method)(trial, opened.skeleton)
                Loader(pool, splits.training_clips(opened, split)[:1], trial.views, seed=0).batch(0, 1)
            except BadInput as error:
                raise BadInput(f"{method} on {opened.name}: {at}{error}") from None


def protocols(plan: Plan, opened: Store) -> tuple[dict[str, list[str]], list[str]]:
    """method -> the protocols that its finals are measured by, and what is left out of whose, in sentences.

    A protocol that no method can be measured by is refused with BadInput; one that only some can, as the generation of
    clips, is left out for the others.
    """
    asked = list(dict.fromkeys(plan.sweep.final.protocols))
    found, unable = {method: list(asked) for method in plan.spaces}, dict[str, dict[str, str]]()
    for method in plan.spaces if plan.sweep.final.seeds else ():
        trial = plan.trial(method, {})
        with torch.random.fork_rng(devices=[]):
            built = methods.load(method)(trial.method, opened.skeleton)
        pool = Pool(opened, stream=trial.data.stream, quarantine=Quarantine(opened, trial.data.split))
        for name in asked:
            try:
                evaluate.refuse(name, built, pool, getattr(trial.evaluate, name))
            except BadInput as error:
                found[method].remove(name)
                unable.setdefault(name, {})[method] = str(error)
    for name, why in unable.items():
        if len(why) == len(plan.spaces):
            method, reason = next(iter(why.items()))
            raise BadInput(f"final.protocols: {method} cannot be measured by {name}: {reason}")
    for method, left in found.items():
        if not left:
            raise BadInput(f"final.protocols: {method} cannot be measured by any of {', '.join(asked)}")
    told = [f"final.protocols: {name} is left out for {', '.join(why)}: {next(iter(why.values()))}"
            for name, why in unable.items()]  # fmt: skip
    return found, told


def for_finals(resources: Resources, search: Placement) -> Resources:
    """Finals and floors run in one process each, with all the CPUs of a trial: the test side is opened once."""
    single = {"workers": 1, "cpus": resources.workers * resources.cpus, "gpus": min(resources.gpus, 1.0)}
    return resources.model_copy(update={**single, "launcher": "inline", "concurrent": search.concurrent})


def _refuse(resources: Resources, chosen: str, machine: Machine) -> None:
    workers, cpus, gpus = resources.workers, resources.cpus, resources.gpus
    if resources.launcher == "inline" and workers > 1:
        raise BadInput(
            f"resources.launcher: inline runs one worker a trial, not {workers}; use launcher: train, or workers: 1"
        )
    if workers * cpus > machine.cpus:
        raise BadInput(
            f"resources.workers: a trial asks for {workers} worker(s) x {cpus} CPU(s) = {workers * cpus} CPU(s); "
            f"{_there(machine)}"
        )
    if gpus and not machine.gpus:
        raise BadInput(
            f"resources.gpus: each worker asks for {gpus:g} GPU(s); {_there(machine)}; use --set resources.gpus=0"
        )
    if gpus and workers > 1 and gpus < 1:
        raise BadInput(f"resources.gpus: {workers} workers need a whole GPU each, not {gpus:g}: they cannot share one")
    if gpus > 1 and gpus != int(gpus):
        raise BadInput(f"resources.gpus: {gpus:g} is neither a share of one GPU nor a whole number of them")
    if workers * gpus > machine.gpus:
        raise BadInput(
            f"resources.gpus: a trial asks for {workers} worker(s) x {gpus:g} GPU(s) = {workers * gpus:g} GPU(s); "
            f"{_there(machine)}"
        )
    if chosen == "train" and not machine.dashboard:
        raise BadInput(
            "resources.launcher: trials under Ray Train need Ray's dashboard, which is not installed or does not "
            "answer: without it a trial that is stopped early keeps its CPUs for ever; install ray[default], or use "
            "one worker and launcher: inline"
        )
    if (need := _memory(chosen, workers)) > machine.memory:
        raise BadInput(
            f"resources: a trial needs about {need / 2**30:.1f} GiB of memory; "
            f"{machine.where} has {machine.memory / 2**30:.1f} GiB free"
        )


def _memory(launcher: str, workers: int) -> int:
    return NESTED_BYTES + (workers - 1) * WORKER_BYTES if launcher == "train" else INLINE_BYTES


def _there(machine: Machine) -> str:
    return f"{machine.where} has {machine.cpus} CPU(s) and {machine.gpus} GPU(s)"

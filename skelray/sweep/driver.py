"""A sweep from its file to its report: everything is checked first, then searched, then tested; killed, it continues.

What is true about a sweep lies in three places that survive the driver: the studies (which trials there are and what
became of them), the journal (what happened) and each trial's own checkpoints. Ray keeps nothing.
"""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from skelray import environment, report
from skelray.data import folds, locate, splits, store
from skelray.data.store import Store
from skelray.errors import BadInput, Stopped
from skelray.events import Journal
from skelray.ledger import FILE as LEDGER
from skelray.report import spent
from skelray.results import Results
from skelray.sweep import cluster, config, finals, metering, models, predicted, preflight, tracking
from skelray.sweep.config import Plan
from skelray.sweep.finals import FinalQueue
from skelray.sweep.live import Screen
from skelray.sweep.mlflow_runs import SweepState
from skelray.sweep.places import Places
from skelray.sweep.preflight import Machine, Placement
from skelray.sweep.record import Record
from skelray.sweep.search import Studies
from skelray.sweep.search_queue import SearchQueue


def sweep(
    file: str | Path,
    *,
    under: str | Path | None = None,
    sets: Sequence[str] = (),
    name: str | None = None,
    results: str | Path = "results",
    tracking_uri: str = "sqlite:///mlflow.db",
    address: str | None = None,
    storage: str | None = None,
) -> Path:
    """Run a sweep, or go on with it, or print it when it is finished; returns its results folder.

    Raises BadInput before anything starts, Stopped when the user ends it.
    """
    plan = config.load(file, under, sets)
    places = Places.of(name or f"local-{plan.name}", Path(results))
    data, opened = _data(plan)
    protocols, left_out = preflight.protocols(plan, opened)
    folder = Results(places.results)
    told = _environment(data)
    if (job := cluster.submitted()) and not Path(results).is_absolute():
        raise BadInput(f"--results {results}: inside a job it must be an absolute path: the job's folder goes away")
    address = address or job
    folder.verify(plan.document(), told)  # not the folder of another sweep, nor other data
    if places.is_finished():
        show(places.results)
        return places.results
    if address is None:
        _placements(plan, preflight.here())
    else:
        cluster.check(address)
    uri = tracking.check(tracking_uri)
    with places.alone(), cluster.Cluster(address) as ray:
        placements = _placements(plan, preflight.here() if address is None else ray.machine())
        places.refuse_half()
        meter = metering.of(plan, folder, placements, ray.measure, data["fingerprint"])
        folder.create(plan.document(), told)
        folder.write_costs(meter.document())
        studies = Studies(plan, storage or f"sqlite:///{places.runs.absolute()}/study.db", meter)
        tracker = tracking.Tracker(uri, places.results.name, tracking.tags(folder), plan.document())
        objective = plan.sweep.objective
        screen = Screen(places.results.name, _planned(plan), objective.metric, objective.mode)
        state: SweepState = "failed"
        try:
            with screen:
                for note in (*plan.dropped, *left_out):
                    screen.say(note)
                record = Record(Journal(places.journal), folder, tracker, screen, objective.metric, meter)
                _run(plan, studies, record, ray, placements, _payload(plan, places, data, protocols))
            _finish(studies, record)
            state = "complete"
        except (Stopped, KeyboardInterrupt):
            state = "stopped"
            raise
        finally:
            tracker.close(state)
    places.finished.touch()
    show(places.results)
    return places.results


def show(results: Path) -> None:
    """Print the leaderboard of a results folder, what each method used, and where the rest is."""
    console = Console()
    console.print(report.leaderboard(results))
    console.print(spent.table(Results(results)))
    console.print(f"{results}/report.html", highlight=False)


def _run(
    plan: Plan,
    studies: Studies,
    record: Record,
    ray: cluster.Cluster,
    placements: tuple[Placement, Placement],
    payload: dict[str, Any],
) -> None:
    """The search, then the finals; what has ended before is not run again, and Ray starts only for what is left."""
    queue = SearchQueue(studies, record)
    queue.mend()
    record.screen.concurrent = placements[0].concurrent
    if not studies.done:
        ray.fit(queue, placements[0], payload)
    for note in studies.notes:
        record.screen.say(note)
    if waiting := finals.jobs(plan, studies, record.trials(), studies.final):
        record.screen.concurrent = placements[1].concurrent
        ray.fit(FinalQueue(waiting, record), placements[1], payload)


def _finish(studies: Studies, record: Record) -> None:
    """Write what a sweep leaves behind, from its journal and studies alone: doing it twice changes nothing."""
    record.write()
    folder = record.results.folder
    found = [ticket for method in studies.plan.spaces if (ticket := studies.best(method))]
    if not found:
        reasons = [trial.ended.reason for trial in record.trials().values() if trial.ended and trial.ended.reason]
        raise BadInput(f"no trial of this sweep came to its end; the first one failed: {(reasons or ['?'])[0]}")
    choose = max if studies.plan.sweep.objective.mode == "max" else min
    best = choose(found, key=lambda ticket: ticket.value or 0.0)
    record.results.write_best(best.config.model_dump(mode="json"))
    predicted.collect(record.results, record.journal.path.parent / "trials", record.trials())
    report.write(folder)
    for name in ("best.yaml", "report.html", "report.md", "figures"):
        if (folder / name).exists():
            record.tracker.artifact(folder / name, name if name == "figures" else "")
    if record.tracker.uri != tracking.NONE:
        for trial, model in models.keep(record.results).items():
            record.tracker.model(trial, model)


def _placements(plan: Plan, machine: Machine) -> tuple[Placement, Placement]:
    """How trials and how finals are placed; BadInput when they cannot be."""
    resources = plan.sweep.resources
    trials = sum(plan.trials(method) for method in plan.spaces)
    search = preflight.place(resources, trials, machine)
    for method in plan.spaces:
        for trial in plan.ends(method, "train.batch"):
            preflight.refuse_unequal_shares(trial.train, resources.workers)
    single = preflight.for_finals(resources, search)
    return search, preflight.place(single, max(1, finals.count(plan)), machine)


def _planned(plan: Plan) -> int:
    return sum(plan.trials(method) for method in plan.spaces) + finals.count(plan)


def _data(plan: Plan) -> tuple[dict[str, Any], Store]:
    """The one store of a sweep, named and opened. Raises BadInput for a missing or broken one, for one that cannot
    serve the trials, or when methods would meet different clips."""
    config = plan.trial(next(iter(plan.spaces)), {}).data
    for key in ("store", "split", "val_subjects", "val_seed", "folds", "fold"):
        values = sorted({str(getattr(plan.trial(method, {}).data, key)) for method in plan.spaces})
        if len(values) > 1:
            raise BadInput(f"data.{key}: a sweep compares methods on the same clips, not on {' and '.join(values)}")
    opened = store.open(locate.find(config.store))
    for method in plan.spaces:
        for trial in plan.ends(method, "train.batch"):
            data = trial.data
            selection = folds.choose(data, opened)
            selection.refuse_batch(trial.train.batch, f"{data.store}, {data.split}")
            if plan.sweep.final.seeds:
                splits.refuse_untestable(opened, data.split)
    preflight.refuse_other_bodies(plan, opened)
    return {"store": config.store, "fingerprint": opened.fingerprint, "classes": list(opened.classes)}, opened


def _environment(data: dict[str, Any]) -> dict[str, Any]:
    typed = (re.sub(r"(://[^/@:]*):[^@]*@", r"\1:***@", each) for each in sys.argv[1:])  # results are to be shared
    command = " ".join(["python -m skelray.sweep", *map(shlex.quote, typed)])
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return environment.describe(command, data, gpus)


def _payload(plan: Plan, places: Places, data: dict[str, Any], protocols: dict[str, list[str]]) -> dict[str, Any]:
    """What every job carries besides itself: plain values, absolute paths."""
    return {
        "directory": os.getcwd(),
        "trials": str(places.runs.absolute() / "trials"),
        "ray": str(places.runs.absolute() / "ray"),
        "ledger": str(places.results.absolute() / LEDGER),
        "fingerprint": data["fingerprint"],
        "protocols": protocols,  # of each method
        "peek": plan.sweep.final.peek,
    }

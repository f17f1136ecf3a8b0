"""One trial under Ray: in the reused Tune actor, or on several workers of a Ray Train group inside the Tune trial.

Both launchers call `work`, which hands the trial a `report` and a place to run, so on one CPU worker both give the same
numbers. Checkpoints are ours, in the trial's own folder; Ray moves and keeps none, so a trial continues by its key
under any launcher, cluster or driver.
"""

import ctypes
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from ray import tune

from skelray.sweep.tune_search import CLIPS, FAILURE, METRICS

Report = Callable[[int, dict[str, float]], None]
FAILED = "failure.txt"  # in the trial's folder: what went wrong, with the traceback


def inline(payload: dict[str, Any]) -> None:
    """A Tune function: the trial runs in this process, which Tune uses again for the next trial."""
    give_back()
    gpus = payload["resources"]["gpus"]
    if gpus and gpus < 1:
        torch.cuda.set_per_process_memory_fraction(gpus)  # Ray counts shares of a GPU but holds nobody to them
    (Path(payload["folder"]) / FAILED).unlink(missing_ok=True)
    try:
        work(payload, tune_report, device="cuda" if gpus else "cpu")
    except Exception as error:
        keep(payload, error)
        tune.report(failure(payload))


def give_back() -> None:
    """Return to the system what the trials before have freed.

    glibc keeps it, for each thread that Tune ran a trial in: a reused process grew to 4 GiB over 17 small trials.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):  # not every C library's
        trim(0)


def nested(payload: dict[str, Any]) -> None:
    """A Tune function: the trial runs on the workers of a Ray Train group; rank 0's metrics reach Tune."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    resources = payload["resources"]
    folder = Path(payload["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILED).unlink(missing_ok=True)
    bookkeeping = folder / "ray"  # of this incarnation only: what continues is our checkpoint
    shutil.rmtree(bookkeeping, ignore_errors=True)
    trainer = TorchTrainer(
        member,
        train_loop_config=payload,
        scaling_config=ScalingConfig(
            num_workers=resources["workers"],
            use_gpu=resources["gpus"] > 0,
            resources_per_worker={"CPU": resources["cpus"], "GPU": resources["gpus"]},
        ),
        torch_config=TorchConfig(backend="nccl" if resources["gpus"] else "gloo"),
        run_config=RunConfig(
            name=payload["key"],
            storage_path=str(bookkeeping),
            callbacks=[TuneReportCallback()],
            failure_config=FailureConfig(max_failures=2),  # a dead worker is replaced and continues from our checkpoint
        ),
    )
    try:
        trainer.fit()
    except Exception as error:
        keep(payload, error)
    if (folder / FAILED).exists():
        tune.report(failure(payload))
    shutil.rmtree(bookkeeping, ignore_errors=True)


def member(payload: dict[str, Any]) -> None:
    """What each worker of a Train group does."""
    import ray.train
    from ray.train.torch import get_device, prepare_model

    if (Path(payload["folder"]) / FAILED).exists():
        return  # Train starts a failed group again; a fault of the trial itself would only come again
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()

    def report(clips: int, metrics: dict[str, float]) -> None:
        ray.train.report({CLIPS: clips, METRICS: metrics})  # a barrier: every rank calls it, rank 0's values count

    try:
        work(payload, report, device=str(get_device()), rank=rank, world=world, wrap=prepare_model)
    except Exception as error:
        keep(payload, error)
        raise


def work(payload: dict[str, Any], report: Report, **place: Any) -> None:
    """Run the payload's trial; `place` is the device, rank, world and wrap of `skelray.trial`."""
    from skelray import trial, trial_config

    os.chdir(payload["directory"])  # relative store paths mean the same here as where the sweep was started
    cfg = trial_config.TrialConfig.model_validate(payload["config"])
    trial.settle(cfg)
    last: tuple[int, dict[str, float]] = (0, {})

    def remember(clips: int, metrics: dict[str, float]) -> None:
        nonlocal last
        last = (clips, metrics)
        report(clips, metrics)

    folder = Path(payload["folder"])
    if payload["kind"] == "search":
        metrics = trial.run(cfg, folder=folder, report=remember, fingerprint=payload["fingerprint"], **place)
    else:  # in one process: finals are placed inline
        metrics = trial.final(
            cfg,
            folder=folder,
            report=remember,
            ledger=Path(payload["ledger"]),
            protocols=payload["protocols"][cfg.method.name],
            reader=payload["key"],
            device=place["device"],
            fingerprint=payload["fingerprint"],
            trained=payload["kind"] == "final",
            peek=payload["peek"],
        )
    if metrics != last[1]:
        report(last[0], metrics)  # the figures of the test come after the last report of the training


def tune_report(clips: int, metrics: dict[str, float]) -> None:
    tune.report({CLIPS: clips, METRICS: metrics})


def keep(payload: dict[str, Any], error: Exception) -> None:
    """Write down what went wrong, the reason alone in the first line; the first of several ranks wins."""
    folder = Path(payload["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:400]
    try:
        with open(folder / FAILED, "x", encoding="utf-8") as file:
            file.write(f"{reason}\n\n{''.join(traceback.format_exception(error))}")
    except FileExistsError:
        pass


def failure(payload: dict[str, Any]) -> dict[str, Any]:
    """The report of a trial that failed: its reason in one line."""
    reason = (Path(payload["folder"]) / FAILED).read_text(encoding="utf-8").splitlines()[0]
    return {CLIPS: 0, METRICS: {}, FAILURE: reason}

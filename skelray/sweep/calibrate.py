"""How fast a method trains and is validated on the device that will train it: a few real steps, timed."""

import contextlib
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from skelray import trial
from skelray.data.loader import Loader
from skelray.errors import BadInput
from skelray.train import State, train
from skelray.trial_config import TrialConfig

WARM, STEPS = 2, 10  # optimiser steps that are not timed, and that are
LIMIT = 60.0  # seconds after which fewer timed steps do


class _Enough(Exception):
    """Ends the training from within its report."""


def pace(
    cfg: TrialConfig,
    *,
    device: torch.device | str = "cpu",
    workers: int = 1,
    fingerprint: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Seconds of a clip, of one validation and of the start of a trial, and the name of the device.

    Of several workers one does its share of each batch: they work side by side. Raises what the trial would raise.
    """
    begun = clock()
    parts = trial.prepare(cfg, device, fingerprint)
    source = Loader(parts.pool, parts.selection.train, cfg.method.views, seed=cfg.seed)
    parts.method.begin(source)
    start, times = clock() - begun, [clock()]

    def reached(clips: int, losses: dict[str, float], state: Callable[[], State]) -> None:
        times.append(clock())
        if len(times) > WARM + 2 and times[-1] - begun > LIMIT:
            raise _Enough

    batch, steps = max(1, cfg.train.batch // workers), WARM + STEPS
    length = {"clips": batch * steps, "epochs": None, "batch": batch, "reports": steps}
    short = cfg.train.model_copy(update=length)
    with contextlib.suppress(_Enough):
        train(parts.method, source, short, cfg.optim, seed=cfg.seed, device=parts.device, report=reached)
    each = [after - before for before, after in zip(times[WARM:], times[WARM + 1 :], strict=False)]
    look = clock()
    parts.validate()
    name = torch.cuda.get_device_name(parts.device) if parts.device.type == "cuda" else "CPU"
    return {
        "clip": statistics.median(each) / cfg.train.batch, "look": clock() - look, "start": start, "device": name,
    }  # fmt: skip


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """The pace of a payload's config, in a process of its own; {"failure": why} where it cannot be measured."""
    os.chdir(payload["directory"])
    try:
        cfg = TrialConfig.model_validate(payload["config"])
        trial.settle(cfg)
        device = "cuda" if payload["gpus"] else "cpu"
        return pace(cfg, device=device, workers=payload["workers"], fingerprint=payload["fingerprint"])
    except BadInput as error:
        return {"failure": str(error)}
    except Exception as error:
        return {"failure": " ".join(f"{type(error).__name__}: {error}".split())[:400]}

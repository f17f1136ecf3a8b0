"""The one training loop. Pretraining, probing and fine-tuning all pass through train()."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from skelray.batch import Source
from skelray.optim import OptimConfig, clip_gradients, optimiser, set_groups
from skelray.rng import seed_for
from skelray.schema import Strict
from skelray.trainable import Trainable

State = dict[str, Any]  # "step": steps done, "model" and "optimiser": their state dicts
Report = Callable[[int, dict[str, float], Callable[[], State]], None]  # clips seen, mean losses, resumable state


class Diverged(RuntimeError):
    """The loss stopped being finite; a sweep counts the trial as failed and goes on."""


class TrainConfig(Strict):
    """How long and how to train. Length is in clips seen, or in epochs where a paper says epochs."""

    clips: int | None = Field(None, ge=1)
    epochs: float | None = Field(None, gt=0)
    batch: int = Field(128, ge=1)  # clips in one optimiser step, over all workers
    accumulate: int = Field(1, ge=1)  # equal pieces of a batch that pass through the model one after the other
    reports: int = Field(10, ge=1)  # evenly spaced points at which the loop reports
    precision: Literal["float32", "bfloat16"] = "float32"  # bfloat16: autocast, on CUDA alone
    compile: bool = False
    threads: int = Field(1, ge=1, le=1024)  # of a CPU, for each worker; numbers repeat only on equal threads

    @model_validator(mode="after")
    def one_length(self) -> "TrainConfig":
        if (self.clips is None) == (self.epochs is None):
            raise ValueError("give exactly one of clips and epochs")
        if self.batch % self.accumulate:
            raise ValueError(f"a batch of {self.batch} does not fall into {self.accumulate} equal pieces")
        return self

    def steps(self, clips_in_epoch: int) -> int:
        """Optimiser steps in all, at least one. An incomplete batch is dropped: of clips the last one, of epochs that
        of each epoch, as the authors' loaders do (400 epochs of 40,091 clips in batches of 128: 400 * 313 steps)."""
        if self.clips is not None:
            return max(1, self.clips // self.batch)
        return max(1, int((self.epochs or 0) * (clips_in_epoch // self.batch)))


def train(
    model: Trainable | nn.Module,
    source: Source,
    cfg: TrainConfig,
    optim: OptimConfig,
    *,
    seed: int,
    rank: int = 0,
    device: torch.device | str = "cpu",
    report: Report = lambda clips, metrics, state: None,
    resume: State | None = None,
) -> None:
    """Train `model`, a Trainable or a DDP around one, on the batches of `source`.

    Every number the loop needs is a function of the step, so training on from `resume` equals never having stopped,
    bit for bit on a CPU. report() gets "train/loss" and every other loss, averaged since the report before; what it
    raises ends the training. Raises Diverged when a mean loss is not finite.
    """
    inner: Trainable = model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model  # type: ignore[assignment]
    stepper = optimiser(inner, optim)
    done = 0
    if resume:
        inner.load_state_dict(resume["model"])
        names = [{key: group[key] for key in ("rate", "decays")} for group in stepper.param_groups]
        stepper.load_state_dict(resume["optimiser"])
        for group, name in zip(stepper.param_groups, names, strict=True):
            group.update(name)  # an older version did not write them
        done = resume["step"]
    if cfg.compile:
        for child in inner.children():
            child.compile()  # the parts, not the loss: masks are drawn outside of compiled code

    def state() -> State:
        return {"step": done, "model": inner.state_dict(), "optimiser": stepper.state_dict()}

    steps = cfg.steps(source.clips)
    stops = {steps * point // cfg.reports for point in range(1, cfg.reports + 1)} - {0}
    sums: dict[str, Tensor] = {}
    since = done
    model.train()
    for step in range(done, steps):
        set_groups(stepper, inner, step / steps, optim)
        torch.manual_seed(seed_for(seed, "layers", step, rank))  # dropout has no generator argument
        losses = forward_backward(model, source.batch(step, cfg.batch), cfg, torch.device(device))
        clip_gradients(inner, optim)
        stepper.step()
        stepper.zero_grad(set_to_none=True)
        done = step + 1
        inner.after_step(done / steps, steps)
        sums = {name: sums.get(name, 0) + value for name, value in losses.items()}

        if done in stops:
            means = {f"train/{name}": float(total) / (done - since) for name, total in sums.items()}
            if not math.isfinite(means["train/loss"]):
                raise Diverged(f"the loss is {means['train/loss']} after {done * cfg.batch:,} clips")
            report(done * cfg.batch, means, state)
            sums, since = {}, done
            model.train()


def forward_backward(model: nn.Module, batch: Any, cfg: TrainConfig, device: torch.device) -> dict[str, Tensor]:
    """Gradients of the mean loss of one batch, in `accumulate` pieces; returns the detached mean losses."""
    pieces = batch.split(cfg.accumulate) if cfg.accumulate > 1 else [batch]
    sums: dict[str, Tensor] = {}
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        with nullcontext() if last else without_sync(model):
            with autocast(cfg, device):
                losses = model(piece)
            (losses["loss"] / len(pieces)).backward()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0) + value.detach().float() / len(pieces)
    return sums


def autocast(cfg: TrainConfig, device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 for matrix products on CUDA when asked for; weights and losses stay float32."""
    if cfg.precision == "bfloat16" and device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def without_sync(model: nn.Module) -> AbstractContextManager[Any]:
    """DDP exchanges gradients once a step, with the last piece of a batch."""
    return model.no_sync() if isinstance(model, nn.parallel.DistributedDataParallel) else nullcontext()

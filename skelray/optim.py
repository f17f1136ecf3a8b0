"""The optimiser, its parameter groups, and a learning rate that is a function of progress."""

import math
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from skelray.schema import Strict
from skelray.trainable import Trainable

FASTEST = 1e30  # a learning rate beyond which a step is no number that float32 holds


class OptimConfig(Strict):
    """Defaults: the recipe of the MAE family on skeletons (MAMP's code), with tables left undecayed."""

    kind: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(1e-3, gt=0, le=FASTEST)  # the peak, for the whole batch whatever its size
    floor: float = Field(0.5, ge=0, le=1)  # share of lr where the cosine ends (MAMP: 5e-4 of 1e-3)
    warmup: float = Field(0.05, ge=0, lt=1)  # share of training with a linearly rising rate
    betas: tuple[float, float] = (0.9, 0.95)  # adamw
    momentum: float = Field(0.9, ge=0, lt=1)  # sgd
    weight_decay: float = Field(0.05, ge=0)  # never on biases and norms
    weight_decay_end: float | None = Field(None, ge=0)  # where it gets to along half a cosine; None: it stays
    decay_tables: bool = False  # True: positions, mask tokens and queries decay too, as in MAMP's code
    clip: float | None = Field(None, gt=0)  # largest norm of the gradient
    clip_parts: bool = False  # True: of each direct part of the model by itself, as DINOv2 has it

    @model_validator(mode="after")
    def betas_are_shares(self) -> "OptimConfig":
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas {self.betas} must lie in [0, 1)")
        return self


def learning_rate(progress: float, cfg: OptimConfig) -> float:
    """The rate at a share of training in [0, 1]: linear warm-up from 0 to lr, then half a cosine to floor * lr."""
    if progress < cfg.warmup:
        return cfg.lr * progress / cfg.warmup
    share = (progress - cfg.warmup) / (1 - cfg.warmup)
    return _half_cosine(cfg.lr, cfg.floor * cfg.lr, share)


def weight_decay(progress: float, cfg: OptimConfig) -> float:
    """The decay of matrices at a share of training in [0, 1]."""
    end = cfg.weight_decay if cfg.weight_decay_end is None else cfg.weight_decay_end
    return _half_cosine(cfg.weight_decay, end, progress)


def groups(model: Trainable, cfg: OptimConfig) -> list[dict[str, Any]]:
    """Trained parameters by what the loop sets for them: "decays" is true of matrices, and of tables where the config
    says so, never of biases and norms; "rate" is the key of `model.rates()` that the parameter's name begins with."""
    spared = set() if cfg.decay_tables else model.tables()
    rates = model.rates(0.0)
    found: dict[tuple[str, bool], list[Tensor]] = {
        (key, decays): [] for key in ("", *rates) for decays in (True, False)
    }
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            key = next((key for key in rates if name.startswith(key)), "")
            found[key, weight.ndim > 1 and name not in spared].append(weight)
    return [{"params": params, "rate": key, "decays": decays} for (key, decays), params in found.items()]


def optimiser(model: Trainable, cfg: OptimConfig) -> torch.optim.Optimizer:
    """AdamW or SGD over the groups of `model`, set for the first step; the loop sets them before every other."""
    if cfg.kind == "sgd":
        made: torch.optim.Optimizer = torch.optim.SGD(groups(model, cfg), lr=cfg.lr, momentum=cfg.momentum)
    else:
        fused = any(weight.is_cuda for weight in model.parameters())
        made = torch.optim.AdamW(groups(model, cfg), lr=cfg.lr, betas=cfg.betas, fused=fused)
    set_groups(made, model, 0.0, cfg)
    return made


def set_groups(stepper: torch.optim.Optimizer, model: Trainable, progress: float, cfg: OptimConfig) -> None:
    """Set rate and decay of every group to what a share of training in [0, 1] asks for."""
    rates = model.rates(progress)
    for group in stepper.param_groups:
        group["lr"] = learning_rate(progress, cfg) * rates.get(group["rate"], 1.0)
        group["weight_decay"] = weight_decay(progress, cfg) if group["decays"] else 0.0


def clip_gradients(model: nn.Module, cfg: OptimConfig) -> None:
    """Shorten gradients to the norm of the config: of the whole model, or of each of its direct parts."""
    if cfg.clip is not None:
        for part in model.children() if cfg.clip_parts else [model]:
            if weights := list(part.parameters()):
                nn.utils.clip_grad_norm_(weights, cfg.clip)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))

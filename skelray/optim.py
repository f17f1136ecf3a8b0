"""The optimiser, its parameter groups, and a learning rate that is a function of progress."""

import math
from typing import Any, Literal

import torch
from pydantic import Field, model_validator

from skelray.schema import Strict
from skelray.trainable import Trainable


class OptimConfig(Strict):
    """Defaults: the recipe of the MAE family on skeletons (MAMP's code), with tables left undecayed."""

    kind: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(1e-3, gt=0)  # the peak, for the whole batch whatever its size
    floor: float = Field(0.5, ge=0, le=1)  # share of lr where the cosine ends (MAMP: 5e-4 of 1e-3)
    warmup: float = Field(0.05, ge=0, lt=1)  # share of training with a linearly rising rate
    betas: tuple[float, float] = (0.9, 0.95)  # adamw
    momentum: float = Field(0.9, ge=0, lt=1)  # sgd
    weight_decay: float = Field(0.05, ge=0)  # never on biases and norms
    decay_tables: bool = False  # True: positions, mask tokens and queries decay too, as in MAMP's code
    clip: float | None = Field(None, gt=0)  # largest norm of the gradient

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
    return cfg.lr * (cfg.floor + (1 - cfg.floor) * 0.5 * (1 + math.cos(math.pi * share)))


def groups(model: Trainable, cfg: OptimConfig) -> list[dict[str, Any]]:
    """Trained parameters in two groups: matrices decay, biases and norms do not, tables as the config says."""
    spared = set() if cfg.decay_tables else model.tables()
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    decays = {name for name, weight in trained if weight.ndim > 1 and name not in spared}
    return [
        {"params": [weight for name, weight in trained if name in decays], "weight_decay": cfg.weight_decay},
        {"params": [weight for name, weight in trained if name not in decays], "weight_decay": 0.0},
    ]


def optimiser(model: Trainable, cfg: OptimConfig) -> torch.optim.Optimizer:
    """AdamW or SGD over the groups of `model`; the loop sets the rate before every step."""
    if cfg.kind == "sgd":
        return torch.optim.SGD(groups(model, cfg), lr=cfg.lr, momentum=cfg.momentum)
    fused = any(weight.is_cuda for weight in model.parameters())
    return torch.optim.AdamW(groups(model, cfg), lr=cfg.lr, betas=cfg.betas, fused=fused)

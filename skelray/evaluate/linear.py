"""The linear probe: affine-free batch norm and one linear layer on frozen features (MAMP's recipe).

SGD with momentum 0.9, no weight decay, cosine from the learning rate to 0, 100 epochs of batches of 256. Papers differ
in the learning rate (MAMP 0.1, AMR 0.01) and it decides more than the method does, so every method gets the same grid
and validation chooses.

The fast form fits the probe on features of test views, computed once. The full one encodes an augmented view of every
clip in every epoch, as the authors do. `keep: joints` is MacDiff's variant (ECCV 2024, its public code): the mean over
bodies and time alone, and in the full form dropout on every token before it. Departure: its code holds the rate at 0 in
the last tenth; here the cosine ends with training, as in MAMP's.
"""

import sys
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from skelray.batch import Batch
from skelray.data.loader import Loader
from skelray.data.splits import Indices
from skelray.errors import BadInput
from skelray.evaluate import frozen
from skelray.evaluate.case import Case, Outcome
from skelray.evaluate.features import Encode, Labelled, extract, of_clips
from skelray.evaluate.look import Look
from skelray.optim import FASTEST, OptimConfig
from skelray.rng import generator, seed_for
from skelray.schema import Strict
from skelray.train import TrainConfig, train
from skelray.trainable import Losses, Trainable


class Recipe(Strict):
    """The probe's recipe; `lr` is a grid."""

    # Peak, for the whole batch. On a small set the probe takes few steps and wants the high end of it.
    lr: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    epochs: int = Field(100, ge=1)
    batch: int = Field(256, ge=2)  # clips; all of them where there are fewer
    momentum: float = Field(0.9, ge=0, lt=1)

    @field_validator("lr")
    @classmethod
    def grid_is_a_grid(cls, lr: tuple[float, ...]) -> tuple[float, ...]:
        if not lr or min(lr) <= 0 or max(lr) > FASTEST or len(set(lr)) < len(lr):
            raise ValueError(
                f"lr {list(lr)} must list one or more different learning rates above 0, at most {FASTEST:g}"
            )
        return lr


class LinearConfig(Recipe, Look):
    """The recipe, and what the probe reads."""

    form: Literal["fast", "full"] = "fast"
    keep: Literal["all", "joints"] = "all"  # all: one mean over time and joints; joints: each keeps its own numbers
    dropout: float = Field(0.3, ge=0, lt=1)  # of tokens, in the full form where joints are kept


def fewest(case: Case) -> Indices:
    """The clips that the learning rate is chosen with."""
    return case.selection.train


def measure(case: Case, cfg: LinearConfig) -> Outcome:
    """The accuracy at the learning rate that is best on validation clips. Raises BadInput, Diverged."""
    joints = len(case.pool.skeleton.joints) if cfg.keep == "joints" else None

    def features(clips: Indices) -> Labelled:
        if joints is None:
            return case.features(clips)
        with case.evaluating():
            return extract(case.method.pretrained, case.batches(clips), joints)

    if cfg.form == "fast":
        return frozen.measure(sys.modules[__name__], case, cfg, features)
    heads = fit_on_views(case, case.selection.train, cfg, joints)
    val = features(case.selection.val)
    found, chosen = chosen_by(heads.classes(val.features) == val.label, heads.cfg)
    if case.open_test is None:
        return Outcome(found)
    final = fit_on_views(case, case.training, cfg.model_copy(update={"lr": chosen.lr}), joints)
    return case.score("linear", lambda clips: final.classes(features(clips).features)[0])


def choose(train: Labelled, val: Labelled, cfg: Recipe, *, seed: int) -> tuple[dict[str, float], Recipe]:
    """Fit one head for each learning rate and keep the rate that is best on validation clips; of equals the smallest.

    A rate is judged by its accuracy averaged with its neighbours' in the grid: on a few hundred clips a rate that is
    best all alone is best by chance. Returns the accuracy at the chosen rate (a share of 1), that rate, and the
    config with it alone.
    """
    grid = cfg.model_copy(update={"lr": tuple(sorted(cfg.lr))})
    return chosen_by(fit(train, grid, seed=seed).classes(val.features) == val.label, grid)


def chosen_by(right: Bool[Tensor, "H N"], grid: Recipe) -> tuple[dict[str, float], Recipe]:
    """The best head of a rising grid, given which validation clips each tells right."""
    hits = right.double().mean(1)
    around = [hits[max(0, place - 1) : place + 2].mean().item() for place in range(len(hits))]
    best = around.index(max(around))
    accuracy, lr = hits[best].item(), grid.lr[best]
    return {"linear": accuracy, "linear_lr": lr}, grid.model_copy(update={"lr": (lr,)})


def predict(train: Labelled, query: Float[Tensor, "Q D"], cfg: Recipe, *, seed: int) -> Int[Tensor, " Q"]:
    """The class of each query, from one head. Raises ValueError for a grid: only choose() has labels to choose by."""
    if len(cfg.lr) != 1:
        raise ValueError(f"predict takes one learning rate, chosen before; it was given {list(cfg.lr)}")
    return fit(train, cfg, seed=seed).classes(query)[0]


class Heads(Trainable):
    """H linear heads side by side on one batch norm, each with its own learning rate.

    The heads share nothing that is trained, and for SGD without weight decay a factor on the loss is a factor on the
    learning rate. So the heads are trained at the highest rate of the grid, each with its loss in proportion.
    """

    def __init__(self, width: int, classes: int, cfg: Recipe, seed: int):
        super().__init__()
        self.cfg = cfg
        self.norm = nn.BatchNorm1d(width, eps=1e-6, affine=False)
        start = torch.empty(classes, width)
        nn.init.trunc_normal_(start, std=0.01, generator=generator(seed, "linear", "init"))
        self.weight = nn.Parameter(start.repeat(len(cfg.lr), 1, 1))  # every head starts from the same weights
        self.bias = nn.Parameter(torch.zeros(len(cfg.lr), classes))
        self.register_buffer("share", torch.tensor(cfg.lr) / max(cfg.lr), persistent=False)

    def logits(self, features: Float[Tensor, "N D"]) -> Float[Tensor, "H N Y"]:
        """Scores of the Y classes by each head."""
        heads, classes, width = self.weight.shape
        scores = nn.functional.linear(self.norm(features), self.weight.view(-1, width), self.bias.view(-1))
        return scores.view(-1, heads, classes).transpose(0, 1)

    def loss(self, batch: Labelled) -> Losses:
        logits = self.logits(batch.features)
        label = batch.label.expand(len(logits), -1)
        losses = cross_entropy(logits.flatten(0, 1), label.flatten(), reduction="none").view_as(label).mean(1)
        return {"loss": (losses * self.get_buffer("share")).sum()}

    @torch.no_grad()
    def classes(self, features: Float[Tensor, "N D"]) -> Int[Tensor, "H N"]:
        """The class each head gives to each clip."""
        self.eval()
        return self.logits(features).argmax(-1)


class Shuffled:
    """Batches of cached features: each epoch an addressed permutation, its last incomplete batch dropped."""

    def __init__(self, known: Labelled, seed: int):
        self.known, self.seed = known, seed
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))

    @property
    def clips(self) -> int:
        return len(self.known)

    def batch(self, step: int, size: int) -> Labelled:
        epoch, position = divmod(step, self.clips // size)
        if self._order[0] != epoch:
            order = torch.randperm(self.clips, generator=generator(self.seed, "linear", "order", epoch))
            self._order = (epoch, order.to(self.known.label.device))
        rows = self._order[1][position * size : (position + 1) * size]
        return Labelled(self.known.features[rows], self.known.label[rows])


class OnViews(Trainable):
    """Heads that are shown augmented clips through an encoder that is neither trained nor part of this module."""

    def __init__(self, heads: Heads, encode: Encode, joints: int | None, dropout: float):
        super().__init__()
        self.heads, self.encode, self.joints, self.dropout = heads, encode, joints, dropout

    def loss(self, batch: Batch) -> Losses:
        def dropped(x: Tensor) -> Tensor:
            return nn.functional.dropout(self.encode(x), self.dropout)

        with torch.no_grad():
            features = of_clips(dropped if self.dropout else self.encode, batch, self.joints)
        return self.heads.loss(Labelled(features, batch.label))


def fit_on_views(case: Case, clips: Indices, cfg: LinearConfig, joints: int | None) -> Heads:
    """Train one head for each learning rate on augmented views of some clips; the encoder is in eval mode."""
    refuse_few(len(clips))
    grid, size = cfg.model_copy(update={"lr": tuple(sorted(cfg.lr))}), min(cfg.batch, len(clips))
    pool, method = case.pool, case.method
    heads = Heads((joints or 1) * method.cfg.encoder.width, len(pool.store.classes), grid, case.seed).to(pool.device)
    model = OnViews(heads, method.pretrained, joints, 0.0 if joints is None else cfg.dropout)
    with case.evaluating():
        train(
            model,
            Loader(pool, clips, (cfg.view(method.cfg),), seed=seed_for(case.seed, "linear", "views")),
            *_recipe(grid, len(clips), size),
            seed=seed_for(case.seed, "linear"),
            device=pool.device,
        )
    return heads


def fit(known: Labelled, cfg: Recipe, *, seed: int) -> Heads:
    """Train one head for each learning rate of cfg where the features are. Raises BadInput for one clip, Diverged."""
    device = known.features.device
    refuse_few(len(known))
    size = min(cfg.batch, len(known))
    heads = Heads(known.features.shape[1], int(known.label.max()) + 1, cfg, seed).to(device)
    train(
        heads,
        Shuffled(known, seed),
        *_recipe(cfg, len(known), size),
        seed=seed_for(seed, "linear"),
        device=device,
    )
    return heads


def refuse_few(clips: int) -> None:
    """Raise BadInput for fewer clips than batch norm can be trained on."""
    if clips < 2:
        raise BadInput(f"a linear probe cannot be fitted on {clips} clip; 2 are the least")


def _recipe(cfg: Recipe, clips: int, size: int) -> tuple[TrainConfig, OptimConfig]:
    return (
        TrainConfig(clips=cfg.epochs * (clips // size) * size, batch=size, reports=1),
        OptimConfig(kind="sgd", lr=max(cfg.lr), floor=0.0, warmup=0.0, momentum=cfg.momentum, weight_decay=0.0),
    )

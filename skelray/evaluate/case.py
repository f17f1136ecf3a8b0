"""What every protocol is given and gives back: an encoder on a store; accuracies and who was told what.

While a configuration is chosen the clips to score are the validation clips. When the test side is asked for, a protocol
still chooses on validation, then fits on the whole training side and scores the test side, which can be read only then.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from skelray.batch import Batch, test_view
from skelray.data.loader import Change, Pool, fixed
from skelray.data.quarantine import openable
from skelray.data.splits import Indices, Selection, TestSide
from skelray.evaluate.features import Labelled, extract
from skelray.method import Method

Point = dict[str, Any]  # of a curve: plain numbers and words


@dataclass(frozen=True)
class Predictions:
    """The class that each of some clips was given, beside its own."""

    clips: Indices  # of the store
    label: NDArray[np.int64]
    predicted: NDArray[np.int64]

    def accuracy(self, among: Indices | None = None) -> float:
        """The share of clips told right; of those `among` them, where given."""
        right = self.label == self.predicted
        return float(right.mean() if among is None else right[np.isin(self.clips, among)].mean())


@dataclass(frozen=True)
class Outcome:
    """What a protocol found."""

    metrics: Mapping[str, float]  # accuracies are shares of 1; names without val/ or test/
    predictions: Mapping[str, Predictions] = field(default_factory=dict)  # metric -> of the clips that were scored
    curves: Mapping[str, list[Point]] = field(default_factory=dict)  # name -> its points


def together(outcomes: Iterable[Outcome], prefix: str = "") -> Outcome:
    """What several protocols found as one; `prefix` goes before the names of metrics."""
    metrics, told, curves = dict[str, float](), dict[str, Predictions](), dict[str, list[Point]]()
    for each in outcomes:
        metrics |= {f"{prefix}{name}": value for name, value in each.metrics.items()}
        told |= each.predictions
        curves |= each.curves
    return Outcome(metrics, told, curves)


def some(clips: Indices, most: int) -> Indices:
    """At most so many of the clips, spread evenly."""
    return clips[np.linspace(0, len(clips) - 1, min(most, len(clips))).round().astype(int)]


@dataclass(frozen=True)
class Case:
    """An encoder on a store. The method is in whatever mode it was left in; a protocol that trains copies it first."""

    method: Method
    pool: Pool
    selection: Selection
    seed: int = 0
    size: int = 64  # clips encoded at once
    open_test: Callable[[], TestSide] | None = None  # None: validation clips are scored
    _known: dict[bytes, Labelled] = field(default_factory=dict, repr=False)

    @property
    def training(self) -> Indices:
        """The clips that the model which is scored may be fitted on."""
        return self.selection.train if self.open_test is None else self.selection.everything

    @cached_property
    def side(self) -> TestSide:
        """The test side, opened and written down once, at its first use.

        Raises ValueError where none is asked for, BadInput where something is still to be chosen.
        """
        if self.open_test is None:
            raise ValueError("the test side is closed: validation clips are scored")
        if self.pool.quarantine is not None:
            openable(self.pool.quarantine)
        return self.open_test()

    def features(self, clips: Indices) -> Labelled:
        """Frozen features of whole clips, in eval mode, computed once. Raises BadInput for test clips, Diverged."""
        if self.pool.quarantine is not None:
            self.pool.quarantine.refuse(clips)  # features that are known already are in quarantine as well
        key = clips.tobytes()
        if key not in self._known:
            with self.evaluating():
                self._known[key] = extract(self.method.pretrained, self.batches(clips))
        return self._known[key]

    def batches(self, clips: Indices, change: Change | None = None) -> Iterator[Batch]:
        """Whole clips in order, as every evaluation sees them; or as `change` leaves them."""
        return fixed(self.pool, clips, test_view(self.method.cfg.encoder.frames), self.size, change)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """The method in eval mode within the block."""
        training = self.method.training
        self.method.eval()
        try:
            yield
        finally:
            self.method.train(training)

    @contextmanager
    def reading(self) -> Iterator[TestSide]:
        """The test side, whose clips can be read within the block."""
        if self.pool.quarantine is None:
            yield self.side
            return
        with openable(self.pool.quarantine).showing(self.side):
            yield self.side

    @contextmanager
    def scored(self) -> Iterator[Indices]:
        """The clips to be scored, which can be read within the block: validation's; of the test side, as published."""
        if self.open_test is None:
            yield self.selection.val
            return
        with self.reading() as side:
            yield side.standard

    def score(self, name: str, predict: Callable[[Indices], Int[Tensor, " N"]]) -> Outcome:
        """How often `predict` tells the class of validation clips; where it is asked for, of the test side.

        Of the test side it gives `name`, as published, and `name`_clean without clips whose exact copy lies on the
        training side, unless none is left.
        """
        if self.open_test is None:
            found = self._told(predict, self.selection.val)
            return Outcome({name: found.accuracy()}, {name: found})
        with self.reading() as side:
            found = self._told(predict, side.standard)
        metrics = {name: found.accuracy()}
        if len(side.clean):
            metrics[f"{name}_clean"] = found.accuracy(side.clean)
        return Outcome(metrics, {name: found})

    def _told(self, predict: Callable[[Indices], Tensor], clips: Indices) -> Predictions:
        label = self.pool.label[torch.as_tensor(clips)]
        return Predictions(clips, label.numpy(), predict(clips).cpu().numpy())

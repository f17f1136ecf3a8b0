"""Protocols on frozen features alone (linear, knn): choose on validation clips, then predict."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from skelray.data.splits import Indices
from skelray.evaluate.case import Case, Outcome
from skelray.evaluate.features import Labelled

Features = Callable[[Indices], Labelled]


def measure(protocol: ModuleType, case: Case, cfg: Any, features: Features | None = None) -> Outcome:
    """What a protocol with `choose` and `predict` finds. Whatever it leaves open is chosen on validation clips.

    `features`: of clips, where they are not those of the case.
    """
    features = features or case.features
    name = protocol.__name__.rpartition(".")[2]
    if case.open_test is None:
        train, val = features(case.selection.train), features(case.selection.val)
        return Outcome(protocol.choose(train, val, cfg, seed=case.seed)[0])
    everything, chosen = settled(protocol, case, cfg, features)
    return case.score(
        name, lambda clips: protocol.predict(everything, features(clips).features, chosen, seed=case.seed)
    )


def settled(protocol: ModuleType, case: Case, cfg: Any, features: Features | None = None) -> tuple[Labelled, Any]:
    """The clips that the model which is scored is fitted on, and the config with everything chosen on validation."""
    features = features or case.features
    everything = features(case.training)  # encoded once, for choosing and for fitting
    if case.open_test is None:
        train, val = everything, features(case.selection.val)
    else:
        parts = case.selection.train, case.selection.val
        train, val = (everything.where(np.isin(case.training, part)) for part in parts)
    return everything, protocol.choose(train, val, cfg, seed=case.seed)[1]

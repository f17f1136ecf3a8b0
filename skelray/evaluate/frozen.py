"""Protocols on frozen features alone (linear, knn): choose on validation clips, then predict."""

from types import ModuleType
from typing import Any

import numpy as np

from skelray.evaluate.case import Case, Outcome


def measure(protocol: ModuleType, case: Case, cfg: Any) -> Outcome:
    """What a protocol with `choose` and `predict` finds. Whatever it leaves open is chosen on validation clips."""
    name = protocol.__name__.rpartition(".")[2]
    if case.open_test is None:
        train, val = case.features(case.selection.train), case.features(case.selection.val)
        return Outcome(protocol.choose(train, val, cfg, seed=case.seed)[0])
    everything = case.features(case.training)  # encoded once, for choosing and for fitting
    train, val = (everything.where(np.isin(case.training, part)) for part in (case.selection.train, case.selection.val))
    settled = protocol.choose(train, val, cfg, seed=case.seed)[1]
    return case.score(
        name, lambda clips: protocol.predict(everything, case.features(clips).features, settled, seed=case.seed)
    )

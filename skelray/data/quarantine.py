"""Test clips cannot be read while anything is still to be chosen, by whatever path their numbers were come by.

A pool in quarantine shows no clip of the test side. A search gets a `Quarantine`, which has no keyhole at all; a final
and an evaluation of the test side get an `Openable`. Its only key is a `TestSide`, which `splits.open_test` alone makes
after writing the ledger, and it opens for the length of a `with` block; to training it never opens.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from skelray.data import splits
from skelray.data.splits import TestSide
from skelray.data.store import Store
from skelray.errors import BadInput


class Quarantine:
    """The test side of one split of one store, closed for good."""

    def __init__(self, store: Store, split: str):
        self.split, self._test = split, ~splits.training_side(store, split)
        self._open = False

    def refuse(self, clips: NDArray[np.integer], training: bool = False) -> None:
        """Raise BadInput when test clips are among these and the test side is closed, or they are to train on."""
        if (training or not self._open) and (caught := self._test[clips]).any():
            what = "trained on" if training else "read while a configuration is still to be chosen"
            raise BadInput(
                f"{int(caught.sum()):,} clips of the test side of {self.split} cannot be {what}; "
                "the test side is opened by splits.open_test, once a finalist, and each opening is written down"
            )


class Openable(Quarantine):
    """The same where everything will have been chosen: it can be opened."""

    @contextmanager
    def showing(self, side: TestSide) -> Iterator[None]:
        """Let the test clips be read within the block. Raises ValueError for the key of another split."""
        if not np.array_equal(np.flatnonzero(self._test), side.standard):
            raise ValueError(f"this is not the test side of {self.split}")
        before, self._open = self._open, True
        try:
            yield
        finally:
            self._open = before


def openable(closed: Quarantine) -> Openable:
    """The quarantine, if it has a keyhole; raises BadInput, before anything is written down, otherwise."""
    if not isinstance(closed, Openable):
        raise BadInput(
            f"the test side of {closed.split} cannot be opened here: a configuration is still to be chosen; "
            "only finals, and evaluations that ask for the test side, can open it"
        )
    return closed

"""A results folder whose files are read once, however many parts of a report ask for them."""

from functools import cached_property
from typing import Any

import pandas as pd

from skelray.results import Results


class Once(Results):
    """Results as they were when first asked for. Each table handed out is a copy."""

    def trials(self) -> pd.DataFrame:
        """As Results.trials."""
        return self._trials.copy()

    def finals(self) -> pd.DataFrame:
        """As Results.finals."""
        return self._finals.copy()

    def history(self) -> pd.DataFrame:
        """As Results.history."""
        return self._history.copy()

    def sweep(self) -> dict[str, Any]:
        """As Results.sweep; nobody changes it."""
        return self._sweep

    @cached_property
    def _trials(self) -> pd.DataFrame:
        return super().trials()

    @cached_property
    def _finals(self) -> pd.DataFrame:
        return super().finals()

    @cached_property
    def _history(self) -> pd.DataFrame:
        return super().history()

    @cached_property
    def _sweep(self) -> dict[str, Any]:
        return super().sweep()

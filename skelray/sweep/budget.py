"""What a search may spend, and how it is shared out: equal clips a trial, or equal FLOPs or device-seconds a method.

With `flops` or `seconds` every method gets the same share. Each of its trials gets share / trials of it, and what
trials that stopped early or failed leave goes to further trials of the same method, until less than a first rung is
left. The clock of early stopping is then the share of a trial's cost, so that a rung costs every method the same.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import Field, field_validator
from pydantic_core import PydanticKnownError

from skelray.errors import BadInput, near
from skelray.schema import Section
from skelray.sweep.layers import LENGTHS
from skelray.train import TrainConfig
from skelray.trial_config import TrialConfig

Unit = Literal["clips", "flops", "seconds"]
SPOKEN: dict[str, str] = {"clips": "clips", "flops": "FLOPs", "seconds": "device-seconds"}
MANY = 1_000_000  # trials, beyond which a number is a slip of the pen
TICKS = 1_000_000  # of the clock of early stopping in what a trial gets: whole numbers that every database holds


class Budget(Section):
    """How much a search may spend, and when it gives a trial up (successive halving)."""

    trials: int = Field(ge=1, le=MANY)  # for each method; with a share: whole ones, and more from what others leave
    unit: Unit = "clips"
    share: float | None = Field(None, gt=0, validate_default=True)  # of each method, in the unit
    grace: int | float  # in the unit; what every trial gets before it may be stopped
    reduction: int = Field(3, ge=2, le=MANY)  # one of so many trials goes on at each rung

    @field_validator("unit", mode="before")
    @classmethod
    def is_a_unit(cls, unit: Any) -> Any:
        if not isinstance(unit, str) or unit not in SPOKEN:
            raise ValueError(f"{unit!r} is not one of {', '.join(SPOKEN)}{near(str(unit), SPOKEN)}")
        return unit

    @field_validator("share")
    @classmethod
    def goes_with_its_unit(cls, share: float | None, info: Any) -> float | None:  # info: ValidationInfo
        unit = info.data.get("unit")
        if unit == "clips" and share is not None:
            raise ValueError("only FLOPs and seconds are shared out; with clips every trial has its train.clips")
        if unit in ("flops", "seconds") and share is None:
            raise ValueError(f"is missing: the {SPOKEN[unit]} that all trials of a method may use together")
        return share

    @field_validator("grace", mode="before")
    @classmethod
    def is_an_amount(cls, grace: Any, info: Any) -> Any:
        whole = info.data.get("unit", "clips") == "clips"
        if isinstance(grace, bool) or not isinstance(grace, int if whole else int | float):
            raise PydanticKnownError("int_type" if whole else "float_type")
        if not grace > 0:  # nan is not either
            raise PydanticKnownError("greater_than", {"gt": 0})
        if grace > sys.float_info.max:  # nor is any whole number that no float holds
            raise PydanticKnownError("finite_number")
        return grace

    def amount(self, value: float) -> str:
        """So much of the unit, for people."""
        return f"{value:.4g} {SPOKEN[self.unit]}"

    @property
    def stand_in(self) -> dict[str, Any]:
        """A length for configs that have none yet, where the budget gives it."""
        return {} if self.unit == "clips" else {"train.epochs": 1}

    def identity(self) -> dict[str, Any]:
        """What must not change while a search goes on: it may grow by trials, and by its share with them."""
        fixed = self.model_dump(exclude={"trials", "share"})
        return fixed if self.share is None else fixed | {"each": self.share / self.trials}

    def portion(self, left: float, each: float) -> float | None:
        """What the next trial gets of what a method has left; None when that is less than a first rung.

        A trial after which less than a first rung would be left gets all of it.
        """
        if left < self.grace * (1 - 1e-9):  # a sum of parts may miss the whole by its last digits
            return None
        return left if left < each + self.grace else each


@dataclass(frozen=True, slots=True)
class Price:
    """What training costs, in the unit of a budget."""

    clip: float  # each clip seen
    fixed: float = 0.0  # a trial as such: its start and its validations

    def cost(self, clips: int) -> float:
        """The cost of a trial of so many clips."""
        return self.fixed + self.clip * clips

    def clips(self, amount: float, batch: int) -> int:
        """How many clips in whole batches an amount pays; 0 when it does not pay one batch."""
        paid = (amount - self.fixed) / self.clip
        return max(0, math.floor(paid / batch * (1 + 1e-12))) * batch


@runtime_checkable
class Prices(Protocol):
    """Who knows what the training of a trial costs."""

    def price(self, cfg: TrialConfig) -> Price:
        """In the unit of the budget; the config's own length does not count."""


def with_clips(cfg: TrialConfig, clips: int) -> TrialConfig:
    """The same trial with another length."""
    train = cfg.train.model_copy(update={"clips": clips, "epochs": None})
    return cfg.model_copy(update={"train": train})


def length(train: TrainConfig, epoch: int) -> int:
    """The clips that a training sees in all: whole batches. `epoch`: clips in one."""
    return train.steps(epoch) * train.batch


def noticed(train: TrainConfig, epoch: int, clips: int) -> int:
    """The first report after so many clips: a failure is noticed there, so that it has cost no more than that."""
    steps = train.steps(epoch)
    stops = [steps * point // train.reports * train.batch for point in range(1, train.reports + 1)]
    return next((stop for stop in stops if stop > clips), steps * train.batch)


def without_length(settings: Mapping[str, Any], budget: Budget, where: str) -> tuple[dict[str, Any], list[str]]:
    """Settings without train.clips and train.epochs where the budget decides the length, and sentences that say so."""
    gone = [] if budget.unit == "clips" else [key for key in LENGTHS if settings.get(key) is not None]
    notes = [
        f"{where}.{key} {settings[key]} does not count: the budget gives each trial its length in {SPOKEN[budget.unit]}"
        for key in gone
    ]
    return {key: value for key, value in settings.items() if key not in gone}, notes


def too_small(budget: Budget, trials: int) -> str:
    """Why no trial can come to its first rung, and what would do; "" when it can."""
    if budget.share is None or budget.share / trials >= budget.grace * (1 - 1e-9):
        return ""
    return (
        f"{budget.amount(budget.share)} for {trials} trials are {budget.amount(budget.share / trials)} each, which is "
        f"less than the first rung (grace {budget.grace:g}); {budget.amount(budget.grace * trials)} would be enough"
    )


def refuse_unaffordable(
    budget: Budget, trials: Mapping[str, int], found: Mapping[str, list[tuple[int, Price]]]
) -> None:
    """Raise BadInput when no listed trial of a method is paid a single batch; `found`: batch and price of each.

    Says what share would be enough for all methods.
    """
    if budget.share is None:
        return
    needs = {
        method: trials[method] * max(budget.grace, min(price.cost(batch) for batch, price in listed))
        for method, listed in found.items()
    }
    if poor := [method for method, need in needs.items() if need > budget.share * (1 + 1e-9)]:
        each = budget.share / trials[poor[0]]
        enough = max(needs.values())
        raise BadInput(
            f"budget.share: {budget.amount(each)} for each trial of {poor[0]} pay no batch and no first rung; "
            f"{budget.amount(enough * 1.0001)} would be enough"
        )

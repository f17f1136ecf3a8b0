"""Who gets what of a budget: a study's trials in, the next trial's length out. All state lies in the study's trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from skelray.errors import BadInput
from skelray.sweep.budget import TICKS, Prices, with_clips
from skelray.sweep.config import Plan
from skelray.sweep.ticket import State
from skelray.trial_config import TrialConfig

# of a trial, as user attributes: its cost as a whole, with one batch alone, and the drift in it; in truth at its end;
# by its price, and in truth, as far as it has come
COST, LEAST, DRIFT, USED, SO_FAR = "cost", "least", "drift", "used", "so_far"

Trials = Sequence[FrozenTrial]  # of one method, handed out


def of(plan: Plan, prices: Prices | None) -> "Clips":
    """The purse of a plan. Raises ValueError when its budget needs prices and there are none."""
    if plan.sweep.budget.unit == "clips":
        return Clips(plan)
    if prices is None:
        raise ValueError(f"a budget in {plan.sweep.budget.unit} needs prices")
    return Shares(plan, prices)


@dataclass
class Clips:
    """So many trials, each of the length that its config gives; the clock counts clips."""

    plan: Plan

    @property
    def first_rung(self) -> int:
        """On the clock."""
        return int(self.plan.sweep.budget.grace)

    def to_come(self, method: str, trials: Trials) -> int:
        """How many more trials a method gets as things are."""
        return max(0, self.plan.trials(method) - len(trials))

    def may_grow(self) -> bool:
        """Whether trials that run may make room for others."""
        return False

    def length(self, method: str, cfg: TrialConfig, trials: Trials) -> tuple[TrialConfig, dict[str, Any]]:
        """The trial with its length, and what is to be kept with it. Raises BadInput when it cannot be paid."""
        return cfg, {}

    def clock(self, method: str, trial: FrozenTrial, cfg: TrialConfig, clips: int) -> int:
        """What early stopping counts, after so many clips."""
        return clips

    def so_far(self, trial: FrozenTrial, cfg: TrialConfig, clips: int, used: float | None) -> dict[str, Any]:
        """What is kept of a trial that runs."""
        return {}

    def receipt(self, method: str, trial: FrozenTrial, state: State, used: float | None) -> dict[str, Any]:
        """What is kept of a trial that ended; `used` None: what was planned for as far as it came."""
        return {}

    def frees(self, method: str, trial: FrozenTrial, cfg: TrialConfig, clips: int, trials: Trials) -> bool:
        """Whether stopping a trial after so many clips saves something."""
        return True

    def final(self, cfg: TrialConfig, trials: Trials) -> TrialConfig:
        """A trial of the search as it is trained again in the finals."""
        return cfg


@dataclass
class Shares(Clips):
    """An equal share for each method; the clock counts the share of a trial that is spent, in millionths."""

    prices: Prices

    @property
    def first_rung(self) -> int:
        method = next(iter(self.plan.spaces))  # where trials differ in number, nothing is stopped
        return max(1, round(TICKS * self.plan.sweep.budget.grace / self.plan.each(method)))

    def left(self, trials: Trials) -> float:
        """What no trial has used, and none that runs will use if it goes on as it went so far."""
        return float((self.plan.sweep.budget.share or 0.0) - sum(map(self.held, trials)))

    def held(self, trial: FrozenTrial) -> float:
        """What a trial used, or will."""
        attrs = trial.user_attrs
        priced, used = attrs.get(SO_FAR, (0.0, 0.0))
        return float(attrs.get(USED, attrs[COST] * (used / priced / attrs[DRIFT] if priced and used else 1.0)))

    def to_come(self, method: str, trials: Trials) -> int:
        """A method whose failures alone are as many as its trials gets no further ones."""
        if self.plan.sweep.only_points:
            return super().to_come(method, trials)
        failed = sum(trial.state == TrialState.FAIL for trial in trials)
        left, each = self.left(trials), self.plan.each(method)
        if failed >= self.plan.trials(method) or self.plan.sweep.budget.portion(left, each) is None:
            return 0
        if trials and left < min(trial.user_attrs[LEAST] for trial in trials):
            return 0  # what is left pays a first rung and yet no batch
        return max(1, int(left / each + 1e-9))

    def may_grow(self) -> bool:
        return not self.plan.sweep.only_points

    def drift(self, trials: Trials) -> float:
        """How much dearer trials are than their price, running ones too: a calibration is only so good."""
        known = [trial.user_attrs[SO_FAR] for trial in trials if SO_FAR in trial.user_attrs]
        priced, used = (float(sum(each)) for each in zip(*known, strict=True)) if known else (0.0, 0.0)
        return used / priced if priced and used else 1.0

    def length(self, method: str, cfg: TrialConfig, trials: Trials) -> tuple[TrialConfig, dict[str, Any]]:
        each, budget, left = self.plan.each(method), self.plan.sweep.budget, self.left(trials)
        amount = each if self.plan.sweep.only_points else budget.portion(left, each)
        price, drift = self.prices.price(cfg), self.drift(trials)
        clips = price.clips((amount or 0.0) / drift, cfg.train.batch)
        if not clips:
            raise BadInput(f"{budget.amount(amount or 0.0)} pay no batch of it ({budget.amount(price.cost(1))} a clip)")
        least = price.cost(cfg.train.batch) * drift
        return with_clips(cfg, clips), {COST: price.cost(clips) * drift, LEAST: least, DRIFT: drift}

    def clock(self, method: str, trial: FrozenTrial, cfg: TrialConfig, clips: int) -> int:
        return round(TICKS * self.reached(trial, cfg, clips) / self.plan.each(method))

    def reached(self, trial: FrozenTrial, cfg: TrialConfig, clips: int) -> float:
        """What so many clips of a trial were planned to cost, its start and validations spread over them."""
        return float(trial.user_attrs[COST]) * clips / (cfg.train.clips or clips)

    def receipt(self, method: str, trial: FrozenTrial, state: State, used: float | None) -> dict[str, Any]:
        spent = max(trial.intermediate_values, default=0) * self.plan.each(method) / TICKS
        planned = float(trial.user_attrs[COST]) if state == "complete" else spent
        told = {USED: planned if used is None else used}
        priced = planned / trial.user_attrs[DRIFT]
        return told if state == "failed" else told | {SO_FAR: (priced, told[USED])}

    def so_far(self, trial: FrozenTrial, cfg: TrialConfig, clips: int, used: float | None) -> dict[str, Any]:
        priced = self.reached(trial, cfg, clips) / trial.user_attrs[DRIFT]
        return {} if used is None else {SO_FAR: (priced, used)}

    def frees(self, method: str, trial: FrozenTrial, cfg: TrialConfig, clips: int, trials: Trials) -> bool:
        """Only what is worth a first rung can be given to another trial; else it is spent here, to the end."""
        saved = trial.user_attrs[COST] - self.reached(trial, cfg, clips)
        return self.plan.sweep.budget.portion(self.left(trials) + saved, self.plan.each(method)) is not None

    def final(self, cfg: TrialConfig, trials: Trials) -> TrialConfig:
        """Each final costs what a whole trial gets, also where the best trial was a shorter or longer one."""
        price = self.prices.price(cfg)
        clips = price.clips(self.plan.each(cfg.method.name) / self.drift(trials), cfg.train.batch)
        return with_clips(cfg, max(clips, cfg.train.batch))

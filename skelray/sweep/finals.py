"""After the search: the best configurations again with new seeds, and the untrained encoder beside them.

They are plain jobs over a fixed list; the same driver runs them. A final that ended is never run again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

from skelray.events import Kind, State, Trial
from skelray.sweep.config import Plan
from skelray.sweep.record import Record
from skelray.sweep.ticket import Ticket
from skelray.sweep.tune_search import Job
from skelray.trial_config import TrialConfig


@runtime_checkable
class Ranked(Protocol):
    """What finals need of the search."""

    def ranked(self, method: str) -> list[Ticket]:
        """The method's complete trials, best first."""


def seeds(plan: Plan) -> list[int]:
    """The seeds of the finals: none of them is the one that the search chose with."""
    return [plan.sweep.seed + 1 + number for number in range(plan.sweep.final.seeds)]


def count(plan: Plan) -> int:
    """How many finals and floors a plan leads to, if every method completes enough trials."""
    return len(plan.spaces) * (plan.sweep.final.top + 1) * plan.sweep.final.seeds


def jobs(
    plan: Plan,
    search: Ranked,
    trials: Mapping[str, Trial] | None = None,
    length: Callable[[Ticket], TrialConfig] = lambda ticket: ticket.config,
) -> list[Job]:
    """The finals that are left to run: per method `final.top` configurations and one floor, for each seed.

    The floor is the best configuration's encoder before training. A method without a complete trial has no finals.
    `length`: a configuration as finals train it; under a budget in FLOPs or seconds all cost what one trial gets.
    """
    ended = {key for key, trial in (trials or {}).items() if trial.ended}
    found = []
    for method in plan.spaces:
        best = search.ranked(method)[: plan.sweep.final.top]
        for seed in seeds(plan):
            found += [_job(f"{ticket.key}-seed-{seed}", "final", length(ticket), seed) for ticket in best]
            found += [_job(f"{method}-floor-seed-{seed}", "floor", length(ticket), seed) for ticket in best[:1]]
    found.sort(key=lambda job: job.kind != "final")  # the short ones last: they fill the gaps
    return [job for job in found if job.key not in ended]


def _job(key: str, kind: Kind, cfg: TrialConfig, seed: int) -> Job:
    return Job(key, kind, cfg.model_copy(update={"seed": seed}).model_dump(mode="json"))


class FinalQueue:
    """A fixed list of jobs, told to the record; nothing is stopped early."""

    def __init__(self, waiting: Iterable[Job], record: Record):
        self._waiting, self._record = list(waiting), record
        self._out: dict[str, Job] = {}

    def next(self) -> Job | None:
        if not self._waiting:
            return None
        job = self._waiting.pop(0)
        self._out[job.key] = job
        return job

    def started(self, key: str) -> None:
        self._record.started(self._out[key])

    def reported(self, key: str, clips: int, metrics: dict[str, float]) -> bool:
        self._record.reported(key, clips, metrics)
        return False

    def ended(self, key: str, state: State, reason: str) -> None:
        self._record.ended(key, state, reason)

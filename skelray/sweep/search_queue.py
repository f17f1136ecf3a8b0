"""The search as a queue of jobs: the studies decide, the record keeps."""

import time
from typing import Literal

from skelray.errors import BadInput
from skelray.events import State
from skelray.sweep.prices import Spent
from skelray.sweep.record import Record
from skelray.sweep.search import Studies
from skelray.sweep.tune_search import Job


class SearchQueue:
    """Hands out trials of the studies until every planned one is out.

    Of an end the study is told first, the journal second: `mend` tells the journal what a kill in between left out.
    """

    def __init__(self, studies: Studies, record: Record):
        self._studies, self._record = studies, record
        self._objective = studies.plan.sweep.objective.metric
        self._out: dict[str, Job] = {}
        self._last: dict[str, tuple[int, float | None]] = {}
        self._planned = studies.counts()["planned"]

    def mend(self) -> None:
        """End in the journal what has ended in the studies. Raises BadInput when the two are not of one sweep."""
        known = self._record.trials()
        if strange := [key for key, state in self._studies.states().items() if state != "running" and key not in known]:
            raise BadInput(
                f"the studies know how {strange[0]} ended, {self._record.journal.path} does not know that it began: "
                "they are not of one sweep; bring the journal back, or choose another --name and an empty --storage"
            )
        last = {event.trial: event.time for event in self._record.events}
        for key, trial in known.items():
            if trial.started.kind == "search" and not trial.ended:
                state = self._studies.state(key)
                if state != "running":  # it ended about when it was last heard of, not when the sweep is taken up again
                    self._record.ended(key, state, self._studies.reason(key), last[key])

    def next(self) -> Job | Literal["wait"] | None:
        ticket, before = self._studies.ask(), self._planned
        self._planned = self._studies.counts()["planned"]
        self._record.screen.planned += self._planned - before  # what trials leave pays for others
        if ticket is None:
            return "wait" if self._studies.waits else None
        job = self._out[ticket.key] = Job(ticket.key, "search", ticket.config.model_dump(mode="json"))
        return job

    def started(self, key: str) -> None:
        self._record.started(self._out[key])

    def reported(self, key: str, clips: int, metrics: dict[str, float]) -> bool:
        self._record.reported(key, clips, metrics)
        self._last[key] = clips, metrics.get(self._objective)
        if self._studies.plan.sweep.budget.unit == "clips":
            return self._studies.observe(key, *self._last[key])
        spent = self._record.spent(key, "complete", time.time())
        return self._studies.observe(key, *self._last[key], self._used(spent) if spent else None)

    def ended(self, key: str, state: State, reason: str) -> None:
        clips, value = self._last.get(key, (0, None))
        now = time.time()
        spent = self._record.spent(key, state, now)
        told = self._studies.finish(key, state, value, reason, used=self._used(spent) if spent else None)
        if told == "failed" and not reason:
            reason = f"{self._objective} is {value} after {clips} clips"
        self._record.ended(key, told, reason, now, spent)

    def _used(self, spent: Spent) -> float:
        """Of the budget."""
        return spent.device_seconds if self._studies.plan.sweep.budget.unit == "seconds" else spent.flops

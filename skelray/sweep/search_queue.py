"""The search as a queue of jobs: the studies decide, the record keeps."""

from skelray.events import State
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

    def mend(self) -> None:
        """End in the journal what has ended in the studies."""
        for key, trial in self._record.trials().items():
            if trial.started.kind == "search" and not trial.ended:
                state = self._studies.state(key)
                if state != "running":
                    self._record.ended(key, state, "")

    def next(self) -> Job | None:
        ticket = self._studies.ask()
        if ticket is None:
            return None
        job = self._out[ticket.key] = Job(ticket.key, "search", ticket.config.model_dump(mode="json"))
        return job

    def started(self, key: str) -> None:
        self._record.started(self._out[key])

    def reported(self, key: str, clips: int, metrics: dict[str, float]) -> bool:
        self._record.reported(key, clips, metrics)
        self._last[key] = clips, metrics.get(self._objective)
        return self._studies.observe(key, *self._last[key])

    def ended(self, key: str, state: State, reason: str) -> None:
        clips, value = self._last.get(key, (0, None))
        told = self._studies.finish(key, state, value, reason)
        if told == "failed" and not reason:
            reason = f"{self._objective} is {value} after {clips} clips"
        self._record.ended(key, told, reason)

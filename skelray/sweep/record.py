"""What happened, kept: an event goes to the journal first, then to the tables, the tracking server and the screen."""

import time

from skelray.events import Ended, Event, Journal, Reported, Started, State, Trial, fold
from skelray.results import Results
from skelray.sweep.live import Screen
from skelray.sweep.prices import Meter, Spent
from skelray.sweep.tracking import Tracker
from skelray.sweep.tune_search import Job


class Record:
    """The events of one sweep. The journal is the truth; everything else can be made from it again."""

    def __init__(
        self,
        journal: Journal,
        results: Results,
        tracker: Tracker,
        screen: Screen,
        objective: str,
        meter: Meter | None = None,
    ):
        self.journal, self.results, self.tracker, self.screen = journal, results, tracker, screen
        self.objective, self.meter = objective, meter
        self.events = journal.read()
        for event in self.events:
            tracker.send(event)  # what the server knows already is passed over

    def trials(self) -> dict[str, Trial]:
        """Every trial so far, by key."""
        return fold(self.events)

    def started(self, job: Job) -> None:
        method = str(job.config["method"]["name"])
        seed = int(job.config["seed"])
        self._add(Started(trial=job.key, method=method, kind=job.kind, seed=seed, config=job.config, time=time.time()))

    def reported(self, key: str, clips: int, metrics: dict[str, float]) -> None:
        self._add(Reported(trial=key, clips=clips, metrics=metrics, time=time.time()))

    def ended(self, key: str, state: State, reason: str, now: float | None = None, spent: Spent | None = None) -> None:
        """A trial is over, at `now` when that was not just now, and has used so much (counted here if not given)."""
        now = time.time() if now is None else now
        seconds = self._spent(key, now)
        spent = spent or self.spent(key, state, now)
        used = {"flops": spent.flops, "device_seconds": spent.device_seconds} if spent else {}
        self._add(Ended(trial=key, state=state, reason=reason, time=now, seconds=seconds, **used))
        self.write()

    def spent(self, key: str, state: State, now: float) -> Spent | None:
        """What a trial has used when it ends like this; None when nobody counts."""
        if self.meter is None:
            return None
        trial = self.trials()[key]
        begun, seconds = trial.started, self._spent(key, now)
        return self.meter.spent(begun.config, begun.kind, state, trial.clips, seconds)

    def write(self) -> None:
        """Bring the tables up to date."""
        self.results.write(self.events, self.objective)

    def _add(self, event: Event) -> None:
        self.journal.append(event)
        self.events.append(event)
        self.tracker.send(event)
        self.screen.show(event, self.events)

    def _spent(self, key: str, now: float) -> float:
        """Seconds in all lives of a trial; of an interrupted life, up to its last report."""
        spent, begun, last = 0.0, None, now
        for event in self.events:
            if event.trial != key:
                continue
            if isinstance(event, Started):
                spent += 0.0 if begun is None else last - begun
                begun = event.time
            last = event.time
        return max(0.0, spent + (now - begun if begun is not None else 0.0))

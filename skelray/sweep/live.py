"""What a person sees while a sweep runs: one table that is redrawn on a terminal, plain lines anywhere else."""

import sys
import time
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from skelray.events import Ended, Event, Reported, Started, Trial, fold


class Screen:
    """Shows a sweep as its events tell it. Use it as a context; `show` after every event."""

    def __init__(self, name: str, planned: int, objective: str, mode: str, *, console: Console | None = None):
        self.name, self.planned, self.objective, self.mode = name, planned, objective, mode
        self.concurrent = 1
        self._console = console or Console(file=sys.stderr)
        self._begun = time.monotonic()
        self._worked = 0.0  # seconds of trials that ended under this driver
        self._ended = 0
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=2)

    def __enter__(self) -> "Screen":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, event: Event, events: Sequence[Event]) -> None:
        """Tell what just happened; `events` are all so far, `event` among them."""
        if isinstance(event, Ended):
            self._ended, self._worked = self._ended + 1, self._worked + event.seconds
        trials = fold(events)
        if self._live:
            self._live.update(self._table(trials))
        elif not isinstance(event, Reported):
            self.say(self._line(event, trials))

    def _line(self, event: Started | Ended, trials: dict[str, Trial]) -> str:
        now = time.strftime("%H:%M:%S")
        if isinstance(event, Started):
            return f"{now}  {event.trial} started"
        trial = trials[event.trial]
        shown = {self.objective, "test/linear", "test/knn"}
        figures = ", ".join(f"{name} {value:.4f}" for name, value in trial.last.items() if name in shown)
        told = f"{now}  {event.trial} {event.state} after {event.seconds:.0f} s and {trial.clips:,} clips"
        return f"{told}: {event.reason or figures}   [{self.summary(trials)}]"

    def summary(self, trials: dict[str, Trial]) -> str:
        """Counts, the best so far, elapsed, an estimate of the rest: in one line."""
        states = Counter(trial.ended.state if trial.ended else "running" for trial in trials.values())
        counts = ", ".join(f"{states[state]} {state}" for state in ("complete", "running", "pruned", "failed"))
        parts = [f"{counts} of {self.planned}"]
        if best := self.best(trials):
            parts.append(f"best {self.objective} {best[1]:.4f} ({best[0]})")
        parts.append(f"{_time(time.monotonic() - self._begun)} elapsed")
        if (rest := self.rest(trials)) is not None:
            parts.append(f"about {_time(rest)} left")
        return "; ".join(parts)

    def best(self, trials: dict[str, Trial]) -> tuple[str, float] | None:
        """The best complete trial of the search so far."""
        found = {
            key: trial.last[self.objective]
            for key, trial in trials.items()
            if trial.ended and trial.ended.state == "complete" and self.objective in trial.last
        }
        if not found:
            return None
        key = (max if self.mode == "max" else min)(found, key=lambda each: found[each])
        return key, found[key]

    def rest(self, trials: dict[str, Trial]) -> float | None:
        """Seconds left if the trials to come are like those that ended; None before the first has."""
        if not self._ended:
            return None
        left = self.planned - sum(trial.ended is not None for trial in trials.values())
        return max(0, left) * self._worked / self._ended / self.concurrent

    def _table(self, trials: dict[str, Trial]) -> Table:
        table = Table(title=f"{self.name}: {self.summary(trials)}", title_justify="left", min_width=72)
        for column in ("trial", "state", "clips", self.objective, "loss"):
            table.add_column(column, justify="left" if column in ("trial", "state") else "right")
        shown = sorted(trials.items(), key=lambda item: (item[1].ended is not None, item[0]))
        for key, trial in shown[:20]:
            state = trial.ended.state if trial.ended else "running"
            figures = [trial.last.get(name) for name in (self.objective, "train/loss")]
            table.add_row(key, state, f"{trial.clips:,}", *("" if x is None else f"{x:.4f}" for x in figures))
        return table


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"

"""What happens in a sweep, told once: the events, the journal they are kept in, and what they say about each trial."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from skelray.errors import BadInput

Kind = Literal["search", "final", "floor"]  # a sampled trial, a finalist, an untrained encoder
State = Literal["complete", "pruned", "failed"]


class Fact(BaseModel):
    """Base of the events: closed and frozen, but a metric may be nan, for a measurement is not a config."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


class Started(Fact):
    """A trial began, or began again after an interruption; the trial's full config is the JSON form of TrialConfig."""

    event: Literal["started"] = "started"
    trial: str
    method: str
    kind: Kind = "search"
    seed: int
    config: dict[str, Any]
    time: float  # unix seconds


class Reported(Fact):
    """A trial measured itself after `clips` clips; a later report at the same clips takes the earlier one's place."""

    event: Literal["reported"] = "reported"
    trial: str
    clips: int = Field(ge=0)
    metrics: dict[str, float]
    time: float  # unix seconds


class Ended(Fact):
    """A trial is over for good, unless it is Started again."""

    event: Literal["ended"] = "ended"
    trial: str
    state: State
    reason: str = ""  # why it failed or was stopped
    time: float  # unix seconds
    seconds: float = Field(ge=0)  # spent training, all of its lives together
    flops: float | None = Field(None, ge=0)  # forward and backward; None: an older version did not count
    device_seconds: float | None = Field(None, ge=0)  # seconds by GPUs, or by CPU cores where it had no GPU


Event = Started | Reported | Ended
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


class Journal:
    """Events as JSON lines in one file; one process writes it, and a killed writer costs at most the line it was in."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def append(self, event: Event) -> None:
        """Add one line, on the disk before returning: the studies are as well, and the two must agree."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._mend()
        with self.path.open("ab") as file:
            file.write(event.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[Event]:
        """All events in the order of writing; a last line without its end is left out, another bad one refused."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")[:-1]  # what follows the last line end was torn by a kill
        events = []
        for number, line in enumerate(lines, start=1):
            try:
                events.append(_EVENT.validate_json(line))
            except ValidationError as error:
                problem = error.errors(include_url=False)[0]["msg"]
                message = (
                    f"{self.path}:{number}: not an event of a sweep ({problem}); delete this line to go on without it"
                )
                raise BadInput(message) from error
        return events

    def _mend(self) -> None:
        """Cut off a torn last line, which would swallow the next one."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return
        with self.path.open("rb+") as file:
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)


@dataclass
class Trial:
    """One trial as its events tell it, however often it was interrupted."""

    started: Started  # its first beginning
    ended: Ended | None = None  # None while it runs, or waits to be taken up again
    points: dict[tuple[int, str], tuple[float, float]] = field(default_factory=dict)  # (clips, metric) -> value, time

    @property
    def clips(self) -> int:
        """How far it came."""
        return max((clips for clips, _ in self.points), default=0)

    @property
    def last(self) -> dict[str, float]:
        """Every metric as last reported."""
        return {metric: self.points[clips, metric][0] for clips, metric in sorted(self.points)}


def fold(events: Iterable[Event]) -> dict[str, Trial]:
    """Trials by name, in the order in which they began; of two reports at the same clips the later one counts."""
    trials: dict[str, Trial] = {}
    for event in events:
        if isinstance(event, Started):
            trials.setdefault(event.trial, Trial(event)).ended = None
        elif event.trial not in trials:
            raise BadInput(f"the trial {event.trial!r} has an event but never started; its journal is not whole")
        elif isinstance(event, Reported):
            known = trials[event.trial].points
            known.update({(event.clips, metric): (value, event.time) for metric, value in event.metrics.items()})
        else:
            trials[event.trial].ended = event
    return trials

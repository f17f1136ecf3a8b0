"""Ray Tune asks and tells through here: three thin adapters over one queue of jobs that knows nothing of Ray.

Tune's own bookkeeping never reaches a study: it overwrites result keys (`pid`, `date`, `time_*`, `done`, `trial_id`,
`config`), restarts `training_iteration`, swallows what its hooks raise and calls a trial it stopped complete.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from ray.tune import Callback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from skelray.events import Kind, State

CLIPS, METRICS, FAILURE = "clips", "metrics", "failure"  # the only keys a trial reports; metrics are one nested dict


@dataclass(frozen=True, slots=True)
class Job:
    """One trial to run: everything a worker needs, as plain values that survive any serialiser."""

    key: str  # "amr-003"; also the name of the trial's folder
    kind: Kind
    config: dict[str, Any]  # the TrialConfig as JSON


@runtime_checkable
class Queue(Protocol):
    """Where jobs come from and where their fates go. Called from one thread only."""

    def next(self) -> Job | Literal["wait"] | None:
        """The next job, "wait" while one that runs may make room for another, None when there will never be one."""

    def started(self, key: str) -> None: ...

    def reported(self, key: str, clips: int, metrics: dict[str, float]) -> bool:
        """True: stop this trial here."""

    def ended(self, key: str, state: State, reason: str) -> None: ...


class Bridge:
    """Keeps what the adapters share: which Tune trial is which job, and the first fault of our own code.

    Tune catches exceptions of searchers and callbacks and blames the trial; `guard` keeps the first one, `on_step_end`
    then ends the experiment and the driver raises it. `concurrent` bounds the trials at once, because a nested trial
    holds no resources of its own that Tune could count.
    """

    def __init__(self, queue: Queue, concurrent: int, payload: Callable[[Job], dict[str, Any]]):
        self.queue, self.concurrent, self.payload = queue, concurrent, payload
        self.keys: dict[str, str] = {}  # Tune's trial id -> key of the job, while it runs
        self.failures: dict[str, str] = {}
        self.stopped: set[str] = set()
        self.fault: BaseException | None = None
        self.searcher, self.scheduler, self.callback = Ask(self), Stop(self), Tell(self)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its experiment; the sweep never restores from that

    def guard(self, call: Callable[[], Any]) -> Any:
        try:
            return call() if self.fault is None else None
        except BaseException as fault:
            self.fault = fault
            return None


class Ask(Searcher):
    """Tune's searcher: hands out jobs one slot at a time."""

    def __init__(self, bridge: Bridge):
        self.bridge = bridge
        super().__init__()

    def suggest(self, trial_id: str) -> Any:
        bridge = self.bridge
        if len(bridge.keys) >= bridge.concurrent:
            return None
        job = bridge.guard(bridge.queue.next)
        if job == "wait":
            return None
        if job is None:
            return Searcher.FINISHED
        bridge.keys[trial_id] = job.key
        return bridge.payload(job)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The callback tells the end: only it sees the reason."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the state is in the study's database and the journal."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a sweep continues from its study and journal, never from Tune's pickles")


class Stop(FIFOScheduler):
    """Tune's scheduler: the queue says after each report whether the trial goes on, one question a report."""

    def __init__(self, bridge: Bridge):
        self.bridge = bridge
        super().__init__()

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        bridge = self.bridge
        key = bridge.keys.get(trial.trial_id)
        if key is None or result.get("done"):  # Tune repeats the last result of a function that has returned
            return str(TrialScheduler.CONTINUE)
        if FAILURE in result:
            bridge.failures[key] = str(result[FAILURE])
            return str(TrialScheduler.CONTINUE)
        metrics = {
            name.removeprefix(f"{METRICS}/"): value for name, value in result.items() if name.startswith(METRICS)
        }
        if bridge.guard(lambda: bridge.queue.reported(key, int(result[CLIPS]), metrics)):
            bridge.stopped.add(key)
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)


class Tell(Callback):
    """Tune's callback: tells the queue how each job began and ended, and ends the experiment on a fault of our own."""

    def __init__(self, bridge: Bridge):
        self.bridge = bridge

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if key := self.bridge.keys.get(trial.trial_id):
            self.bridge.guard(lambda: self.bridge.queue.started(key))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if (key := self.bridge.keys.pop(trial.trial_id, None)) is None:
            return
        failure = self.bridge.failures.pop(key, None)
        state: State = "pruned" if key in self.bridge.stopped else "failed" if failure is not None else "complete"
        self.bridge.guard(lambda: self.bridge.queue.ended(key, state, failure or ""))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if key := self.bridge.keys.pop(trial.trial_id, None):
            lines = str(trial.get_error() or "the worker process died").strip().splitlines()
            self.bridge.guard(lambda: self.bridge.queue.ended(key, "failed", lines[-1]))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self.bridge.fault is not None:
            raise RuntimeError("the sweep's own code failed") from self.bridge.fault

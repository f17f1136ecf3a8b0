"""One Optuna study a method, told the truth: stopped early is PRUNED, a number that is none is FAIL, nothing is left
RUNNING by a sweep that ended, and no configuration is trained twice. Plain objects; knows nothing of Ray.

All state lies in the study database: who was killed builds Studies again and goes on. The sampler is made anew for
each question and seeded by the question's number, so an interrupted search asks the same questions as one in one go.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Literal

from optuna.pruners import SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState

from skelray.errors import BadInput
from skelray.sweep import purse, study
from skelray.sweep.budget import Prices
from skelray.sweep.config import Plan
from skelray.sweep.ticket import State, Ticket
from skelray.trial_config import TrialConfig

ASKS = 50  # questions in a row without a new, buildable answer after which a space counts as exhausted
MODELLED = 10  # of these, how many may come from the model
KEY, CONFIG, HASH, REASON, STOP = "key", "config", "hash", "reason", "stop"  # user attributes of a trial handed out
BASELINE, REJECTED, LOST, EXHAUSTED = "baseline", "rejected", "lost", "exhausted"

_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True, slots=True)
class _Handed:
    """Where a trial handed out lies in the database."""

    method: str
    number: int  # Optuna's, which counts rejected draws too
    id: int
    config: TrialConfig


class Studies:
    """The search of a plan. `storage`: any SQLAlchemy URL; for SQLite one process alone may use it at a time.

    `prices` are needed where the budget is in FLOPs or seconds. Raises BadInput when the database cannot be opened or
    holds the search of another plan of that name.
    """

    def __init__(self, plan: Plan, storage: str, prices: Prices | None = None):
        self.plan = plan
        self._purse = purse.of(plan, prices)
        self._storage = study.open_storage(storage)
        reduction = plan.sweep.budget.reduction
        self._pruner = SuccessiveHalvingPruner(min_resource=self._purse.first_rung, reduction_factor=reduction)
        self._studies = {m: study.open_study(plan, m, self._storage, storage) for m in plan.spaces}
        self._handed: dict[str, _Handed] = {}  # by key
        self._interrupted: list[str] = []
        for method in plan.spaces:
            self._take_up(method)

    def ask(self) -> Ticket | None:
        """The next trial: an interrupted one, else a new one of the method with the fewest; None: all are out."""
        if self._interrupted:
            return self._ticket(self._interrupted.pop(0), resumed=True)
        while self._open:
            method = min(self._open, key=self._count)
            if ticket := self._draw(method):
                return ticket
        return None

    def observe(self, key: str, clips: int, value: float | None, used: float | None = None) -> bool:
        """The objective of a trial after so many clips seen; True: stop it. Repeated reports change nothing."""
        trial = self._frozen(key)
        if trial.state.is_finished():
            return True
        known, handed = trial.intermediate_values, self._handed[key]
        now, trial_id = self._purse.clock(handed.method, trial, handed.config, clips), handed.id
        for name, told in self._purse.so_far(trial, handed.config, clips, used).items():
            self._storage.set_trial_user_attr(trial_id, name, told)
        if value is None or not math.isfinite(value):
            self._storage.set_trial_user_attr(trial_id, REASON, f"the objective is {value} at {clips} clips")
            return True
        if known and now < max(known):
            return False
        if now not in known:
            self._storage.set_trial_intermediate_value(trial_id, now, value)
        # a report that was stored but not judged (killed in between) is judged now; a verdict is never taken back
        stop = trial.user_attrs.get(STOP, False) or self._is_beaten(key, clips)
        if stop:
            self._storage.set_trial_user_attr(trial_id, STOP, True)
        return bool(stop)

    def finish(
        self, key: str, state: State, value: float | None = None, reason: str = "", used: float | None = None
    ) -> State:
        """The end of a trial; returns what the study was told: a trial without a finite number has failed.

        `used`: of a budget in FLOPs or seconds; None: as planned for as far as the trial came.
        """
        trial = self._frozen(key)
        if trial.state.is_finished():
            return _STATES[trial.state]
        for name, told in self._purse.receipt(self._handed[key].method, trial, state, used).items():
            self._storage.set_trial_user_attr(self._handed[key].id, name, told)
        if reason:
            self._storage.set_trial_user_attr(self._handed[key].id, REASON, reason)
        elif state == "complete" and (value is None or not math.isfinite(value)):
            self._storage.set_trial_user_attr(self._handed[key].id, REASON, f"the objective is {value} at the end")
        search, number = self._studies[self._handed[key].method], self._handed[key].number
        if state == "complete" and value is not None and math.isfinite(value):
            search.tell(number, value)
        elif state == "pruned" and trial.intermediate_values and REASON not in trial.user_attrs:
            search.tell(number, state=TrialState.PRUNED)
        else:
            search.tell(number, state=TrialState.FAIL)
        return _STATES[self._frozen(key).state]

    def ranked(self, method: str) -> list[Ticket]:
        """The method's complete trials, best first."""
        sign = -1 if self.plan.sweep.objective.mode == "max" else 1
        found = [t for t in self._trials(method) if t.state == TrialState.COMPLETE]
        return [self._ticket(t.user_attrs[KEY]) for t in sorted(found, key=lambda t: (sign * (t.value or 0), t.number))]

    def best(self, method: str) -> Ticket | None:
        """The best of the method's complete trials."""
        return next(iter(self.ranked(method)), None)

    def state(self, key: str) -> State | Literal["running"]:
        """What became of a trial so far."""
        return _STATES.get(self._frozen(key).state, "running")

    def states(self) -> dict[str, State | Literal["running"]]:
        """What became of each trial handed out so far."""
        return {key: self.state(key) for key in self._handed}

    def reason(self, key: str) -> str:
        """Why a trial failed, as far as it was told."""
        return str(self._frozen(key).user_attrs.get(REASON, ""))

    def counts(self) -> dict[str, int]:
        """How many trials are planned, complete, pruned, failed, running, and left to hand out (again)."""
        states = list(self.states().values())
        counts = {name: states.count(name) for name in ("complete", "pruned", "failed", "running")}
        new = sum(self._purse.to_come(method, self._trials(method)) for method in self._open)
        counts["running"] -= len(self._interrupted)
        return {"planned": len(self._handed) + new, **counts, "left": new + len(self._interrupted)}

    @property
    def done(self) -> bool:
        """Whether every planned trial has ended."""
        counts = self.counts()
        return not counts["left"] and not counts["running"]

    @property
    def waits(self) -> bool:
        """Whether there may be more trials once those that run have ended."""
        return self._purse.may_grow() and self.counts()["running"] > 0

    def final(self, ticket: Ticket) -> TrialConfig:
        """A trial as the finals train it: under the budget of one whole trial."""
        return self._purse.final(ticket.config, self._trials(ticket.method))

    @property
    def notes(self) -> list[str]:
        """Sentences about spaces that held fewer trials than were planned."""
        return [text for search in self._studies.values() if (text := search.user_attrs.get(EXHAUSTED))]

    @property
    def _open(self) -> list[str]:
        short = [method for method in self._studies if self._purse.to_come(method, self._trials(method))]
        return [method for method in short if EXHAUSTED not in self._studies[method].user_attrs]

    def _count(self, method: str) -> int:
        return sum(one.method == method for one in self._handed.values())

    def _draw(self, method: str) -> Ticket | None:
        search, reasons = self._studies[method], dict[str, None]()
        before = self._trials(method)
        seen = {trial.user_attrs[HASH]: trial.user_attrs[KEY] for trial in before}
        for attempt in range(ASKS):
            asked = sum(trial.state != TrialState.WAITING for trial in search.get_trials(deepcopy=False))
            # a model that likes what is taken would propose it for ever: after some refusals draw at random
            search.sampler = study.sampler(self.plan, method, asked, at_random=attempt >= MODELLED)
            trial = search.ask()
            try:
                config = self.plan.trial(method, self.plan.spaces[method].draw(trial))
                digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()  # of whatever length
                if digest in seen:
                    raise BadInput(f"the same configuration as {seen[digest]}")
                config, kept = self._purse.length(method, config, before)
            except (BadInput, ValueError) as error:
                refusal = str(error)
                trial.set_user_attr(REJECTED, refusal)
                search.tell(trial, state=TrialState.FAIL)
                reasons[refusal] = None
                continue
            key = f"{method}-{self._count(method):03d}"
            for name, told in {CONFIG: config.model_dump_json(), HASH: digest, **kept}.items():
                trial.set_user_attr(name, told)
            trial.set_user_attr(KEY, key)  # last: from here on it counts as handed out
            self._handed[key] = _Handed(method, trial.number, trial._trial_id, config)
            return self._ticket(key)
        done = f"{self._count(method)} of {self.plan.trials(method)} trials"
        said = f"{method}: space exhausted after {done}; {ASKS} draws gave nothing new ({list(reasons)[-1]})"
        search.set_user_attr(EXHAUSTED, said)
        return None

    def _take_up(self, method: str) -> None:
        """Make the study what an earlier process left: trials to resume, baselines to try, nothing RUNNING unowned."""
        search, known = self._studies[method], set[int]()
        for trial in search.get_trials(deepcopy=False):
            key = trial.user_attrs.get(KEY)
            if key:
                config = TrialConfig.model_validate_json(trial.user_attrs[CONFIG])
                self._handed[key] = _Handed(method, trial.number, trial._trial_id, config)
            if trial.state == TrialState.RUNNING and key:
                self._interrupted.append(key)
            elif trial.state == TrialState.RUNNING:  # killed between the question and the answer
                self._storage.set_trial_user_attr(trial._trial_id, LOST, True)
                search.tell(trial.number, state=TrialState.FAIL)
                continue
            if LOST not in trial.user_attrs:
                known.add(trial.user_attrs.get(BASELINE, -1))
        space = self.plan.spaces[method]
        for index, point in enumerate(space.points):
            if index not in known:
                search.enqueue_trial(space.labels(point), user_attrs={BASELINE: index})

    def _is_beaten(self, key: str, clips: int) -> bool:
        """Successive halving; a trial at its full length has nothing left to save, a listed one is wanted whole."""
        handed, trial = self._handed[key], self._frozen(key)
        train, method = handed.config.train, handed.method
        full = train.clips is not None and clips >= max(1, train.clips // train.batch) * train.batch
        if full or self.plan.sweep.only_points or not self._pruner.prune(self._studies[method], trial):
            return False
        return self._purse.frees(method, trial, handed.config, clips, self._trials(method))

    def _trials(self, method: str) -> list[FrozenTrial]:
        return [t for t in self._studies[method].get_trials(deepcopy=False) if KEY in t.user_attrs]

    def _frozen(self, key: str) -> FrozenTrial:
        return self._storage.get_trial(self._handed[key].id)

    def _ticket(self, key: str, resumed: bool = False) -> Ticket:
        trial, handed = self._frozen(key), self._handed[key]
        value = trial.value if trial.state == TrialState.COMPLETE else None
        return Ticket(key, handed.method, int(key.rpartition("-")[2]), handed.config, resumed, value)

"""A sweep's runs in MLflow, written so that writing again adds nothing: runs are found by tag, points by step."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from skelray.dotted import Conditions, existing, text
from skelray.events import Ended, Event, Reported, Started

EXPERIMENT = "skelray"
SweepState = Literal["complete", "stopped", "failed"]

# A call gives up soon, for the caller keeps what it could not write and comes back to it; no line is printed for each
# run that ends, for that would tear the live table.
_MANNERS = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # whose lock file lies in this folder is no matter of a model
}
_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "stopped": "KILLED", "failed": "FAILED"}
_OVER = ("complete", "pruned", "failed")


def mannered(**more: str) -> None:
    """Settings of MLflow, to be made before it is imported."""
    os.environ.update(_MANNERS | more)
    for talkative in ("alembic", "mlflow.store.db.utils", "mlflow.pyfunc"):  # making a new database is no news
        logging.getLogger(talkative).setLevel(logging.WARNING)


def client(uri: str, timeout: int) -> Any:
    """An MlflowClient that gives a call up after `timeout` seconds without an answer, and sends no telemetry."""
    mannered(MLFLOW_HTTP_REQUEST_TIMEOUT=str(timeout))
    from mlflow import MlflowClient  # a second to import: not paid with --tracking-uri none

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@dataclass
class _Child:
    run: str
    state: str
    known: set[tuple[str, int]] | None  # (metric, step) that are written; None: not asked yet


@dataclass
class Runs:
    """One sweep in MLflow. Every method may be called again after it failed half-way. Raises MLflow's exceptions."""

    uri: str
    name: str
    tags: Mapping[str, str]  # on every run; skelray.id tells this sweep from others of the same name
    conditions: Conditions = field(default_factory=dict)
    note: str = ""  # Markdown, shown on the parent's page

    def __post_init__(self) -> None:
        self._client = client(self.uri, timeout=15)
        self._experiment = ""
        self._parent = ""
        self._parent_state = ""
        self._children: dict[str, _Child] = {}
        self._now = 0.0  # of the newest event

    def write(self, events: Sequence[Event]) -> None:
        """Write events; reports in a row become one request a trial."""
        if events:
            self._found_parent(events[0].time)  # found stopped, it runs again
        reports: dict[str, list[Reported]] = {}
        for event in events:
            if isinstance(event, Reported):
                reports.setdefault(event.trial, []).append(event)
                continue
            self._points(reports)
            reports = {}
            self._begin(event) if isinstance(event, Started) else self._end(event)
        self._points(reports)

    def artifact(self, path: Path, under: str = "") -> None:
        """Put a file, or the files of a folder, with the parent run; the same name again is overwritten."""
        put = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        put(self._found_parent(), str(path), under or None)

    def at(self, trial: str) -> tuple[Any, str, str]:
        """Where a trial is: the client, the experiment's id and the run's."""
        return self._client, self._found_experiment(), self._must(trial).run

    def close(self, state: SweepState) -> None:
        """End the parent run; trials still running are marked stopped, to be taken up by the next start."""
        parent = self._found_parent()
        for trial in self._search("child"):
            if trial.info.status == "RUNNING":
                self._finish(trial.info.run_id, "stopped", "", self._now)
        self._children.clear()
        if self._parent_state != state:
            self._finish(parent, state, "", self._now)
            self._parent_state = state

    def _begin(self, event: Started) -> None:
        self._now = max(self._now, event.time)
        child = self._child(event.trial)
        if child is None:
            mine = {
                "mlflow.parentRunId": self._found_parent(),
                "skelray.trial": event.trial,
                "skelray.method": event.method,
                "skelray.kind": event.kind,
                "skelray.state": "running",
            }
            child = _Child(self._create(event.trial, mine, event.time), "running", set())
            self._children[event.trial] = child
        if child.state in _OVER:  # told again, or run again: an Ended that differs will say so
            return
        from mlflow.entities import Param

        found = existing(event.config, self.conditions.get(event.method, {}))
        written = [Param(key, text(value)) for key, value in {"seed": event.seed, **found}.items()]
        for start in range(0, len(written), 100):  # MLflow takes 100 a request
            self._client.log_batch(child.run, params=written[start : start + 100], synchronous=True)
        if child.state != "running":
            self._client.update_run(child.run, status="RUNNING")
            self._client.set_tag(child.run, "skelray.state", "running")
            child.state = "running"

    def _points(self, reports: Mapping[str, Sequence[Reported]]) -> None:
        from mlflow.entities import Metric

        for trial, told in reports.items():
            child = self._must(trial)
            if child.known is None:
                names = self._client.get_run(child.run).data.metrics
                child.known = {
                    (name, point.step) for name in names for point in self._client.get_metric_history(child.run, name)
                }
            fresh = {
                (name, event.clips): Metric(name, value, round(event.time * 1000), event.clips)
                for event in told
                for name, value in event.metrics.items()
                if (name, event.clips) not in child.known
            }
            points = list(fresh.values())
            for start in range(0, len(points), 1000):  # MLflow takes 1000 a request
                self._client.log_batch(child.run, metrics=points[start : start + 1000], synchronous=True)
            child.known.update(fresh)
            self._now = max(self._now, *(event.time for event in told))

    def _end(self, event: Ended) -> None:
        self._now = max(self._now, event.time)
        child = self._must(event.trial)
        if child.state != event.state:
            self._finish(child.run, event.state, event.reason, event.time)
            child.state = event.state

    def _finish(self, run: str, state: str, reason: str, when: float) -> None:
        if reason:
            self._client.set_tag(run, "skelray.reason", reason[:5000])
        self._client.set_tag(run, "skelray.state", state)
        self._client.set_terminated(run, _STATUS[state], end_time=round((when or time.time()) * 1000))

    def _must(self, trial: str) -> _Child:
        child = self._child(trial)
        if child is None:
            raise LookupError(f"the trial {trial!r} has no run in MLflow; send its Started first")
        return child

    def _child(self, trial: str) -> _Child | None:
        if trial not in self._children:
            for run in self._search("child", trial):
                self._children[trial] = _Child(run.info.run_id, run.data.tags.get("skelray.state", ""), None)
        return self._children.get(trial)

    def _found_parent(self, began: float | None = None) -> str:
        if not self._parent:
            for run in self._search("sweep"):
                self._parent, self._parent_state = run.info.run_id, run.data.tags.get("skelray.state", "")
            if not self._parent:
                mine = {"skelray.kind": "sweep", "skelray.state": "running", "mlflow.note.content": self.note}
                self._parent, self._parent_state = self._create(self.name, mine, began or time.time()), "running"
            elif self._parent_state in ("stopped", "failed"):  # the sweep goes on
                self._client.update_run(self._parent, status="RUNNING")
                self._client.set_tag(self._parent, "skelray.state", "running")
                self._parent_state = "running"
        return self._parent

    def _create(self, name: str, tags: dict[str, str], when: float) -> str:
        tags = {"skelray.sweep": self.name, "mlflow.source.name": "skelray.sweep", **self.tags, **tags}
        run = self._client.create_run(self._found_experiment(), round(when * 1000), tags, run_name=name)
        return str(run.info.run_id)

    def _search(self, what: Literal["sweep", "child"], trial: str | None = None) -> list[Any]:
        key, value = (
            ("skelray.id", self.tags["skelray.id"]) if "skelray.id" in self.tags else ("skelray.sweep", self.name)
        )
        wanted = f"tags.`{key}` = {_quoted(value)} and tags.`skelray.kind` {'=' if what == 'sweep' else '!='} 'sweep'"
        if trial is not None:
            wanted += f" and tags.`skelray.trial` = {_quoted(trial)}"
        found: list[Any] = []
        token: str | None = None
        while True:
            page = self._client.search_runs([self._found_experiment()], wanted, max_results=500, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def _found_experiment(self) -> str:
        if not self._experiment:
            known = self._client.get_experiment_by_name(EXPERIMENT)
            if known is None:
                place = None  # a server knows where its artifacts go
                if self.uri.startswith("sqlite:///"):
                    place = (Path(self.uri.removeprefix("sqlite:///")).parent / "mlartifacts").as_uri()
                self._experiment = str(self._client.create_experiment(EXPERIMENT, place))
            else:
                self._experiment = str(known.experiment_id)
        return self._experiment


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"

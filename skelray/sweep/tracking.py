"""MLflow beside a running sweep: a queue and a thread, so that training never waits for the page."""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import requests

from skelray.dotted import conditions
from skelray.errors import BadInput
from skelray.events import Ended, Event, Reported, Started
from skelray.results import Results
from skelray.sweep import mlflow_runs, models
from skelray.sweep.mlflow_runs import Runs, SweepState

NONE = "none"
_log = logging.getLogger("skelray.tracking")
_Action = Callable[[Runs], None]
_DATABASES = ("postgresql", "mysql", "mssql")
# Trying again cannot mend these; everything else (no answer, timeout, a locked database, 5xx) may pass.
_LASTING = {
    "BAD_REQUEST", "INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_DOES_NOT_EXIST", "PERMISSION_DENIED",
    "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "MALFORMED_REQUEST", "NOT_IMPLEMENTED",
}  # fmt: skip


def check(uri: str) -> str:
    """The URI to use from now on: "none", http(s), or a database with an absolute path. A new SQLite file is made.

    Raises BadInput within seconds when nothing answers there, when what answers is not MLflow, or when it is a folder
    (MLflow's old file store).
    """
    if uri == NONE:
        return uri
    scheme = uri.partition(":")[0].split("+")[0].lower()
    if scheme == "sqlite":
        path = Path(uri.partition("://")[2].removeprefix("/")).expanduser().resolve()
        if not path.parent.is_dir():
            raise BadInput(f"--tracking-uri {uri}: there is no folder {path.parent}")
        uri = f"sqlite:///{path}"
        _check_sqlite(path, uri)
    elif scheme not in ("http", "https", *_DATABASES):
        raise BadInput(
            f"--tracking-uri {uri}: neither sqlite:///FILE, http://HOST:PORT, nor none;"
            " MLflow keeps no runs in folders any more"
        )
    try:
        ours = mlflow_runs.client(uri, timeout=5).get_experiment_by_name(mlflow_runs.EXPERIMENT)
    except Exception as error:
        raise BadInput(
            f"--tracking-uri {uri}: no MLflow answers there ({_short(error)}); start one with"
            " `mlflow server --backend-store-uri sqlite:///mlflow.db`, or use --tracking-uri none"
        ) from error
    if ours is not None and ours.lifecycle_stage == "deleted":
        raise BadInput(
            f"--tracking-uri {uri}: the experiment {ours.name!r} was deleted there; bring it back with"
            f" `MLFLOW_TRACKING_URI={uri} mlflow experiments restore --experiment-id {ours.experiment_id}`"
        )
    return uri


def tags(results: Results) -> dict[str, str]:
    """The tags every run of this sweep carries, from its results folder."""
    environment = results.environment()
    git, data = environment.get("git", {}), environment.get("data", {})
    commit = f"{git['commit']}{' (dirty)' if git.get('dirty') else ''}" if git.get("commit") else "unknown"
    found = {
        "skelray.id": environment.get("id"),
        "skelray.data": data.get("fingerprint"),
        "skelray.commit": commit,
        "mlflow.source.git.commit": git.get("commit"),
    }
    return {key: str(value) for key, value in found.items() if value}


class Tracker:
    """Sends events to MLflow; sending never blocks and never raises, and the same event twice adds nothing.

    What a server that went away did not take is kept and written when it is back. `uri` is what check() returned.
    """

    def __init__(
        self, uri: str, name: str, tags: Mapping[str, str], sweep: Mapping[str, Any] | None = None, retry: float = 5.0
    ) -> None:
        """`tags` as tags() makes them; `sweep` is the sweep as run, for its question and its conditional dimensions."""
        self.uri, self._retry = uri, retry
        self._make = partial(_runs, uri, name, tags, sweep or {})
        self._queue: deque[Event | _Action] = deque()
        self._wake = threading.Condition()
        self._closing = self._giving_up = False
        self._told: set[str] = set()  # refusals, each told once
        self._thread: threading.Thread | None = None
        if uri != NONE:
            self._thread = threading.Thread(target=self._work, name="skelray-tracking", daemon=True)
            self._thread.start()

    def send(self, event: Event) -> None:
        """Queue one event and return. On a resume send the whole journal: what is already known is passed over."""
        self._put(event)

    def artifact(self, path: Path, under: str = "") -> None:
        """Queue a file, or the files of a folder, to lie with the parent run in the artifact folder `under`."""
        self._put(lambda runs: runs.artifact(Path(path), under))

    def model(self, trial: str, folder: Path) -> None:
        """Queue an MLflow model, as models.save() wrote it, to be logged with the run of a final."""

        def log(runs: Runs) -> None:
            models.log_model(runs, trial, folder)

        self._put(log)

    def close(self, state: SweepState, timeout: float = 30.0) -> bool:
        """Wait until all is written and end the parent run; False, after a warning, when the server stayed away."""
        if self._thread is None:
            return True
        self._put(lambda runs: runs.close(state))
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join(timeout)
        with self._wake:
            self._giving_up = True
            self._wake.notify_all()
        if left := len(self._queue):
            _log.warning("%d entries did not reach MLflow at %s; `skelray track` writes them later", left, self.uri)
        return not left

    def _put(self, item: Event | _Action) -> None:
        with self._wake:
            if self._thread is not None and not self._closing:
                self._queue.append(item)
                self._wake.notify_all()

    def _work(self) -> None:
        runs: Runs | None = None
        away, most = False, 500
        while stretch := self._next(most):
            try:
                runs = runs or self._make()
                runs.write(stretch) if isinstance(stretch, list) else stretch(runs)
            except Exception as error:
                if _passes(error):
                    if not away:
                        _log.warning("MLflow at %s does not answer; all is kept until it does", self.uri)
                    away = True
                    self._rest()
                    continue
                if isinstance(stretch, list) and len(stretch) > 1:  # find the one, keep the others
                    most = 1
                    continue
                self._refused(_short(error))
            if away:
                _log.warning("MLflow at %s is back", self.uri)
                away = False
            with self._wake:
                for _ in stretch if isinstance(stretch, list) else [stretch]:
                    self._queue.popleft()

    def _refused(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            _log.warning("MLflow at %s refused an entry, which is left out: %s", self.uri, why)

    def _next(self, most: int) -> list[Event] | _Action | None:
        """What to write next, still in the queue: one action, or reports in a row; None when closed and empty."""
        with self._wake:
            self._wake.wait_for(lambda: self._queue or self._closing)
            if not self._queue or self._giving_up:
                return None
            first = self._queue[0]
            if not isinstance(first, Reported):
                return [first] if isinstance(first, Started | Ended) else first
            reports: list[Event] = []
            for item in islice(self._queue, most):
                if not isinstance(item, Reported):
                    break
                reports.append(item)
            return reports

    def _rest(self) -> None:
        """Wait before the next try."""
        with self._wake:
            self._wake.wait_for(lambda: self._giving_up, self._retry)


def track(results: Results, uri: str) -> None:
    """Write a finished results folder into MLflow, once: a second time adds nothing. Raises BadInput."""
    events, sweep = results.events(), results.sweep()
    uri = check(uri)
    runs = _runs(uri, results.folder.resolve().name, tags(results), sweep)
    try:
        runs.write(events)
        for path in (results.folder / name for name in ("best.yaml", "report.html", "report.md", "figures")):
            if path.exists():
                runs.artifact(path, path.name if path.is_dir() else "")
        for trial, folder in models.keep(results).items():
            models.log_model(runs, trial, folder)
        runs.close("complete" if (results.folder / "best.yaml").exists() else "stopped")
    except Exception as error:
        if not _passes(error):
            raise
        raise BadInput(f"{uri}: MLflow went away ({_short(error)}); the same command again goes on") from error


def _runs(uri: str, name: str, tags: Mapping[str, str], sweep: Mapping[str, Any]) -> Runs:
    told = [f"**{key}** {sweep[key]}" for key in ("question", "expected", "price") if sweep.get(key)]
    return Runs(uri, name, tags, conditions(sweep), note="\n\n".join(told))


def _check_sqlite(path: Path, uri: str) -> None:
    try:
        with sqlite3.connect(path, timeout=5) as database:
            database.execute("BEGIN IMMEDIATE")  # writable, and a database at all
            known = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    except sqlite3.Error as error:
        raise BadInput(f"--tracking-uri {uri}: not a database that can be written ({error})") from error
    if known and "alembic_version" not in known:
        raise BadInput(f"--tracking-uri {uri}: a database, but not MLflow's; choose another file")


def _passes(error: Exception) -> bool:
    """Whether trying again may help."""
    if isinstance(error, requests.RequestException):  # artifacts go by plain requests
        return error.response is None or error.response.status_code >= 500
    code = getattr(error, "error_code", None)
    return code is not None and code not in _LASTING


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 200 else text[:197] + "..."

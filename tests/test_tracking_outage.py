"""MLflow beside a sweep when it does not answer or refuses an entry: nothing else is lost."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from tracked_runs import TAGS, expected, runs, small, written
from tracked_runs import fresh as fresh
from tracked_runs import uri as uri

from skelray.events import Ended, Event, Reported
from skelray.sweep.tracking import Tracker


class Unsteady:
    """Stands before the real writer and fails as long as it is told to."""

    def __init__(self, real: Any, failure: Callable[[Any], Exception | None]) -> None:
        self.real, self.failure = real, failure

    def write(self, events: list[Event]) -> None:
        if error := self.failure(events):
            raise error
        self.real.write(events)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def unsteady(tracker: Tracker, failure: Callable[[Any], Exception | None]) -> None:
    make = tracker._make
    tracker._make = lambda: Unsteady(make(), failure)  # type: ignore[assignment,return-value]


def test_an_outage_loses_nothing(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    told, away, tried = small(), threading.Event(), threading.Event()
    away.set()

    def failure(_: Any) -> Exception | None:
        tried.set()
        return MlflowException("no answer") if away.is_set() else None

    with caplog.at_level(logging.WARNING, logger="skelray.tracking"):
        tracker = Tracker(uri, "made-up", TAGS, retry=0.02)
        unsteady(tracker, failure)
        for event in told:
            tracker.send(event)
        assert tried.wait(30)
        away.clear()
        assert tracker.close("complete")
    assert written(uri) == expected(told)
    assert [record.getMessage().rpartition("mlflow.db ")[2] for record in caplog.records] == [
        "does not answer; all is kept until it does",
        "is back",
    ]


def test_a_refused_entry_costs_itself_alone(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    told = small()
    bad = next(event for event in told if isinstance(event, Reported) and event.clips == 12000)

    def failure(events: Any) -> Exception | None:
        refused = bad in events
        return MlflowException("a bad metric", error_code=INVALID_PARAMETER_VALUE) if refused else None

    with caplog.at_level(logging.WARNING, logger="skelray.tracking"):
        tracker = Tracker(uri, "made-up", TAGS)
        unsteady(tracker, failure)
        for event in told:
            tracker.send(event)
        assert tracker.close("complete")
    assert written(uri) == expected([event for event in told if event is not bad])
    assert sum("a bad metric" in record.getMessage() for record in caplog.records) == 1


def test_a_server_that_stays_away_does_not_hold_the_end_up(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="skelray.tracking"):
        tracker = Tracker(uri, "made-up", TAGS, retry=60.0)
        unsteady(tracker, lambda events: MlflowException("no answer"))
        tracker.send(small()[0])
        began = time.monotonic()
        assert not tracker.close("complete", timeout=0.2)
        assert time.monotonic() - began < 20
    assert "`skelray track` writes them later" in caplog.text
    tracker.send(small()[0])  # after the end: nothing happens
    assert tracker._thread is not None
    tracker._thread.join(30)
    assert not tracker._thread.is_alive()


def test_every_event_type_is_known_to_the_writer(uri: str) -> None:
    """A report whose trial never started is refused in words, and the sweep goes on."""
    tracker = Tracker(uri, "made-up", TAGS)
    tracker.send(Reported(trial="ghost", clips=1, metrics={"val/linear": 0.1}, time=1.0))
    tracker.send(Ended(trial="ghost", state="complete", time=2.0, seconds=1.0))
    tracker.send(small()[0])
    assert tracker.close("stopped")
    assert set(runs(uri)) == {"made-up", "amr-000"}

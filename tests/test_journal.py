"""Events and journal: what went in comes out, and no torn line is believed."""

import math
import os
from pathlib import Path

import pytest
from one_trial_events import BEGUN, over, point

from skelray.errors import BadInput
from skelray.events import Event, Journal, Reported, fold


def test_a_journal_returns_what_was_appended_also_to_another_reader(tmp_path: Path) -> None:
    told: list[Event] = [BEGUN, point(1000, train_loss=math.inf), over()]
    journal = Journal(tmp_path / "runs" / "x" / "journal.jsonl")
    assert journal.read() == []
    for number, event in enumerate(told, start=1):
        journal.append(event)
        assert Journal(journal.path).read() == told[:number]


def test_an_event_is_on_the_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr("skelray.events.os.fsync", lambda handle: sizes.append(os.fstat(handle).st_size))
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(BEGUN)
    assert sizes == [journal.path.stat().st_size]


def test_a_metric_that_is_not_a_number_survives_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(BEGUN)
    journal.append(point(1000, train_loss=math.nan))
    (found,) = journal.read()[1:]
    assert isinstance(found, Reported)
    assert math.isnan(found.metrics["train/loss"])


@pytest.mark.parametrize("left", [1, 20, 60])
def test_a_torn_last_line_is_left_out_and_does_not_swallow_the_next(tmp_path: Path, left: int) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(BEGUN)
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + point(1000, val_linear=0.5).model_dump_json().encode()[:left])
    assert journal.read() == [BEGUN]
    Journal(journal.path).append(over())
    assert journal.read() == [BEGUN, over()]


def test_a_bad_line_in_the_middle_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(BEGUN)
    journal.path.write_bytes(journal.path.read_bytes() + b'{"event": "exploded"}\n')
    journal.append(over())
    with pytest.raises(BadInput, match=r"journal\.jsonl:2: not an event"):
        journal.read()


def test_of_two_reports_at_the_same_clips_the_later_counts_and_a_resumed_trial_is_one() -> None:
    again = BEGUN.model_copy(update={"time": 200.0})
    told = [BEGUN, point(1000, val_linear=0.4), point(2000, val_linear=0.5), again, point(2000, 201.0, val_linear=0.6)]
    (trial,) = fold(told).values()
    assert trial.started.time == 100.5
    assert trial.ended is None
    assert (trial.clips, trial.last) == (2000, {"val/linear": 0.6})


def test_a_trial_started_after_its_end_is_open_again() -> None:
    assert fold([BEGUN, over("failed"), BEGUN])["amr-000"].ended is None


def test_an_event_of_a_trial_that_never_started_is_refused() -> None:
    with pytest.raises(BadInput, match="never started"):
        fold([over()])

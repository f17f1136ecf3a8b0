"""What the driver keeps of a search: study, journal and table agree, also after a kill. No Ray."""

import pytest
from small_plan import make_plan
from small_plan import record as record

from skelray.errors import BadInput
from skelray.sweep.record import Record
from skelray.sweep.search import Studies
from skelray.sweep.search_queue import SearchQueue


def run(queue: SearchQueue, key: str, *values: float) -> None:
    queue.started(key)
    for number, value in enumerate(values, start=1):
        queue.reported(key, 300 * number, {"val/linear": value, "train/loss": 1.0})


def searching(tmp_path, record, plan=None) -> SearchQueue:
    return SearchQueue(Studies(plan or make_plan(methods=("amr",)), f"sqlite:///{tmp_path}/study.db"), record)


def test_a_search_trial_ends_in_the_study_the_journal_and_the_table(tmp_path, record):
    queue = searching(tmp_path, record)
    key = queue.next().key
    run(queue, key, 0.4, 0.6, 0.5)
    queue.ended(key, "complete", "")
    (row,) = record.results.trials().to_dict("records")
    assert (row["trial"], row["state"], row["value"], row["clips"]) == ("amr-000", "complete", 0.5, 900)
    again = Studies(make_plan(methods=("amr",)), f"sqlite:///{tmp_path}/study.db")
    assert again.best("amr").value == 0.5


def test_an_objective_that_is_no_number_is_a_failed_trial_with_the_reason(tmp_path, record):
    queue = searching(tmp_path, record)
    key = queue.next().key
    queue.started(key)
    assert queue.reported(key, 300, {"val/linear": float("nan")})  # stopped at once
    queue.ended(key, "pruned", "")
    (row,) = record.results.trials().to_dict("records")
    assert row["state"] == "failed"
    assert row["reason"] == "val/linear is nan after 300 clips"


def test_a_kill_between_study_and_journal_is_mended_and_the_trial_is_not_run_again(tmp_path, record):
    queue = searching(tmp_path, record)
    key = queue.next().key
    run(queue, key, 0.4, 0.5, 0.6)
    queue._studies.finish(key, "complete", 0.6)  # here the driver dies
    after = searching(tmp_path, record)
    after.mend()
    assert record.trials()[key].ended.state == "complete"
    assert record.trials()[key].ended.time == record.events[-2].time  # not when it was taken up again
    assert after.next().key == "amr-001"
    assert after.next() is None


def test_a_failure_that_only_the_study_knows_is_mended_with_its_reason(tmp_path, record):
    queue = searching(tmp_path, record)
    key = queue.next().key
    run(queue, key, 0.4)
    queue._studies.finish(key, "failed", reason="the disk is full")  # here the driver dies
    searching(tmp_path, record).mend()
    assert record.trials()[key].ended.reason == "the disk is full"


def test_studies_whose_trials_the_journal_does_not_know_are_refused(tmp_path, record):
    queue = searching(tmp_path, record)
    key = queue.next().key
    run(queue, key, 0.4, 0.5, 0.6)
    queue.ended(key, "complete", "")
    record.journal.path.unlink()
    anew = Record(record.journal, record.results, record.tracker, record.screen, record.objective)
    with pytest.raises(BadInput, match="not of one sweep"):
        searching(tmp_path, anew).mend()


def test_an_interrupted_trial_comes_first_under_its_own_key_and_its_time_adds_up(tmp_path, record, monkeypatch):
    now = iter(range(0, 1000, 10))
    monkeypatch.setattr("skelray.sweep.record.time.time", lambda: float(next(now)))
    queue = searching(tmp_path, record)
    key = queue.next().key
    run(queue, key, 0.4, 0.5)  # started at 0, reports at 10 and 20, then the driver dies
    after = searching(tmp_path, record)
    after.mend()
    assert after.next().key == key
    after.started(key)  # at 30
    after.reported(key, 600, {"val/linear": 0.5})  # told again
    after.reported(key, 900, {"val/linear": 0.7})  # at 50
    after.ended(key, "complete", "")  # at 60
    (row,) = record.results.trials().to_dict("records")
    assert row["seconds"] == 20 + 30
    assert row["value"] == 0.7
    assert len(record.results.history()) == 3 + 2  # three points of val/linear, two of train/loss: none twice

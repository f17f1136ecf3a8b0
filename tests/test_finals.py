"""What comes after the search, and what the driver keeps of a search: queues, record, folders. No Ray."""

import io
import json

import pytest
from conftest import REPOSITORY
from rich.console import Console

from skelray.errors import BadInput
from skelray.events import Ended, Journal, Reported, Started, Trial
from skelray.results import Results
from skelray.sweep import driver, finals, tracking
from skelray.sweep.config import Plan, SweepConfig
from skelray.sweep.finals import FinalQueue
from skelray.sweep.live import Screen
from skelray.sweep.places import Places
from skelray.sweep.preflight import Machine
from skelray.sweep.record import Record
from skelray.sweep.search import Studies, Ticket
from skelray.sweep.search_queue import SearchQueue
from skelray.sweep.space import SearchSpace

SMALL = {"method.encoder.width": 8, "method.encoder.heads": 1, "method.encoder.depth": 1, "train.batch": 10}


def make_plan(trials: int = 2, methods=("amr", "mamp"), top: int = 1, seeds: int = 2, clips: int = 900) -> Plan:
    sweep = SweepConfig(
        question="?", price="?", expected="?", spaces=list(methods), trial={**SMALL, "train.clips": clips}, seed=4,
        budget={"trials": trials, "grace": 100, "reduction": 3}, final={"top": top, "seeds": seeds},
    )  # fmt: skip
    ratio = {"method.mask_ratio": {"kind": "float", "low": 0.8, "high": 0.95}}
    spaces = {method: SearchSpace(method=method, search=ratio) for method in methods}
    return Plan(name="test", sweep=sweep, spaces=spaces, dropped=[])


class Ranking:
    """A search that is over: so many complete trials a method, the later the better."""

    def __init__(self, plan: Plan, **complete: int):
        self.tickets = {
            method: [
                Ticket(
                    f"{method}-{number:03d}",
                    method,
                    number,
                    plan.trial(method, {"method.mask_ratio": 0.8 + number / 100}),
                )
                for number in reversed(range(count))
            ]
            for method, count in complete.items()
        }

    def ranked(self, method: str) -> list[Ticket]:
        return self.tickets[method]


@pytest.fixture
def record(tmp_path) -> Record:
    results = Results(tmp_path / "results")
    results.create({"name": "test"}, {"data": {}})
    screen = Screen("test", 4, "val/linear", "max", console=Console(file=io.StringIO()))
    return Record(
        Journal(tmp_path / "journal.jsonl"), results, tracking.Tracker("none", "test", {}), screen, "val/linear"
    )


def test_each_method_s_best_is_trained_with_each_seed_and_a_floor_stands_beside_it():
    plan = make_plan()
    found = finals.jobs(plan, Ranking(plan, amr=3, mamp=2))
    assert [job.key for job in found] == [
        "amr-002-seed-5", "amr-002-seed-6", "mamp-001-seed-5", "mamp-001-seed-6",
        "amr-floor-seed-5", "amr-floor-seed-6", "mamp-floor-seed-5", "mamp-floor-seed-6",
    ]  # fmt: skip
    assert len(found) == finals.count(plan)
    first = found[0].config
    assert first["seed"] == 5
    assert first["method"]["mask_ratio"] == pytest.approx(0.82)
    assert {job.config["seed"] for job in found}.isdisjoint({plan.sweep.seed})  # none is the seed that chose


def test_a_final_that_ended_is_not_run_again_and_an_interrupted_one_is():
    plan = make_plan(methods=("amr",), seeds=1)
    search = Ranking(plan, amr=1)
    (final, floor) = finals.jobs(plan, search)
    begun = Started(trial=final.key, method="amr", kind="final", seed=5, config=final.config, time=1.0)
    over = Ended(trial=final.key, state="complete", time=2.0, seconds=1.0)
    assert finals.jobs(plan, search, {final.key: Trial(begun, over)}) == [floor]
    assert finals.jobs(plan, search, {final.key: Trial(begun)}) == [final, floor]


def test_no_seeds_no_finals_and_more_places_more_of_them():
    plan = make_plan(seeds=0)
    assert finals.jobs(plan, Ranking(plan, amr=1, mamp=1)) == []
    plan = make_plan(methods=("amr",), top=2, seeds=1)
    assert [job.key for job in finals.jobs(plan, Ranking(plan, amr=3))] == [
        "amr-002-seed-5", "amr-001-seed-5", "amr-floor-seed-5",
    ]  # fmt: skip


def test_a_method_without_a_complete_trial_has_no_finals():
    plan = make_plan(seeds=1)
    assert {job.config["method"]["name"] for job in finals.jobs(plan, Ranking(plan, amr=0, mamp=1))} == {"mamp"}


def test_finals_are_recorded_by_kind_and_lie_in_their_own_table(record):
    plan = make_plan(methods=("amr",), seeds=1)
    queue = FinalQueue(finals.jobs(plan, Ranking(plan, amr=1)), record)
    while job := queue.next():
        queue.started(job.key)
        assert not queue.reported(job.key, 900 * (job.kind == "final"), {"test/linear": 0.5})
        queue.ended(job.key, "complete", "")
    table = record.results.finals()
    assert list(table["kind"]) == ["final", "floor"]
    assert list(table["test/linear"]) == [0.5, 0.5]
    assert record.results.trials().empty


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


def test_the_line_of_an_end_tells_counts_best_and_rest():
    out = io.StringIO()
    screen = Screen("test", 4, "val/linear", "max", console=Console(file=out, width=300))
    events = []
    for key, value in (("amr-000", 0.5), ("amr-001", 0.75)):
        for event in (
            Started(trial=key, method="amr", seed=0, config={}, time=0.0),
            Reported(trial=key, clips=900, metrics={"val/linear": value, "train/loss": 9.0}, time=1.0),
            Ended(trial=key, state="complete", time=60.0, seconds=60.0),
        ):
            events.append(event)
            screen.show(event, events)
    last = out.getvalue().splitlines()[-1]
    assert "amr-001 complete after 60 s and 900 clips: val/linear 0.7500" in last
    assert "2 complete, 0 running, 0 pruned, 0 failed of 4" in last
    assert "best val/linear 0.7500 (amr-001)" in last
    assert "about 2 min 00 s left" in last


def test_a_terminal_shows_every_running_trial():
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=True)
    with Screen("test", 2, "val/linear", "max", console=console) as screen:
        event = Started(trial="amr-000", method="amr", seed=0, config={}, time=0.0)
        screen.show(event, [event])
    assert "amr-000" in out.getvalue()
    assert "1 running" in out.getvalue()


def test_two_drivers_on_one_folder_refuse(tmp_path):
    places = Places.of("one", tmp_path / "results")
    with places.alone(), pytest.raises(BadInput, match="another process"), places.alone():
        pass
    with places.alone():  # and a lock that was left is free
        pass


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0b"])
def test_a_sweep_s_name_is_a_plain_folder_name(name, tmp_path):
    with pytest.raises(BadInput, match="plain folder name"):
        Places.of(name, tmp_path)


def test_results_whose_runs_are_gone_are_not_written_over(tmp_path):
    places = Places.of("one", tmp_path / "results")
    places.results.mkdir(parents=True)
    (places.results / "trials.parquet").touch()
    with pytest.raises(BadInput, match="is gone"):
        places.refuse_half()
    assert not places.is_finished()
    (places.results / "best.yaml").touch()
    (places.results / "report.md").touch()
    assert places.is_finished()  # brought from elsewhere
    places.runs.mkdir(parents=True)
    places.journal.touch()
    assert not places.is_finished()  # killed before the tracking server had all
    places.finished.touch()
    assert places.is_finished()


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["resources.workers=4096"], "4096 worker(s)"),
        (["resources.gpus=99"], "resources.gpus"),
        (["data.store=nowhere"], "nowhere"),
        (["trian.clips=3"], "did you mean"),
        (["method.mask_ratio=many"], "mask_ratio"),
        (["data.split=foo"], 'cannot be split by "foo"'),
        (["data.val_subjects=500"], "cannot hold out 500"),
        (["train.batch=100000"], "do not fit into an epoch"),
        (["resources.workers=4095", "train.batch=64"], "4095 worker(s)"),  # the cores first, the batch second
    ],
)
def test_bad_input_is_refused_before_anything_is_made(tmp_path, monkeypatch, sets, told):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path / "stores"))
    (tmp_path / "stores").mkdir()
    small = ["data.store=synthetic-small"] if not sets[0].startswith("data.store") else []
    with pytest.raises(BadInput) as caught:
        driver.sweep(REPOSITORY / "search_spaces/amr.yaml", sets=[*small, *sets])
    assert told in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["stores"]


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1", "ray://127.0.0.1:10001", "127.0.0.1:123456"])
def test_an_address_where_no_cluster_is_is_refused_before_anything_is_made(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path / "stores"))
    with pytest.raises(BadInput, match="--address"):
        driver.sweep(REPOSITORY / "search_spaces/amr.yaml", sets=["data.store=synthetic-small"], address=address)
    assert [path.name for path in tmp_path.iterdir()] == ["stores"]


def test_a_tracking_uri_that_does_not_answer_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path / "stores"))
    with pytest.raises(BadInput, match="--tracking-uri"):
        driver.sweep(
            REPOSITORY / "search_spaces/amr.yaml", sets=["data.store=synthetic-small"],
            tracking_uri="http://127.0.0.1:9",
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["stores"]


def test_the_payload_is_plain_json_with_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    payload = driver._payload(make_plan(), Places.of("one", tmp_path / "results"), {"store": "x", "fingerprint": "f"})
    assert json.loads(json.dumps(payload)) == payload
    assert all(payload[key].startswith("/") for key in ("directory", "trials", "ray", "ledger"))


def test_folders_that_cannot_be_made_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be written"), Places.of("one", tmp_path / "file" / "results").alone():
        pass
    with pytest.raises(BadInput, match="cannot be written"):
        Results(tmp_path / "file" / "one").create({"name": "one"}, {"data": {}})


def test_a_searched_batch_is_held_against_the_data_and_the_workers_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path / "stores"))
    batches = "method: mamp\nbase: {{train: {{batch: 64}}}}\nsearch: {{train.batch: {{kind: choice, values: {}}}}}\n"
    common = {"under": REPOSITORY / "sweeps/quick.yaml", "tracking_uri": "none"}
    (tmp_path / "space.yaml").write_text(batches.format([64, 100000]))
    with pytest.raises(BadInput, match="do not fit into an epoch"):
        driver.sweep(tmp_path / "space.yaml", sets=["data.store=synthetic-small"], **common)
    (tmp_path / "space.yaml").write_text(batches.format([64, 63]))
    two = ["data.store=synthetic-small", "resources.workers=2"]
    monkeypatch.setattr("skelray.sweep.preflight.here", lambda: Machine(2, 0, 16 << 30))
    with pytest.raises(BadInput, match="equal pieces"):
        driver.sweep(tmp_path / "space.yaml", sets=two, **common)


def test_the_recorded_command_holds_no_password(monkeypatch):
    monkeypatch.setattr("sys.argv", ["sweep", "a.yaml", "--storage", "postgresql://me:secret@host/db", "--name", "x"])
    command = driver._environment({"store": "x"})["command"]
    assert "secret" not in command
    assert "postgresql://me:***@host/db" in command

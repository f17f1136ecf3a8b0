"""What a trial used, in three units: counted, kept, read again from folders of every age, and told at the end."""

import io
import math
from pathlib import Path

import made_up_sweep as made_up
import pandas as pd
import pytest
from one_trial_events import BEGUN, point
from rich.console import Console
from small_plan import make_plan
from small_plan import record as record

from skelray.events import Ended
from skelray.report import spent
from skelray.results import Results
from skelray.sweep.finals import FinalQueue, jobs
from skelray.sweep.prices import Meter
from skelray.sweep.search import Studies
from skelray.sweep.search_queue import SearchQueue

COST = {"flops": 4e12, "device_seconds": 120.0}


def folder(path: Path, sweep=made_up.SWEEP, cost=COST) -> Results:
    results = Results(path)
    results.create(sweep, made_up.ENVIRONMENT)
    over = Ended(trial="amr-000", state="complete", time=BEGUN.time + 60, seconds=60, **cost)
    results.write([BEGUN, point(1000, val_linear=0.5), over], "val/linear")
    return results


def test_costs_come_back_from_the_tables_and_the_events(tmp_path):
    results = folder(tmp_path / "r")
    (row,) = results.trials().to_dict("records")
    assert {name: row[name] for name in COST} == COST
    assert (results.events()[-1].flops, results.events()[-1].device_seconds) == (4e12, 120)
    again = folder(tmp_path / "none", cost={})
    assert again.events()[-1].flops is None
    assert math.isnan(again.trials()["flops"][0])


def test_an_older_folder_is_read_and_its_device_seconds_follow_from_its_seconds(tmp_path):
    results = folder(tmp_path / "r", made_up.SWEEP | {"resources": {"workers": 2, "cpus": 3, "gpus": 0}})
    for name in ("trials", "finals"):
        path = results.folder / f"{name}.parquet"
        pd.read_parquet(path).drop(columns=list(COST)).to_parquet(path)
    (row,) = results.trials().to_dict("records")
    assert row["device_seconds"] == 60 * 6
    assert math.isnan(row["flops"])
    assert results.finals().empty
    assert results.events()[-1].flops is None


def test_costs_json_is_kept_and_missing_is_empty(tmp_path):
    results = folder(tmp_path / "r")
    assert results.costs() == {}
    results.write_costs({"bodies": 1.5})
    assert results.costs() == {"bodies": 1.5}


@pytest.fixture
def meter(five_joints) -> Meter:
    found = Meter(five_joints, bodies=1.5, most_bodies=2, epoch=90, devices={"search": 2.0, "final": 4.0, "floor": 4.0})
    found.flops = lambda cfg: 1e6
    return found


def test_a_trial_is_charged_for_what_it_saw_and_a_failure_up_to_the_report_it_missed(tmp_path, record, meter):
    record.meter = meter
    queue = SearchQueue(Studies(make_plan(trials=3, methods=("amr",)), f"sqlite:///{tmp_path}/study.db"), record)
    for state, reports in (("complete", 10), ("failed", 4), ("failed", 0)):
        key = queue.next().key
        queue.started(key)
        for number in range(1, reports + 1):
            queue.reported(key, 90 * number, {"val/linear": 0.5})
        queue.ended(key, state, "broken" if state == "failed" else "")
    trials = record.results.trials()
    assert list(trials["clips"]) == [900, 360, 0]
    assert list(trials["flops"]) == [900e6, 450e6, 90e6]
    assert list(trials["device_seconds"]) == pytest.approx(list(2 * trials["seconds"]))


def test_a_value_that_is_no_number_is_charged_to_its_report_and_no_further(tmp_path, record, meter):
    record.meter = meter
    queue = SearchQueue(Studies(make_plan(trials=1, methods=("amr",)), f"sqlite:///{tmp_path}/study.db"), record)
    key = queue.next().key
    queue.started(key)
    queue.reported(key, 90, {"val/linear": math.nan})
    queue.ended(key, "pruned", "")
    assert record.results.trials()[["state", "flops"]].to_dict("records") == [{"state": "failed", "flops": 90e6}]


def test_finals_are_counted_and_an_untrained_encoder_costs_no_flops(tmp_path, record, meter):
    record.meter = meter
    plan = make_plan(methods=("amr",), seeds=1)
    studies = Studies(plan, f"sqlite:///{tmp_path}/study.db")
    key = studies.ask().key
    studies.finish(key, "complete", 0.5)
    queue = FinalQueue(jobs(plan, studies, {}, studies.final), record)
    while job := queue.next():
        queue.started(job.key)
        queue.reported(job.key, 900 * (job.kind == "final"), {"test/linear": 0.5})
        queue.ended(job.key, "complete" if job.kind == "final" else "failed", "")
    finals = record.results.finals()
    assert list(finals["kind"]) == ["final", "floor"]
    assert list(finals["flops"]) == [900e6, 0]
    assert list(finals["device_seconds"]) == pytest.approx(list(4 * finals["seconds"]))


def test_the_ledger_sums_each_method_and_holds_it_against_its_share(tmp_path):
    shared = made_up.SWEEP | {"budget": {"trials": 1, "unit": "flops", "share": 5e12, "grace": 1e12, "reduction": 3}}
    found = spent.ledger(folder(tmp_path / "shared", shared))
    assert found.to_dict("records") == [
        {"method": "amr", "stage": "search", "trials": 1, "complete": 1, "pruned": 0, "failed": 0, "clips": 1000,
         "flops": 4e12, "device_seconds": 120.0, "share": 5e12, "off": pytest.approx(-0.2)},
    ]  # fmt: skip
    plain = spent.ledger(made_up.folder(tmp_path / "plain"))
    assert list(plain["stage"]) == ["search"] * 3 + ["finals"] * 3
    assert list(plain["clips"])[:3] == [4 * 60000 + 18000 + 24000] * 3
    assert plain[["flops", "share", "off"]].isna().all().all()


def test_people_read_the_ledger_on_eighty_columns(tmp_path):
    shared = made_up.SWEEP | {"budget": {"trials": 1, "unit": "seconds", "share": 125, "grace": 20, "reduction": 3}}
    told = io.StringIO()
    Console(file=told, width=80).print(spent.table(folder(tmp_path / "r", shared)))
    line = next(line for line in told.getvalue().splitlines() if "amr" in line)
    assert line.split() == ["amr", "search", "1", "1,000", "4e+12", "120", "96.0", "%"]

"""What comes after the search: the finals, their floors and their queue. No Ray."""

import pytest
from small_plan import make_plan
from small_plan import record as record

from skelray.events import Ended, Started, Trial
from skelray.sweep import finals
from skelray.sweep.config import Plan
from skelray.sweep.finals import FinalQueue
from skelray.sweep.search import Ticket


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

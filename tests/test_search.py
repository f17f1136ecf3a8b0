"""A search told the truth: baselines, duplicates, early stops, failures, kills. No Ray, no training."""

import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import optuna
import pytest

from skelray.errors import BadInput
from skelray.sweep import search
from skelray.sweep.config import Plan, SweepConfig
from skelray.sweep.search import Studies
from skelray.sweep.space import SearchSpace

SMALL = {"method.encoder.width": 8, "method.encoder.heads": 1, "method.encoder.depth": 1, "train.batch": 10}
RATIO = {"kind": "float", "low": 0.8, "high": 0.95}
K = {"kind": "float", "low": 1e-3, "high": 1.0, "log": True}


def make_plan(trials=4, searches=None, points=(), name="test", mode="max", clips=900, grace=100, seed=0, **more):
    searches = searches or {"amr": {"method.mask_ratio": RATIO, "method.k": K}}
    sweep = SweepConfig(
        question="?", price="?", expected="?", spaces=list(searches), trial={**SMALL, "train.clips": clips, **more},
        objective={"metric": "val/linear", "mode": mode}, seed=seed,
        budget={"trials": trials, "unit": "clips", "grace": grace, "reduction": 3},
    )  # fmt: skip
    spaces = {m: SearchSpace(method=m, points=list(points), search=found) for m, found in searches.items()}
    return Plan(name=name, sweep=sweep, spaces=spaces, dropped=[])


TWO = {"amr": {"method.k": K, "method.mask_ratio": RATIO}, "mamp": {"method.mask_ratio": RATIO}}
BASELINE = {"method.mask_ratio": 0.9, "method.k": 0.01}


@pytest.fixture
def folder(tmp_path):
    """In memory where the system has such a folder: SQLite waits for the disk at every step."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as name:
        yield name


@pytest.fixture
def url(folder):
    return f"sqlite:///{folder}/study.db"


def stored(url, method="amr", name="test"):
    return optuna.load_study(study_name=f"{name}/{method}", storage=url)


def run(studies, ticket, value, clips=(100, 300, 900)):
    """Report `value` at each point and end as told."""
    for count in clips:
        if studies.observe(ticket.key, count, value):
            return studies.finish(ticket.key, "pruned")
    return studies.finish(ticket.key, "complete", value)


def drain(studies, value=0.5):
    tickets = []
    while ticket := studies.ask():
        run(studies, ticket, value)
        tickets.append(ticket)
    return tickets


def test_every_planned_trial_is_handed_out_once_and_methods_take_turns(url):
    studies = Studies(make_plan(3, TWO), url)
    tickets = drain(studies)
    assert [t.key for t in tickets] == ["amr-000", "mamp-000", "amr-001", "mamp-001", "amr-002", "mamp-002"]
    assert all((t.method, t.number) == (t.key[:-4], int(t.key[-3:])) for t in tickets)
    assert all(t.config.method.name == t.method for t in tickets)
    assert studies.ask() is None
    assert studies.done
    assert studies.counts()["planned"] == 6


def test_baselines_come_first_once_and_even_when_built_again(url):
    plan = make_plan(4, points=[BASELINE, {**BASELINE, "method.k": 0.5}])
    first = Studies(plan, url).ask()
    assert (first.config.method.k, first.config.method.mask_ratio) == (0.01, 0.9)
    for _ in range(3):
        studies = Studies(plan, url)
    assert studies.ask().key == "amr-000"  # the interrupted one
    assert studies.ask().config.method.k == 0.5
    drain(studies)
    drawn = [t.params["method.k"] for t in stored(url).get_trials()]
    assert (drawn.count(0.01), drawn.count(0.5), len(drawn)) == (1, 1, 4)


def test_a_baseline_popped_but_never_handed_out_is_tried_again(url):
    plan = make_plan(2, points=[BASELINE])
    Studies(plan, url)
    stored(url).ask()  # killed between the question and the answer
    studies = Studies(plan, url)
    ticket = studies.ask()
    assert (ticket.key, ticket.config.method.k, ticket.resumed) == ("amr-000", 0.01, False)
    drain(studies)
    assert studies.counts() == {"planned": 2, "complete": 1, "pruned": 0, "failed": 0, "running": 1, "left": 0}


def test_the_same_configuration_is_never_handed_out_twice(url):
    plan = make_plan(4, {"amr": {"method.fuse": {"kind": "choice", "values": ["mean", "product", "max"]}}})
    studies = Studies(plan, url)
    tickets = drain(studies)
    assert sorted(t.config.method.fuse for t in tickets) == ["max", "mean", "product"]
    (note,) = studies.notes
    assert note.startswith("amr: space exhausted after 3 of 4 trials; 50 draws gave nothing new (the same")
    assert studies.done
    assert studies.counts()["planned"] == 3
    asked = len(stored(url).get_trials())
    again = Studies(plan, url)
    assert again.ask() is None
    assert again.notes == studies.notes
    assert len(stored(url).get_trials()) == asked  # an exhausted space is not asked again


def test_rejected_draws_are_failed_and_never_count(url):
    coarse = {"kind": "choice", "values": [6, 7, 8, 9, 11, 13]}  # of these 6 alone divides 30 steps
    studies = Studies(make_plan(2, {"amr": {"method.coarse": coarse}}), url)
    (ticket,) = drain(studies)
    assert (ticket.key, ticket.config.method.coarse) == ("amr-000", 6)
    trials = stored(url).get_trials()
    refused = [t for t in trials if search.REJECTED in t.user_attrs]
    assert len(refused) == len(trials) - 1 >= 50
    assert {t.state.name for t in refused} == {"FAIL"}
    assert any("does not divide 30" in t.user_attrs[search.REJECTED] for t in refused)
    assert studies.counts() == {"planned": 1, "complete": 1, "pruned": 0, "failed": 0, "running": 0, "left": 0}


def test_a_stopped_trial_is_pruned_with_every_report_and_never_the_best(url):
    studies = Studies(make_plan(4), url)
    good, bad = studies.ask(), studies.ask()
    run(studies, good, 0.6)
    assert studies.observe(bad.key, 50, 0.9) is False  # before the grace nothing is stopped
    assert studies.observe(bad.key, 100, 0.1) is True
    assert studies.finish(bad.key, "pruned") == "pruned"
    trial = stored(url).get_trials()[1]
    assert trial.state.name == "PRUNED"
    assert trial.intermediate_values == {50: 0.9, 100: 0.1}
    assert studies.best("amr").key == stored(url).best_trial.user_attrs["key"] == good.key
    assert studies.best("amr").value == 0.6


def test_the_last_report_is_kept_of_complete_trials_too(url):
    studies = Studies(make_plan(1), url)
    run(studies, studies.ask(), 0.5)
    (trial,) = stored(url).get_trials()
    assert (trial.intermediate_values, trial.value) == ({100: 0.5, 300: 0.5, 900: 0.5}, 0.5)


def test_a_trial_at_its_full_length_is_never_stopped(url):
    studies = Studies(make_plan(3, clips=109, grace=100), url)  # 10 steps of 10 clips: ends at 100
    good, bad = studies.ask(), studies.ask()
    assert studies.observe(good.key, 100, 0.9) is False
    assert studies.observe(bad.key, 100, 0.1) is False
    assert studies.finish(bad.key, "complete", 0.1) == "complete"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_no_number_is_a_failure_with_its_reason(url, value):
    studies = Studies(make_plan(3), url)
    one, other = studies.ask(), studies.ask()
    assert studies.finish(one.key, "complete", value) == "failed"
    assert studies.observe(other.key, 100, value) is True
    assert studies.finish(other.key, "pruned") == "failed"
    first, second = stored(url).get_trials()
    assert first.state.name == second.state.name == "FAIL"
    assert first.user_attrs["reason"] == f"the objective is {value} at the end"
    assert second.user_attrs["reason"] == f"the objective is {value} at 100 clips"
    assert studies.best("amr") is None


def test_a_crash_is_a_failure_that_keeps_its_reports_and_counts_as_handed_out(url):
    studies = Studies(make_plan(2), url)
    ticket = studies.ask()
    studies.observe(ticket.key, 100, 0.3)
    assert studies.finish(ticket.key, "failed", reason="the loss was nan") == "failed"
    assert stored(url).get_trials()[0].user_attrs["reason"] == "the loss was nan"
    assert [t.key for t in drain(studies)] == ["amr-001"]
    assert studies.best("amr").key == "amr-001"


def test_an_end_told_twice_changes_nothing(url):
    studies = Studies(make_plan(1), url)
    ticket = studies.ask()
    studies.finish(ticket.key, "complete", 0.5)
    assert studies.finish(ticket.key, "failed", reason="late") == "complete"
    assert studies.observe(ticket.key, 900, 0.1) is True
    assert studies.best("amr").value == 0.5


def test_interrupted_trials_come_back_first_under_their_own_number(url):
    plan = make_plan(4, TWO)
    before = Studies(plan, url)
    handed = [before.ask() for _ in range(3)]
    before.finish("mamp-000", "complete", 0.5)
    studies = Studies(plan, url)
    assert studies.counts() == {"planned": 8, "complete": 1, "pruned": 0, "failed": 0, "running": 0, "left": 7}
    again = [studies.ask(), studies.ask()]
    assert [(t.key, t.resumed, t.config) for t in again] == [(t.key, True, t.config) for t in (handed[0], handed[2])]
    assert [t.key for t in drain(studies)] == ["mamp-001", "amr-002", "mamp-002", "amr-003", "mamp-003"]
    for ticket in again:
        run(studies, ticket, 0.5)
    assert studies.done
    assert {t.state.name for m in TWO for t in stored(url, m).get_trials()} <= {"COMPLETE", "PRUNED"}


def test_a_resumed_trial_repeats_its_reports_without_effect(url):
    plan = make_plan(4)
    before = Studies(plan, url)
    good, bad = before.ask(), before.ask()
    run(before, good, 0.9)
    assert before.observe(bad.key, 90, 0.3) is False
    studies = Studies(plan, url)
    assert studies.ask().key == bad.key
    assert studies.observe(bad.key, 50, 0.0) is False  # earlier than what is known
    assert studies.observe(bad.key, 90, 0.0) is False
    assert stored(url).get_trials()[1].intermediate_values == {90: 0.3}
    assert studies.observe(bad.key, 110, 0.3) is True


def test_a_verdict_survives_a_kill(url):
    plan = make_plan(4)
    before = Studies(plan, url)
    good, bad = before.ask(), before.ask()
    run(before, good, 0.9)
    assert before.observe(bad.key, 100, 0.1) is True
    studies = Studies(plan, url)
    assert studies.ask().key == bad.key
    assert studies.observe(bad.key, 100, 0.1) is True
    assert studies.finish(bad.key, "pruned") == "pruned"


def test_a_report_stored_but_not_judged_is_judged_when_it_is_repeated(url):
    plan = make_plan(4)
    before = Studies(plan, url)
    run(before, before.ask(), 0.9)
    bad = before.ask()
    optuna.trial.Trial(stored(url), stored(url).get_trials()[1]._trial_id).report(0.1, 100)  # killed right after
    studies = Studies(plan, url)
    studies.ask()
    assert studies.observe(bad.key, 100, 0.1) is True


def halving(studies, values, restart=None):
    """Whether each of the trials with these values is stopped at the first rung."""
    stopped = []
    for value in values:
        ticket = studies.ask()
        stopped.append(studies.observe(ticket.key, 100, value))
        studies.finish(ticket.key, "pruned" if stopped[-1] else "complete", value)
        studies = restart() if restart else studies
    return stopped


VALUES = [0.5, 0.6, 0.4, 0.7, 0.65, 0.1, 0.72, 0.69]


def test_halving_compares_within_a_rung_and_its_state_survives_a_kill(folder):
    plan = make_plan(8)
    urls = [f"sqlite:///{folder}/{name}.db" for name in ("one", "killed")]
    straight = halving(Studies(plan, urls[0]), VALUES)
    assert straight == [False, False, True, False, True, True, False, True]
    assert halving(Studies(plan, urls[1]), VALUES, lambda: Studies(plan, urls[1])) == straight
    params = [[t.params for t in stored(url).get_trials()] for url in urls]
    assert params[0] == params[1]  # a search in pieces asks the same questions as one in one go


def test_smaller_is_better_when_the_objective_says_so(url):
    studies = Studies(make_plan(8, mode="min"), url)
    assert halving(studies, [1 - value for value in VALUES]) == [False, False, True, False, True, True, False, True]
    assert studies.best("amr").value == pytest.approx(1 - 0.72)
    assert [t.value for t in studies.ranked("amr")] == sorted(t.value for t in studies.ranked("amr"))


def test_methods_are_never_compared_with_each_other_while_they_search(url):
    studies = Studies(make_plan(2, TWO), url)
    amr, mamp = studies.ask(), studies.ask()
    assert studies.observe(amr.key, 100, 0.9) is False
    assert studies.observe(mamp.key, 100, 0.1) is False


def test_the_seed_decides_the_questions(folder):
    def drawn(seed, file):
        return [t.config.method.k for t in drain(Studies(make_plan(5, seed=seed), f"sqlite:///{folder}/{file}.db"))]

    assert drawn(0, "a") == drawn(0, "b") != drawn(1, "c")


def test_the_search_learns(url):
    studies = Studies(make_plan(40), url)
    found = []
    while ticket := studies.ask():
        value = -abs(math.log10(ticket.config.method.k) + 1)  # best at 0.1
        studies.finish(ticket.key, "complete", value)
        found.append(-value)
    assert sum(found[-15:]) / 15 < 0.5 * sum(found[:10]) / 10


def test_conditional_dimensions_and_lists_are_searched(url):
    searched = {
        "method.windows": {"kind": "choice", "values": [[4], [4, 8, 12]]},
        "method.masking": {"kind": "choice", "values": ["uniform", "motion"]},
        "method.tau": {"kind": "float", "low": 0.5, "high": 2.0, "when": {"method.masking": ["motion"]}},
        "method.decoder_depth": {"kind": "int", "low": 1, "high": 4},
        "method.k": K,
    }
    tickets = drain(Studies(make_plan(16, {"amr": searched}), url))
    moving = [t.config.method for t in tickets if t.config.method.masking == "motion"]
    assert 0 < len(moving) < 16
    assert all(cfg.tau != 0.8 for cfg in moving)
    assert all(t.config.method.tau == 0.8 for t in tickets if t.config.method.masking == "uniform")
    assert {t.config.method.windows for t in tickets} == {(4,), (4, 8, 12)}
    assert {t.params["method.windows"] for t in stored(url).get_trials()} == {"[4]", "[4, 8, 12]"}


def test_a_larger_budget_continues_and_another_search_is_refused(url):
    drain(Studies(make_plan(2), url))
    more = Studies(make_plan(4), url)
    assert [t.key for t in drain(more)] == ["amr-002", "amr-003"]
    with pytest.raises(BadInput, match="the study 'test/amr' is of another search"):
        Studies(make_plan(4, clips=800), url)
    assert Studies(make_plan(4, clips=800, name="other"), url).counts()["left"] == 4


@pytest.mark.parametrize(
    "url", ["sqlite:////no/such/folder/study.db", "not a url", "strange://x", "mysql://someone:secret@localhost/x"]
)
def test_a_database_that_cannot_be_opened_is_told_without_its_password(url):
    with pytest.raises(BadInput, match="the study database cannot be opened") as caught:
        Studies(make_plan(), url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "study.db").write_text("not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(BadInput, match="file is not a database"):
        Studies(make_plan(), f"sqlite:///{tmp_path}/study.db")


KILLED = """
import os, signal, sys
from tests.test_search import make_plan, run
from skelray.sweep.search import Studies
studies = Studies(make_plan(6), sys.argv[1])
run(studies, studies.ask(), 0.6)
studies.observe(studies.ask().key, 100, 0.7)
print("ready", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_nothing(url):
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, url], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("ready", -signal.SIGKILL), done.stderr
    studies = Studies(make_plan(6), url)
    resumed = studies.ask()
    assert (resumed.key, resumed.resumed) == ("amr-001", True)
    run(studies, resumed, 0.7)
    drain(studies)
    assert studies.counts()["planned"] == len(stored(url).get_trials()) == 6
    assert studies.done


def test_optuna_says_nothing_on_its_own(url, caplog, recwarn):
    with caplog.at_level(logging.INFO):
        drain(Studies(make_plan(4), url))
    assert not caplog.records
    assert not [w for w in recwarn if "optuna" in str(w.filename)]

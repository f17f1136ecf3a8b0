"""A search killed or continued loses nothing; a database that is none. No Ray, no training."""

import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from made_up_search import BASELINE, TWO, VALUES, drain, halving, make_plan, run, stored
from made_up_search import folder as folder
from made_up_search import url as url

from skelray.errors import BadInput
from skelray.sweep.search import Studies


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


def test_halving_compares_within_a_rung_and_its_state_survives_a_kill(folder):
    plan = make_plan(8)
    urls = [f"sqlite:///{folder}/{name}.db" for name in ("one", "killed")]
    straight = halving(Studies(plan, urls[0]), VALUES)
    assert straight == [False, False, True, False, True, True, False, True]
    assert halving(Studies(plan, urls[1]), VALUES, lambda: Studies(plan, urls[1])) == straight
    params = [[t.params for t in stored(url).get_trials()] for url in urls]
    assert params[0] == params[1]  # a search in pieces asks the same questions as one in one go


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
from tests.made_up_search import make_plan, run
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

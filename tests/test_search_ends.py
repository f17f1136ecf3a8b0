"""A search told how its trials end: complete, stopped early, failed. No Ray, no training."""

import math

import pytest
from made_up_search import TWO, VALUES, drain, halving, make_plan, run, stored
from made_up_search import folder as folder
from made_up_search import url as url

from skelray.sweep.search import Studies


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

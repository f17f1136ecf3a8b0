"""What a search asks: every planned trial, no duplicates, and it learns. No Ray, no training."""

import logging
import math

from made_up_search import TWO, K, drain, make_plan, stored
from made_up_search import folder as folder
from made_up_search import url as url

from skelray.sweep import search
from skelray.sweep.search import Studies


def test_every_planned_trial_is_handed_out_once_and_methods_take_turns(url):
    studies = Studies(make_plan(3, TWO), url)
    tickets = drain(studies)
    assert [t.key for t in tickets] == ["amr-000", "mamp-000", "amr-001", "mamp-001", "amr-002", "mamp-002"]
    assert all((t.method, t.number) == (t.key[:-4], int(t.key[-3:])) for t in tickets)
    assert all(t.config.method.name == t.method for t in tickets)
    assert studies.ask() is None
    assert studies.done
    assert studies.counts()["planned"] == 6


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


def test_optuna_says_nothing_on_its_own(url, caplog, recwarn):
    with caplog.at_level(logging.INFO):
        drain(Studies(make_plan(4), url))
    assert not caplog.records
    assert not [w for w in recwarn if "optuna" in str(w.filename)]

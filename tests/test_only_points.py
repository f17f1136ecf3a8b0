"""A listed question: each point runs once and to its end, and nothing is drawn."""

import pytest
from made_up_search import K, drain, make_plan
from made_up_search import folder as folder
from made_up_search import url as url

from skelray.errors import BadInput
from skelray.sweep import config, driver
from skelray.sweep.search import Studies

POINTS = [{"method.k": 0.01}, {"method.k": 0.1}, {"method.k": 1.0}]

ASKED = """\
question: which
price: little
expected: none
budget: {trials: 1, grace: 1}
trial: {train.clips: 900}
only_points: true
spaces:
  - method: amr
    points: [{method.k: 0.1}]
    search: {method.k: {kind: choice, values: [0.1, 1]}}
"""


def listed(trials: int = 2, points=POINTS, **more):
    plan = make_plan(trials, {"amr": {"method.k": K}}, points=points, **more)
    return plan.model_copy(update={"sweep": plan.sweep.model_copy(update={"only_points": True})})


@pytest.mark.parametrize("trials", [1, 3, 9])
def test_every_point_runs_once_in_order_whatever_the_budget(url, trials):
    studies = Studies(listed(trials), url)
    assert [ticket.config.method.k for ticket in drain(studies)] == [0.01, 0.1, 1.0]
    assert studies.done
    assert studies.notes == []
    assert studies.counts()["planned"] == 3
    assert driver._planned(listed(trials)) == 3 + 2 * 2  # and two finals with their floors


def test_a_listed_question_is_not_stopped_early(url):
    studies = Studies(listed(), url)
    for value in (0.9, 0.1, 0.2):
        ticket = studies.ask()
        assert not any(studies.observe(ticket.key, clips, value) for clips in (100, 300, 900))
        studies.finish(ticket.key, "complete", value)
    assert studies.best("amr").value == 0.9


def test_an_interrupted_point_is_taken_up_and_none_is_asked_twice(url):
    first = Studies(listed(), url).ask()
    again = Studies(listed(), url)
    tickets = drain(again)
    assert [ticket.key for ticket in tickets] == [first.key, "amr-001", "amr-002"]
    assert tickets[0].resumed


def test_it_survives_the_file_of_a_sweep_as_run(tmp_path):
    file = tmp_path / "asked.yaml"
    file.write_text(ASKED)
    plan = config.load(file)
    assert plan.document()["only_points"]
    assert plan.trials("amr") == 1


def test_a_space_that_draws_says_nothing_of_it():
    assert "only_points" not in make_plan().document()


def test_no_point_is_no_question(tmp_path):
    file = tmp_path / "asked.yaml"
    text = ASKED.replace("[{method.k: 0.1}]", "[]")
    file.write_text(text)
    with pytest.raises(BadInput, match="only_points: the space of amr has no point"):
        config.load(file)

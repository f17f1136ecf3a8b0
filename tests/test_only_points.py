"""A listed question: each point runs once and to its end, and nothing is drawn."""

import pytest
from made_up_search import K, drain, make_plan
from made_up_search import folder as folder
from made_up_search import url as url

from skelray.sweep import config, driver
from skelray.sweep.search import Studies
from skelray.sweep.space import SearchSpace

POINTS = [{"method.k": 0.01}, {"method.k": 0.1}, {"method.k": 1.0}]


def listed(trials: int = 2, points=POINTS, **more):
    plan = make_plan(trials, {"amr": {"method.k": K}}, **more)
    space = SearchSpace(method="amr", points=points, only_points=True, search={"method.k": K})
    return plan.model_copy(update={"spaces": {"amr": space}})


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
    file.write_text(
        "question: which\nprice: little\nexpected: none\nbudget: {trials: 1, grace: 1}\ntrial: {train.clips: 900}\n"
        "spaces: [{method: amr, only_points: true, points: [{method.k: 0.1}], search: "
        "{method.k: {kind: choice, values: [0.1, 1]}}}]\n"
    )
    plan = config.load(file)
    assert plan.document()["spaces"][0]["only_points"]
    assert plan.trials("amr") == 1


def test_a_space_that_draws_says_nothing_of_it():
    assert "only_points" not in make_plan().document()["spaces"][0]


def test_no_point_is_no_question():
    with pytest.raises(ValueError, match="give at least one"):
        listed(points=[])

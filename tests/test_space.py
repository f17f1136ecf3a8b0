"""Distributions and the spaces made of them."""

import json

import optuna
import pytest
from pydantic import ValidationError

from skelray import yaml_file
from skelray.errors import BadInput
from skelray.sweep import space as spaces_of
from skelray.sweep.space import Choice, Float, Int

TEXT = """\
method: amr
base: {method: {k: 0.01}, optim.lr: 1e-3}
points: [{}, {method.k: 0.5}]
search:
  method.tau: {kind: float, low: 0.5, high: 2, log: true, when: {method.masking: [motion]}}
  method.masking: {kind: choice, values: [uniform, motion]}
  method.windows:
    kind: choice
    values: [[4], [4, 8]]
  method.decoder_depth: {kind: int, low: 2, high: 6, step: 2}
  method.k: {kind: float, low: 1e-3, high: 1}
"""


def read(tmp_path, text=TEXT):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    document = yaml_file.read(path)
    return spaces_of.read(document, document.data)


def fixed(space, values):
    """One point of the space, drawn through Optuna with every value given."""
    return space.draw(optuna.trial.FixedTrial(space.labels(values)))


def test_a_space_is_flat_whatever_the_file_nests(tmp_path):
    space = read(tmp_path)
    assert space.base == {"method.k": 0.01, "optim.lr": 1e-3}
    assert space.points == [{}, {"method.k": 0.5}]
    assert space.search["method.decoder_depth"] == Int(kind="int", low=2, high=6, step=2)


def test_a_conditional_dimension_comes_after_its_condition_and_only_where_it_holds(tmp_path):
    space = read(tmp_path)
    assert space.order.index("method.tau") > space.order.index("method.masking")
    point = {"method.masking": "motion", "method.windows": [4], "method.decoder_depth": 4, "method.k": 0.1}
    assert fixed(space, {**point, "method.tau": 1.0}) == {**point, "method.tau": 1.0}
    point["method.masking"] = "uniform"
    assert fixed(space, point) == point


def test_optuna_sees_lists_as_text_and_gives_lists_back(tmp_path):
    space = read(tmp_path)
    windows = space.search["method.windows"]
    assert windows.labels == ["[4]", "[4, 8]"]
    assert windows.label([4, 8]) == "[4, 8]"
    assert windows.draw(optuna.trial.FixedTrial({"w": "[4, 8]"}), "w") == [4, 8]


def test_a_text_that_looks_like_a_list_stays_a_text():
    choice = Choice(kind="choice", values=["[4]", [4]])
    assert len(set(choice.labels)) == 2
    for value in choice.values:
        assert choice.draw(optuna.trial.FixedTrial({"w": choice.label(value)}), "w") == value


@pytest.mark.parametrize("value", [None, True, 1.5, 3, "text"])
def test_plain_choices_stay_what_they_are(value):
    choice = Choice(kind="choice", values=[value, "other"])
    found = choice.draw(optuna.trial.FixedTrial({"c": choice.label(value)}), "c")
    assert found == value
    assert type(found) is type(value)


def test_what_a_distribution_holds():
    depth = Int(kind="int", low=2, high=6, step=2)
    assert [value for value in (1, 2, 3, 4, 6, 8, 4.0, True) if depth.holds(value)] == [2, 4, 6, 4.0]
    ratio = Float(kind="float", low=0.5, high=0.9)
    assert [value for value in (0.4, 0.5, 0.9, 0.91, "0.6") if ratio.holds(value)] == [0.5, 0.9]


def test_drawn_values_reach_both_ends_and_stay_inside(tmp_path):
    space = read(tmp_path)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [space.draw(study.ask()) for _ in range(200)]
    assert {point["method.decoder_depth"] for point in drawn} == {2, 4, 6}
    assert {json.dumps(point["method.windows"]) for point in drawn} == {"[4]", "[4, 8]"}
    assert all(1e-3 <= point["method.k"] <= 1 for point in drawn)
    assert all(("method.tau" in point) == (point["method.masking"] == "motion") for point in drawn)


def test_a_space_survives_json(tmp_path):
    space = read(tmp_path)
    assert spaces_of.SearchSpace.model_validate_json(space.model_dump_json()) == space


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("low: 1e-3, high: 1}", "low: 2, high: 1}", 11, "search.method.k: low 2.0 is above high 1.0"),
        ("low: 0.5, high: 2, log", "low: 0, high: 2, log", 5, "method.tau: a logarithmic range must start above"),
        ("[uniform, motion]}", "[]}", 6, "search.method.masking.values: there is nothing to choose from"),
        ("[[4], [4, 8]]", "[[4], [4]]", 9, "search.method.windows.values: [4] is given twice"),
        ("low: 1e-3, high: 1}", "low: 1e-3, hihg: 1}", 11, 'unknown key; did you mean "high"?'),
        ("low: 1e-3, high: 1}", "low: small, high: 1}", 11, "search.method.k.low: Input should be a valid number"),
        ("low: 1e-3, high: 1}", "low: '1e-3', high: 1}", 11, "search.method.k.low: Input should be a valid number"),
        ("low: 2, high: 6", "low: true, high: 6", 10, "search.method.decoder_depth.low: Input should be a valid int"),
        ("low: 2, high: 6", "low: 2.5, high: 6", 10, "search.method.decoder_depth.low: Input should be a valid int"),
        ("low: 2, high: 6", "low: 2, high: 7", 10, "high 7 is never reached from 2 in steps of 2; the last is 6"),
        ("step: 2", "step: 2, log: true", 10, "log and step cannot be combined"),
        ("kind: int", "kind: itn", 10, "'itn' is not one of float, int, choice; did you mean \"int\"?"),
        ("{kind: int, low: 2, high: 6, step: 2}", "3", 10, "search.method.decoder_depth: a distribution is due"),
        ("when: {method.masking", "when: {method.maskign", 5, 'no such dimension; did you mean "method.masking"?'),
        ("when: {method.masking: [motion]}", "when: {method.k: [1]}", 5, "only a choice can switch another"),
        ("masking: [motion]", "masking: [moton]", 5, "'moton' is never drawn there"),
        ("masking: [motion]", "masking: motion", 5, "search.method.tau.when.method.masking: Input should be a valid"),
        ("values: [uniform, motion]", "values: [uniform, motion], when: {method.masking: [motion]}", 5, "circle"),
        ("points:", "point:", 3, 'unknown key; did you mean "points"?'),
        ("method: amr\n", "", 1, "method: Field required"),
        ("base: {method: {k: 0.01}", "base: {method.k: 1, method: {k: 0.01}", 2, "base: method.k is given twice"),
        ("base: {method: {k: 0.01}", "base: {method: {k: 0.01}, optim: 3", 2, "optim is given as one value and as a"),
        ("high: 1}", "high: .inf}", 11, "search.method.k.high: Input should be a finite number"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_once_with_line_and_key(tmp_path, old, new, line, said):
    assert TEXT.count(old) == 1
    with pytest.raises(BadInput) as caught:
        read(tmp_path, TEXT.replace(old, new))
    (message,) = str(caught.value).splitlines()
    assert f"space.yaml:{line}: " in message or new == ""
    assert said in message


def test_a_range_is_refused_in_python_as_well():
    with pytest.raises(ValidationError, match=r"low 2\.0 is above high 1\.0"):
        Float(kind="float", low=2.0, high=1.0)

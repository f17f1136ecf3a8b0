"""A results folder that was cut or edited is refused with file and column or key, whatever was done to it."""

import json

import made_up_sweep as made_up
import pandas as pd
import pytest

from skelray import yaml_file
from skelray.errors import BadInput
from skelray.report import blocks, sections


@pytest.fixture
def results(tmp_path):
    return made_up.folder(tmp_path / "r", made_up.events(("amr",), trials=2, seeds=1))


def without(column):
    return lambda table: table.drop(columns=column)


def all_of(column, value):
    return lambda table: table.assign(**{column: value})


def first_of(column, value):
    return lambda table: table.assign(**{column: [value, *table[column].tolist()[1:]]})


@pytest.mark.parametrize(("name", "change", "said"), [
    ("trials", without("state"), "the column 'state' is missing"),
    ("trials", all_of("clips", "many"), "the column 'clips' does not hold int64"),
    ("trials", first_of("clips", float("nan")), "the column 'clips' lacks 1 of its 2 values"),
    ("trials", first_of("seconds", float("inf")), "'seconds' holds a number below 0, or none that is finite"),
    ("trials", first_of("method", None), "the column 'method' lacks 1 of its 2 values"),
    ("trials", all_of("state", "done"), "'state' holds 'done', not one of complete, failed, pruned"),
    ("trials", all_of("config", "{"), "'config' holds a text that is no JSON object"),
    ("trials", all_of("config", "[]"), "'config' holds a text that is no JSON object"),
    ("trials", all_of("trial", "amr-000"), "'trial' holds 'amr-000' twice"),
    ("trials", all_of("started", "early"), "the column 'started' does not hold timestamp"),
    ("trials", all_of("device_seconds", "long"), "the column 'device_seconds' does not hold double"),
    ("trials", all_of("val/linear", "good"), "the column 'val/linear' does not hold double"),
    ("finals", all_of("kind", "<b>"), "'kind' holds '<b>', not one of final, floor"),
    ("finals", all_of("test/clips", float("inf")), "'test/clips' holds a number below 0, or none that is finite"),
    ("finals", first_of("config", None), "the column 'config' lacks 1 of its 2 values"),
    ("history", all_of("clips", -1), "'clips' holds a number below 0, or none that is finite"),
    ("history", all_of("time", None), "the column 'time' lacks"),
])  # fmt: skip
def test_a_table_that_no_sweep_wrote_is_named_with_its_column(results, name, change, said):
    path = results.folder / f"{name}.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    with pytest.raises(BadInput) as caught:
        getattr(results, name)()
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_predictions_lack_nothing(results):
    columns = {"trial": ["amr-final-0-0"], "protocol": ["knn"], "clip": ["a"], "subject": [1], "label": [0]}
    results.write_predictions([{**columns, "predicted": [None]}])
    with pytest.raises(BadInput, match="the column 'predicted' lacks 1 of its 1 values"):
        results.predictions()


RANGE = {"kind": "float", "low": 0.1, "high": 1.0}


@pytest.mark.parametrize(("change", "said"), [
    ({"spaces": None}, "sweep.yaml:4: spaces: Input should be a valid list"),
    ({"spaces": [{"search": {}}]}, "spaces.0.Space.method: Field required"),
    ({"spaces": [{"method": "amr", "search": {"optim.lr": RANGE | {"low": 2}}}]}, "low and high are due, in"),
    ({"spaces": [{"method": "amr", "search": {"optim.lr": RANGE | {"low": 0, "log": True}}}]}, "above 0 where log"),
    ({"spaces": [{"method": "amr", "search": {"optim.lr": {"kind": "choice"}}}]}, "values are due"),
    ({"spaces": [{"method": "amr"}]}, "spaces.0.Space.search: Field required"),
    ({"objective": {"metric": 5}}, "objective.metric: Input should be a valid string"),
    ({"budget": []}, "budget: Input should be a valid dictionary"),
    ({"budget": {"share": -1}}, "budget.share: Input should be greater than 0"),
    ({"final": {"protocols": 5}}, "final.protocols: Input should be a valid list"),
    ({"resources": {"cpus": "all"}}, "resources.cpus: Input should be a valid integer"),
    ({"dropped": 5}, "dropped: Input should be a valid list"),
])  # fmt: skip
def test_a_sweep_that_nobody_ran_is_named_with_its_key(results, change, said):
    yaml_file.write(results.folder / "sweep.yaml", made_up.SWEEP | change)
    with pytest.raises(BadInput) as caught:
        results.sweep()
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(results.folder / "sweep.yaml"))


@pytest.mark.parametrize(("change", "said"), [
    ({"git": None}, "git: Input should be a valid dictionary"),
    ({"hardware": {"gpus": 2}}, "hardware.gpus: Input should be a valid list"),
    ({"data": {"classes": 27}}, "data.classes: Input should be a valid list"),
    ({"resumed": 1}, "resumed: Input should be a valid list"),
])  # fmt: skip
def test_an_environment_that_is_none_is_named_with_its_key(results, change, said):
    (results.folder / "environment.json").write_text(json.dumps(made_up.ENVIRONMENT | change))
    with pytest.raises(BadInput, match=r"environment\.json: ") as caught:
        results.environment()
    assert said in str(caught.value)


@pytest.mark.parametrize(("text", "said"), [
    ("", "not whole JSON"), ("[" * 99999, "not whole JSON"), ("[]", "a JSON object is due"),
    ('{"a": 3}', "a: Input should be a valid dictionary"), ('{"a": {"b": [1]}}', "a.b.0: Input should be a valid dict"),
    ('{"a": {"b": [{"level": 1, "accuracy": null}]}}', "a.b.0.accuracy: Input should be a valid number"),
    ('{"a": {"b": [{"level": 1, "accuracy": NaN}]}}', "a.b.0.accuracy: Input should be a finite number"),
])  # fmt: skip
def test_curves_that_are_none_are_named(results, text, said):
    (results.folder / "curves.json").write_text(text)
    with pytest.raises(BadInput, match=r"curves\.json: ") as caught:
        results.curves()
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["curves.json", "costs.json"])
def test_a_folder_in_place_of_a_file_is_told(results, name):
    (results.folder / name).mkdir()
    with pytest.raises(BadInput, match=f"{name} cannot be read: Is a directory"):
        {"curves.json": results.curves, "costs.json": results.costs}[name]()


@pytest.mark.parametrize("name", ["trials", "finals"])
def test_flops_that_a_table_lacks_are_unknown_and_seconds_stay_what_they_were(results, name):
    path = results.folder / f"{name}.parquet"
    before = getattr(results, name)()["device_seconds"].tolist()
    without("flops")(pd.read_parquet(path)).to_parquet(path, index=False)
    found = getattr(results, name)()
    assert found["flops"].isna().all()
    assert found["device_seconds"].tolist() == pytest.approx(before, nan_ok=True)


def test_a_leaderboard_without_the_count_of_clean_clips_says_nothing_of_it(results):
    path = results.folder / "finals.parquet"
    all_of("test/clips_clean", None)(pd.read_parquet(path)).to_parquet(path, index=False)
    assert "remain" not in blocks.markdown([sections.leaderboard(results)])

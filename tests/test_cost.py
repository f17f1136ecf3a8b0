"""The cost table as programs and people read it; its figures are facts of test_equations_cost.py."""

import json
import subprocess
import sys

import pytest
import typer
from conftest import REPOSITORY
from typer.testing import CliRunner

from skelray import cost, methods, yaml_file
from skelray.data import splits

NTU60 = splits.protocols()["ntu60"]["xsub"]["whole"]["train"]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "skelray.cost", *arguments], capture_output=True, text=True)


def test_json_for_programs(monkeypatch):
    monkeypatch.setattr("torch.set_num_threads", lambda number: None)  # this process has other tests
    app = typer.Typer()
    app.command()(cost.main)
    rows = json.loads(CliRunner().invoke(app, ["--method", "amr", "--json"]).stdout)
    (row,) = rows
    assert row["method"] == "amr"
    assert set(row["parameters"]) == {"encoder", "trained", "teacher", "heads", "total"}
    assert set(row["tokens"]) == {"total", "visible", "hidden", "targets"}
    parts = {"encoder", "decoder", "target", "heads", "rest"}
    assert set(row["gflops"]) == parts | {"pretrain", "linear", "inference"}
    assert sum(row["gflops"][part] for part in parts) == pytest.approx(row["gflops"]["pretrain"])
    assert set(row["schedule"]) == {"clips", "bodies", "gflops", "eflop"}


def test_people_read_the_published_figure_and_why_it_differs():
    done = run("--method", "amr")
    assert done.returncode == 0
    assert "3.8 G (AMR, cost table)" in done.stdout
    assert "amr, 3.8 G: 5 layers of width 256 are inferred" in done.stdout


def test_an_unknown_method_is_the_users_mistake():
    done = run("--method", "mampf")
    assert done.returncode == 2
    assert 'did you mean "mamp"?' in done.stderr
    assert "Traceback" not in done.stderr


def test_one_body_costs_half(monkeypatch):
    both = cost.cost("mamp")["gflops"]
    monkeypatch.setattr(cost, "BODIES", 1)
    one = cost.cost("mamp")["gflops"]
    assert {part: 2 * value for part, value in one.items()} == both


@pytest.mark.parametrize("name", methods.available())
def test_the_schedule_is_the_one_of_the_search_space(name):
    train = yaml_file.read(REPOSITORY / "search_spaces" / f"{name}.yaml").data["base"]["train"]
    clips = train.get("clips") or train["epochs"] * NTU60
    published = cost.PUBLISHED[name]
    assert clips == (published.get("clips") or published["epochs"] * NTU60)

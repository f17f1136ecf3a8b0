"""The cost table as programs and people read it; its figures are facts of test_equations.py."""

import json
import subprocess
import sys

from skelray import cost, methods


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "skelray.cost", *arguments], capture_output=True, text=True)


def test_json_for_programs():
    rows = json.loads(run("--method", "amr", "--json").stdout)
    (row,) = rows
    assert row["method"] == "amr"
    assert set(row["parameters"]) == {"encoder", "trained", "total"}
    assert {"total", "visible", "targets"} <= set(row["tokens"])
    assert {"encoder", "decoder", "target", "pretrain", "inference"} <= set(row["gflops"])


def test_an_unknown_method_is_the_users_mistake():
    done = run("--method", "mampf")
    assert done.returncode == 2
    assert 'did you mean "mamp"?' in done.stderr
    assert "Traceback" not in done.stderr


def test_every_method_stands_beside_its_published_figure():
    for name in methods.available():
        ours = cost.cost(name)["gflops"]
        for figure in cost.PUBLISHED[name]:
            assert abs(ours[figure["what"]] / figure["gflops"] - 1) < 0.01 or figure["difference"]


def test_one_body_costs_half(monkeypatch):
    both = cost.cost("mamp")["gflops"]
    monkeypatch.setattr(cost, "BODIES", 1)
    one = cost.cost("mamp")["gflops"]
    assert {part: 2 * value for part, value in one.items()} == both

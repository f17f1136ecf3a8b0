"""The shape of the project: ceilings, names and doors that no linter checks."""

import ast
import re

import pytest
from conftest import REPOSITORY

PACKAGE = sorted((REPOSITORY / "skelray").rglob("*.py"))
GRAB_BAGS = {"utils", "helpers", "common", "misc", "util", "helper"}


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_file_is_above_its_ceiling(path):
    lines = len(path.read_text().splitlines())
    assert lines <= (200 if path.parent.name == "methods" else 250)


def test_no_grab_bags():
    assert not [path for path in PACKAGE if path.stem in GRAB_BAGS]


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_nothing_unsafe_is_loaded():
    forbidden = re.compile(
        r"allow_pickle=True|weights_only=False|yaml\.load\("
        r"|from torch import .*\bload\b"
        r"|\b(import|from) (pickle|_pickle|cPickle|cloudpickle|dill|joblib|shelve|marshal)\b"
        r"|\b(read_pickle|Unpickler)\b"
    )
    assert not [str(path) for path in PACKAGE if forbidden.search(path.read_text())]


def test_a_pickle_is_read_in_one_place_and_names_nothing_that_could_run():
    """`data/unpickle.py` knows instructions by their names; neither it nor what it calls can import or look up."""
    assert [path.name for path in PACKAGE if "pickletools" in path.read_text()] == ["unpickle.py"]
    for name in ("unpickle.py", "pickled.py"):
        tree = ast.parse((REPOSITORY / "skelray/data" / name).read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"getattr", "eval", "exec", "compile", "__import__", "import_module", "globals", "vars"}, (
            name
        )


def test_torch_reads_files_in_one_module_and_tensors_alone():
    """Every mention of torch.load is a call with a literal weights_only=True, where weights are imported."""
    for path in PACKAGE:
        nodes = list(ast.walk(ast.parse(path.read_text())))
        mentions = [node for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node) == "torch.load"]
        calls = [node for node in nodes if isinstance(node, ast.Call) and node.func in mentions]
        assert len(calls) == len(mentions), path
        assert all("weights_only=True" in map(ast.unparse, call.keywords) for call in calls), path
        assert not mentions or path == REPOSITORY / "skelray/weights/imported.py"


def test_torch_distributed_has_its_doors():
    doors = {"train.py", "rows.py", "worker.py"}
    assert not [path.name for path in PACKAGE if "torch.distributed" in path.read_text() and path.name not in doors]


def test_imports_of_the_methods_cost_torch_and_nothing_else():
    import subprocess
    import sys

    code = "import sys, skelray.methods as m; [m.load(n) for n in m.available()]; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"ray", "optuna", "mlflow", "pyarrow", "pandas", "matplotlib", "scipy"} & set(loaded)


def test_a_report_needs_no_torch():
    import subprocess
    import sys

    code = "import sys, skelray.report, skelray.results; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "ray", "optuna"} & set(loaded)

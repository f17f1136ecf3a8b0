"""What is kept of the environment a sweep ran in."""

import json
import subprocess
from pathlib import Path

from skelray import environment


def repository(folder: Path) -> Path:
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)
    return package


def test_the_commit_is_dirty_when_code_differs_or_is_new_and_not_for_results(tmp_path: Path) -> None:
    package = repository(tmp_path)
    clean = environment.commit(package)
    assert clean["dirty"] is False
    assert len(clean["commit"]) == 40
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "x.yaml").write_text("a: 1")
    assert environment.commit(package) == clean
    (package / "methods.py").write_text("new = 1")
    assert environment.commit(package) == clean | {"dirty": True}


def test_an_untracked_package_inside_a_clone_has_no_commit(tmp_path: Path) -> None:
    repository(tmp_path)
    installed = tmp_path / ".venv" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert environment.commit(installed) == {"commit": None, "dirty": None}


def test_the_environment_is_json_and_each_run_has_its_own_id() -> None:
    data = {"store": "synthetic", "fingerprint": "abc"}
    first, second = (environment.describe("python -m skelray.sweep x", data, gpus=["H200"]) for _ in range(2))
    assert json.loads(json.dumps(first)) == first
    assert first["id"] != second["id"]
    assert first["data"] == data
    assert first["hardware"]["gpus"] == ["H200"]
    assert first["packages"]["torch"].startswith("2.")

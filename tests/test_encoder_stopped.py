"""An evaluation or a transfer that is killed, doubled, or sent to a folder that holds something else."""

import json
import os
import shutil

import pytest
from shell import skelray
from tiny_trial import Heard, tiny
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import stored as stored

from skelray import evaluate, trial
from skelray.evaluate import kept
from skelray.resume import alone
from skelray.trial_config import TrialConfig


@pytest.fixture(scope="module")
def trained(stored, tmp_path_factory):
    """The folder of a trial on the swaying clips."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=folder, report=Heard())
    return folder


def said(capsys) -> str:
    error = " ".join(capsys.readouterr().err.split())
    assert "Traceback" not in error
    return error


def words(command: str, trained, stored) -> list:
    both = ["evaluate", trained, stored] if command == "evaluate" else ["transfer", "--from", trained, "--to", stored]
    return [*both, "--protocol", "knn,signals,linear", "--set", "linear.epochs=1", "--out"]


@pytest.fixture
def stopping(monkeypatch) -> list[str]:
    """The protocols that were begun; the third time the user presses Ctrl-C."""
    measure, begun = evaluate.measure, []

    def stopped(name, case, cfg):
        begun.append(name)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return measure(name, case, cfg)

    monkeypatch.setattr(evaluate, "measure", stopped)
    return begun


def test_an_evaluation_that_was_stopped_goes_on_with_what_it_had(trained, stored, tmp_path, stopping):
    asked, out = words("evaluate", trained, stored), tmp_path / "out"
    assert skelray(*asked, out, "--test") == 130
    with (out / "unfinished.jsonl").open("a") as file:
        file.write('{"key": "cut sh')
    assert skelray(*asked, out, "--test") == 0
    assert stopping == ["knn", "signals", "linear", "linear"]
    assert len((out / "test_ledger.jsonl").read_text().splitlines()) == 2
    assert skelray(*asked, tmp_path / "whole", "--test") == 0
    one, other = (json.loads((place / "evaluation.json").read_text()) for place in (out, tmp_path / "whole"))
    assert one.pop("seconds").keys() == other.pop("seconds").keys()
    assert one == other
    assert kept.load(out) == kept.load(tmp_path / "whole")
    assert sorted(os.listdir(out)) == sorted(os.listdir(tmp_path / "whole"))


def test_another_seed_takes_nothing_over(trained, stored, tmp_path, stopping):
    asked = words("evaluate", trained, stored)
    assert skelray(*asked, tmp_path) == 130
    assert skelray(*asked, tmp_path, "--seed", "1") == 0
    assert stopping == ["knn", "signals", "linear", "knn", "signals", "linear"]


@pytest.mark.parametrize("command", ["evaluate", "transfer"])
def test_two_do_not_write_to_one_folder(trained, stored, tmp_path, capsys, command):
    with alone(tmp_path, "busy"):
        assert skelray(*words(command, trained, stored), tmp_path) == 2
    assert f"another process writes to {tmp_path}; wait for it, or choose another --out" in said(capsys)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("command", ["evaluate", "transfer"])
@pytest.mark.parametrize(("name", "what"), [
    ("run", "a trial"), ("w/model.safetensors", "weights"), ("sweep/sweep.yaml", "a sweep"), ("m/MLmodel", "a model"),
])  # fmt: skip
def test_a_folder_that_is_something_else_is_not_written_to(trained, stored, tmp_path, capsys, command, name, what):
    if name == "run":
        shutil.copytree(trained, tmp_path / "run")
    else:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    out = tmp_path / name.split("/")[0]
    before = sorted(os.listdir(out))
    assert skelray(*words(command, trained, stored), out) == 2
    assert f"--out {out} is the folder of {what}; choose one of its own" in said(capsys)
    assert sorted(os.listdir(out)) == before


@pytest.mark.parametrize("command", ["evaluate", "transfer"])
def test_a_full_disk_is_told_and_what_was_measured_is_kept(trained, stored, tmp_path, capsys, monkeypatch, command):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("skelray.atomic.flush", full)
        assert skelray(*words(command, trained, stored), tmp_path) == 2
    told = said(capsys)
    assert f"--out {tmp_path} cannot be written: No space left on device; the same command goes on from" in told
    assert os.listdir(tmp_path) == ["unfinished.jsonl"]
    monkeypatch.setattr(evaluate, "measure", full)  # not asked again
    assert skelray(*words(command, trained, stored), tmp_path) == 0


def test_a_finding_comes_back_as_it_was(trained, stored):
    case = trial.prepare(TrialConfig.model_validate(tiny(store=stored))).case()
    found = evaluate.measure("knn", case, TrialConfig.model_validate(tiny(store=stored)).evaluate.knn)
    again = kept.outcome(json.loads(json.dumps(kept.plain(found))))
    assert again.metrics == found.metrics
    assert again.predictions["knn"].accuracy() == found.metrics["knn"]
    assert (again.predictions["knn"].clips == found.predictions["knn"].clips).all()

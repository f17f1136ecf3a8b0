"""What people do wrong with an encoder and a store: said before anything is measured, and nothing measured is lost."""

import json
from dataclasses import replace

import pytest
import torch
from shell import skelray
from tiny_trial import Heard, tiny
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import stored as stored

from skelray import evaluate, trial
from skelray.data import store
from skelray.evaluate.case import Outcome
from skelray.train import Diverged
from skelray.trial_config import TrialConfig

CLASSES = ("slow", "middle", "fast")


@pytest.fixture(scope="module")
def trained(stored, tmp_path_factory):
    """The folder of a trial on the swaying clips."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=folder, report=Heard())
    return folder


@pytest.fixture
def few(clips, five_joints, tmp_path) -> str:
    """Two training clips of one class, whose subjects nobody knows, so that one is left to fit on."""
    some = [clips[0], clips[3], *(clip for clip in clips[36:45] if clip.label == 0)]
    store.write(tmp_path / "few.arrow", [replace(clip, subject=-1) for clip in some], five_joints, "few", CLASSES)
    return str(tmp_path / "few.arrow")


def said(capsys) -> str:
    error = " ".join(capsys.readouterr().err.split())
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize("protocol", ["linear", "linear --test", "robustness --test", "knn,linear", "finetune"])
def test_what_cannot_be_fitted_on_one_clip_is_refused_before_anything_is_read(trained, few, tmp_path, capsys, protocol):
    out = tmp_path / "out"
    for words in (["evaluate", trained, few], ["transfer", "--from", trained, "--to", few]):
        assert skelray(*words, "--protocol", *protocol.split(), "--out", out) == 2
        assert "few has 1 clip to fit on, without validation; 2 are the least" in said(capsys)
    assert not out.exists()


def test_one_of_two_subjects_can_be_held_out(trained, clips, five_joints, tmp_path, capsys):
    some = [clip for clip in clips if clip.subject in (0, 1, 7)]
    store.write(tmp_path / "two.arrow", some, five_joints, "two", CLASSES)
    words = ["evaluate", trained, tmp_path / "two.arrow", "--protocol", "knn", "--out", tmp_path / "out"]
    assert skelray(*words, "--val-subjects", "2") == 2
    assert "cannot hold out 2 and train on others; 1 can be held out at most" in said(capsys)
    assert skelray(*words, "--val-subjects", "1") == 0


@pytest.mark.parametrize(("words", "due"), [
    (["--split", ""], 'cannot be split by ""'),
    (["--threads", "999999999999"], "--threads"),
    (["--set", "linear.epochs=0"], "linear.epochs"),
    (["--set", "linear.lr=[1e300]"], "learning rates above 0, at most 1e+30"),
    (["--protocol", "knn,robustness", *(word for name in (
        "dropped_frames", "frame_rate_divisor", "occluded", "joint_noise_metres", "view_degrees",
    ) for word in ("--set", f"robustness.{name}=[]"))], "robustness: nothing that is asked for can be done"),
])  # fmt: skip
def test_what_is_no_value_is_refused(trained, stored, tmp_path, capsys, words, due):
    assert skelray("evaluate", trained, stored, *words, "--out", tmp_path / "out") == 2
    assert due in said(capsys)
    if words[0] != "--split":
        assert skelray("transfer", "--from", trained, "--to", stored, *words, "--out", tmp_path / "out") == 2
        assert due in said(capsys)


@pytest.mark.parametrize("place", ["folder", "below a file"])
def test_a_ledger_that_cannot_be_written_is_refused_before_work(trained, stored, tmp_path, capsys, place):
    (tmp_path / "file").write_text("")
    ledger = tmp_path if place == "folder" else tmp_path / "file/ledger.jsonl"
    words = ["--protocol", "knn", "--test", "--ledger", ledger, "--out", tmp_path / "out"]
    assert skelray("evaluate", trained, stored, *words) == 2
    assert f"--ledger {ledger} is no file that could be written: the test side stays closed" in said(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [
    ["evaluate", "nowhere", "STORE"], ["evaluate", "RUN", "nowhere"], ["evaluate", "RUN", "STORE", "--split", "no"],
    ["evaluate", "RUN", "STORE", "--val-subjects", "99"], ["transfer", "--from", "nowhere", "--to", "STORE"],
    ["transfer", "--from", "RUN", "--to", "STORE", "--protocol", "generation"],
])  # fmt: skip
def test_what_is_refused_leaves_no_folder_and_touches_none(trained, stored, tmp_path, words):
    """Nor any above it; a folder that was there stays."""
    asked = [{"RUN": trained, "STORE": stored}.get(word, word) for word in words]
    (tmp_path / "mine").mkdir()
    for out in ("new/deep", "mine"):
        assert skelray(*asked, "--out", tmp_path / out) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("words", [["evaluate", "RUN", "STORE"], ["transfer", "--from", "RUN", "--to", "STORE"]])
def test_what_could_not_be_measured_leaves_no_folder(trained, stored, tmp_path, monkeypatch, words):
    def failing(name, case, cfg):
        raise Diverged("the loss is not finite")

    monkeypatch.setattr(evaluate, "measure", failing)
    asked = [{"RUN": trained, "STORE": stored}.get(word, word) for word in words]
    assert skelray(*asked, "--protocol", "knn", "--out", tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()


def test_what_was_measured_before_a_protocol_failed_is_kept(trained, stored, tmp_path, capsys, monkeypatch):
    measure = evaluate.measure

    def failing(name, case, cfg):
        if name == "linear":
            raise Diverged("the loss is not finite")
        return measure(name, case, cfg)

    monkeypatch.setattr(evaluate, "measure", failing)
    words = ["evaluate", trained, stored, "--protocol", "knn,linear", "--test", "--out", tmp_path]
    assert skelray(*words) == 2
    assert "linear cannot be measured: the loss is not finite; " in said(capsys)
    told = json.loads((tmp_path / "evaluation.json").read_text())
    assert "knn" in told["metrics"]
    assert "linear" not in told["metrics"]
    assert len((tmp_path / "test_ledger.jsonl").read_text().splitlines()) == 1


def rows(out) -> list[dict]:
    return json.loads((out / "transfer.json").read_text())


def test_each_encoder_is_measured_untrained_too(trained, stored, tmp_path, capsys):
    words = ["transfer", "--from", trained, "--to", stored, "--set", "linear.epochs=2", "--out"]
    assert skelray(*words, tmp_path / "both", "--test") == 0
    own, floor = rows(tmp_path / "both")
    assert (own["floor"], floor["floor"]) == (False, True)
    assert own["encoder"]["sha256"] != floor["encoder"]["sha256"]
    assert own["config"]["linear"]["epochs"] == 2
    assert f"{trained}, untrained" in (tmp_path / "both/transfer.md").read_text()
    lines = [json.loads(line) for line in (tmp_path / "both/test_ledger.jsonl").read_text().splitlines()]
    assert [line.get("floor", False) for line in lines] == [False, True]

    assert skelray(*words, tmp_path / "alone", "--test", "--no-floor") == 0
    (alone,) = rows(tmp_path / "alone")
    assert alone["metrics"] == own["metrics"]

    assert skelray(*words, tmp_path / "again", "--test", "--seed", "1") == 0
    assert rows(tmp_path / "again")[1]["encoder"]["sha256"] != floor["encoder"]["sha256"]
    assert rows(tmp_path / "again")[0]["encoder"]["sha256"] == own["encoder"]["sha256"]


def test_an_untrained_encoder_is_that_of_a_trial_before_training(trained, stored, tmp_path):
    """By the same seed: what a sweep calls its floor."""
    assert skelray("transfer", "--from", trained, "--to", stored, "--protocol", "knn", "--seed", "5",
                   "--out", tmp_path) == 0  # fmt: skip
    parts = trial.prepare(TrialConfig.model_validate(tiny(store=stored)))
    assert evaluate.measure("knn", parts.case(), parts.cfg.evaluate.knn).metrics == rows(tmp_path)[1]["metrics"]


def test_a_transfer_that_was_stopped_goes_on(trained, stored, tmp_path, monkeypatch):
    words = ["transfer", "--from", trained, "--to", stored, "--protocol", "knn", "--test", "--out"]
    assert skelray(*words, tmp_path / "whole") == 0
    measure, calls = evaluate.measure, []

    def stopped(name, case, cfg):
        calls.append(name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(name, case, cfg)

    monkeypatch.setattr(evaluate, "measure", stopped)
    out = tmp_path / "out"
    assert skelray(*words, out) == 130
    with (out / "unfinished.jsonl").open("a") as file:
        file.write('{"key": "cut sh')
    assert skelray(*words, out) == 0
    assert len(calls) == 3
    assert rows(out) == rows(tmp_path / "whole")
    assert len((out / "test_ledger.jsonl").read_text().splitlines()) == 2
    assert not (out / "unfinished.jsonl").exists()


def test_a_transfer_takes_threads(trained, stored, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "measure", lambda *_: Outcome({"knn": 1.0}))
    torch.set_num_threads(2)
    words = ["transfer", "--from", trained, "--to", stored, "--protocol", "knn", "--no-floor", "--out"]
    assert skelray(*words, tmp_path / "one") == 0
    assert skelray(*words, tmp_path / "two", "--threads", "2") == 0
    assert [rows(tmp_path / name)[0]["threads"] for name in ("one", "two")] == [1, 2]

"""`skelray evaluate`: what it writes, what it reads of the test side, what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
from shell import skelray
from tiny_store import tiny_clips, tiny_store
from tiny_trial import Heard, tiny
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import seen as seen
from tiny_trial import stored as stored

from skelray import skeletons, trial
from skelray.data import store
from skelray.trial_config import TrialConfig


@pytest.fixture(scope="module")
def trained(stored, tmp_path_factory):
    """The folder of a trial on the swaying clips."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=folder, report=Heard())
    return folder


def read(out) -> dict:
    return json.loads((out / "evaluation.json").read_text())


def test_validation_clips_are_scored_as_the_trial_scored_them_and_no_test_clip_is_read(
    trained, stored, tmp_path, seen, capsys
):
    quick = ["--set", "linear.epochs=5", "--seed", "5", "--out", tmp_path]
    assert skelray("evaluate", trained, stored, *quick) == 0
    assert set(seen) == set(range(36))
    told = read(tmp_path)
    parts = trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=trained, report=Heard())
    assert {name: told["metrics"][name] for name in ("linear", "knn", "knn_5")} == {
        name: parts[f"val/{name}"] for name in ("linear", "knn", "knn_5")
    }
    assert (told["side"], told["clips"]) == ("val", {"training": 27, "scored": 9})
    assert not (tmp_path / "test_ledger.jsonl").exists()
    shown = capsys.readouterr().out
    assert f"{100 * told['metrics']['linear']:.2f} %" in shown
    assert "val/linear_lr" in shown


def test_the_test_side_is_opened_once_for_all_protocols(trained, stored, tmp_path):
    words = ["evaluate", trained, stored, "--test", "--set", "linear.epochs=5", "--out", tmp_path]
    assert skelray(*words, "--protocol", "linear, knn") == 0
    (line,) = map(json.loads, (tmp_path / "test_ledger.jsonl").read_text().splitlines())
    assert (line["who"], line["protocols"], line["clips"]) == ("skelray evaluate", ["linear", "knn"], 12)
    told, predictions = read(tmp_path), json.loads((tmp_path / "predictions.json").read_text())
    assert (told["side"], told["clips"]) == ("test", {"training": 36, "scored": 12})
    for metric in ("linear", "knn", "knn_20"):
        columns = predictions[metric]
        assert np.mean(np.array(columns["label"]) == np.array(columns["predicted"])) == told["metrics"][metric]


def test_another_ledger_and_other_subjects_may_be_named(trained, stored, tmp_path):
    words = ["evaluate", trained, stored, "--protocol", "knn", "--val-subjects", "2"]
    assert skelray(*words, "--out", tmp_path / "a", "--test", "--ledger", tmp_path / "mine.jsonl") == 0
    assert (tmp_path / "mine.jsonl").exists()
    assert not (tmp_path / "a/test_ledger.jsonl").exists()
    assert skelray(*words, "--out", tmp_path / "b") == 0
    assert read(tmp_path / "b")["clips"] == {"training": 18, "scored": 18}


def test_what_trains_goes_through_the_same_command(trained, stored, tmp_path):
    settings = [f"finetune.{each}" for each in ("epochs=1", "hidden=4")] + ["linear.form=full", "linear.epochs=2"]
    words = [word for each in settings for word in ("--set", each)]
    out = tmp_path / "out"
    assert skelray("evaluate", trained, stored, "--protocol", "linear,finetune", *words, "--out", out) == 0
    assert {"linear", "finetune"} <= read(out)["metrics"].keys()
    assert read(out)["config"]["linear"]["form"] == "full"


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> dict[str, str]:
    """A store of another layout, and one whose training side lacks a class that its test side has."""
    folder = tmp_path_factory.mktemp("others")
    tiny_store(folder / "twenty.arrow")
    some = [clip for clip in tiny_clips() if clip.camera == 3 or clip.label != 1]
    store.write(folder / "lacking.arrow", some, skeletons.layout("kinect20"), "nw-ucla", ("sit", "stand", "walk"))
    return {name: str(folder / f"{name}.arrow") for name in ("twenty", "lacking")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--protocol", "liner"], "no protocol 'liner'; did you mean \"linear\""),
        (["--protocol", " ,"], "--protocol: name one or more of finetune, generation, knn"),
        (["--set", "linear.epoch=3"], 'linear.epoch: unknown key; did you mean "epochs"'),
        (["--set", "finetune.epochs=3"], "finetune is none of the protocols that are asked for"),
        (["--set", "linear"], "key=value is due"),
        (["--protocol", "semi", "--set", "semi.shares=[0.01]"], "evaluate.semi.shares: 1 % of 36 training clips are 0"),
        (["--protocol", "generation"], "generates no clips"),
        (["--val-subjects", "9"], "cannot hold out 9"),
        (["--split", "xview"], "cannot be split by"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(trained, stored, tmp_path, capsys, words, said):
    assert skelray("evaluate", trained, stored, *words, "--out", tmp_path / "out") == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out/evaluation.json").exists()


def test_an_encoder_of_another_layout_is_refused_and_told_where_to_go(trained, others, tmp_path, capsys):
    assert skelray("evaluate", trained, others["twenty"], "--out", tmp_path) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "trained on 5 joints of 3 coordinates (five)" in error
    assert "`skelray transfer` finds joints by their names" in error


def test_a_class_that_only_the_test_side_has_is_refused_before_it_is_opened(others, tmp_path, capsys):
    settings = tiny(store=others["twenty"], train={"batch": 8})
    settings["data"]["split"] = "xview"
    trial.run(TrialConfig.model_validate(settings), folder=tmp_path / "run", report=Heard())
    words = ["evaluate", tmp_path / "run", others["lacking"], "--test", "--protocol", "knn", "--out", tmp_path / "out"]
    assert skelray(*words) == 2
    assert "knn: nw-ucla has no clip of stand on the training side" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out/test_ledger.jsonl").exists()


def test_an_evaluation_is_not_overwritten_by_chance(trained, stored, tmp_path, capsys):
    words = ["evaluate", trained, stored, "--protocol", "knn", "--out", tmp_path]
    assert skelray(*words) == 0
    assert skelray(*words) == 2
    assert "holds an evaluation; choose another --out, or replace it with --force" in capsys.readouterr().err
    assert skelray(*words, "--force", "--seed", "3") == 0
    assert read(tmp_path)["seed"] == 3


def test_clips_that_the_encoder_was_trained_on_are_told(trained, stored, tmp_path, recwarn):
    quick = ["--protocol", "knn"]
    assert skelray("evaluate", trained, stored, *quick, "--out", tmp_path / "own") == 0
    assert read(tmp_path / "own")["met_in_pretraining"] == 0
    assert not [each for each in recwarn if "without labels" in str(each.message)]

    final = tmp_path / "final"
    trial.final(
        TrialConfig.model_validate(tiny(store=stored)),
        folder=final,
        report=Heard(),
        ledger=tmp_path / "opened.jsonl",
        protocols=["knn"],
    )
    with pytest.warns(UserWarning, match=r"without labels, on 9 of the 9 validation clips of tiny:given"):
        assert skelray("evaluate", final, stored, *quick, "--out", tmp_path / "val") == 0
    assert read(tmp_path / "val")["met_in_pretraining"] == 9
    assert skelray("evaluate", final, stored, *quick, "--test", "--out", tmp_path / "test") == 0
    assert read(tmp_path / "test")["met_in_pretraining"] == 0


def test_the_test_side_of_another_split_is_told_where_the_encoder_was_trained_on_it(clips, five_joints, tmp_path):
    both = [
        replace(clip, sides=clip.sides | {"other": int(number < 6)}) for number, clip in enumerate(clips)
    ]  # six training clips of the one are the test side of the other
    store.write(tmp_path / "two.arrow", both, five_joints, "tiny", ("slow", "middle", "fast"))
    folder, words = tmp_path / "run", ["--split", "other", "--protocol", "knn", "--test"]
    settings = TrialConfig.model_validate(tiny(store=str(tmp_path / "two.arrow")))
    trial.final(settings, folder=folder, report=Heard(), ledger=tmp_path / "opened.jsonl", protocols=["knn"])
    with pytest.warns(UserWarning, match="on 6 of the 6 test clips of tiny:other"):
        assert skelray("evaluate", folder, tmp_path / "two.arrow", *words, "--out", tmp_path / "out") == 0
    assert read(tmp_path / "out")["met_in_pretraining"] == 6

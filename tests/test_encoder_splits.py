"""An encoder is measured on its own split of the store that it was trained on; of other stores one is asked for."""

import json
import shutil
from dataclasses import replace

import pytest
from shell import skelray
from tiny_trial import Heard, tiny
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread

from skelray import trial
from skelray.data import store
from skelray.trial_config import TrialConfig

CLASSES = ("slow", "middle", "fast")
KNN = ["--protocol", "knn"]


@pytest.fixture(scope="module")
def places(clips, five_joints, tmp_path_factory) -> dict[str, str]:
    """Stores of two splits: `a`, a copy of it, and `b` with a clip less; a trial on a's split `given`."""
    folder = tmp_path_factory.mktemp("splits")
    both = [replace(clip, sides=clip.sides | {"also": number % 2}) for number, clip in enumerate(clips)]
    store.write(folder / "a.arrow", both, five_joints, "a", CLASSES)
    store.write(folder / "b.arrow", both[:-1], five_joints, "b", CLASSES)
    shutil.copy(folder / "a.arrow", folder / "copy.arrow")
    settings = TrialConfig.model_validate(tiny(store=str(folder / "a.arrow")))
    trial.run(settings, folder=folder / "run", report=Heard())
    return {name: str(folder / name) for name in ("a.arrow", "copy.arrow", "b.arrow", "run")}


def said(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("which", ["a.arrow", "copy.arrow"])
def test_an_encoder_is_measured_on_its_own_split_of_the_store_that_it_was_trained_on(places, which, tmp_path, capsys):
    assert skelray("evaluate", places["run"], places[which], *KNN, "--out", tmp_path / "own") == 0
    assert "val side of a:given, the split that the encoder was trained on" in said(capsys.readouterr().out)
    assert skelray("evaluate", places["run"], places[which], "--split", "given", *KNN, "--out", tmp_path / "named") == 0
    own, named = (json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("own", "named"))
    assert (own["store"]["name"], own["metrics"]) == ("a:given", named["metrics"])
    assert own["store"]["own_split"] is named["store"]["own_split"] is True


def test_another_split_may_be_named(places, tmp_path, capsys):
    words = ["evaluate", places["run"], f"{places['a.arrow']}:also", *KNN, "--out", tmp_path]
    with pytest.warns(UserWarning, match="trained, without labels"):
        assert skelray(*words) == 0
    told = said(capsys.readouterr().out)
    assert "val side of a:also" in told
    assert "the split that the encoder was trained on" not in told
    assert json.loads((tmp_path / "evaluation.json").read_text())["store"]["own_split"] is False


def test_a_folder_of_weights_knows_its_split_too(places, tmp_path, capsys):
    assert skelray("weights", "export", places["run"], tmp_path / "weights") == 0
    assert skelray("evaluate", tmp_path / "weights", places["a.arrow"], *KNN, "--out", tmp_path / "out") == 0
    assert "val side of a:given, the split that" in said(capsys.readouterr().out)


@pytest.mark.parametrize("words", [["evaluate", "run", "b.arrow"], ["transfer", "--from", "run", "--to", "b.arrow"]])
def test_on_a_store_that_is_new_to_it_a_split_is_asked_for(places, words, capsys):
    assert skelray(*(places.get(word, word) for word in words), *KNN) == 2
    assert "b has the splits given, also; name one of them, as" in said(capsys.readouterr().err)


def test_transfer_takes_the_split_of_each_encoder_and_says_so(places, tmp_path, capsys):
    words = ["transfer", "--from", places["run"], "--to", places["a.arrow"], "--to", f"{places['b.arrow']}:also"]
    assert skelray(*words, *KNN, "--out", tmp_path) == 0
    rows = json.loads((tmp_path / "transfer.json").read_text())
    assert [(row["to"], row["floor"]) for row in rows] == [
        (where, floor) for floor in (False, True) for where in ("a:given", "b:also")
    ]
    told = said(capsys.readouterr().err)
    assert "run on a:given, the split that it was trained on: measured" in told
    assert "run, untrained on a:given: measured" in told
    assert "run on b:also: measured" in told

"""Folders of weights and of trials that somebody edited: refused in one sentence, before anything large is made."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_trial import Heard, tiny
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import stored as stored

from skelray import checkpoint, methods, trial, weights
from skelray.errors import BadInput
from skelray.trial_config import TrialConfig
from skelray.weights import exported, tensors
from skelray.weights.folder import write


@pytest.fixture(scope="module")
def run(stored, tmp_path_factory) -> Path:
    """The folder of a trial."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=folder, report=Heard())
    return folder


@pytest.fixture
def kept(run, tmp_path) -> Path:
    """A folder of weights, to be edited."""
    weights.export(run, tmp_path / "kept")
    return tmp_path / "kept"


@pytest.fixture
def nothing_built(monkeypatch):
    def building(*_):
        raise AssertionError("built before the tensors were looked at")

    monkeypatch.setattr(tensors, "built", building)


def say(folder: Path, change) -> None:
    said = json.loads((folder / "config.json").read_text())
    change(said)
    (folder / "config.json").write_text(json.dumps(said))


def put(folder: Path, change) -> None:
    """Other tensors, and the sha256 that belongs to them."""
    save_file({name: change(each) for name, each in load_file(folder / "model.safetensors").items()},
              folder / "model.safetensors")  # fmt: skip
    say(folder, lambda said: said.update(sha256=checkpoint.digest(folder / "model.safetensors")))


@pytest.mark.parametrize(("size", "told"), [
    ({"width": 10**9}, "encoder.width: Input should be less than or equal to 65536, not 1000000000"),
    ({"depth": 10**9}, "encoder.depth: Input should be less than or equal to 1000, not 1000000000"),
    ({"frames": 10**9}, "encoder.frames: Input should be less than or equal to 100000, not 1000000000"),
    ({"width": 65_536}, "encoder.body.blocks.0.norm1.weight is 16 where 65536 is due"),
    ({"width": 32}, "is due and 35 more"),
])  # fmt: skip
def test_another_size_is_refused_before_it_is_built(kept, nothing_built, size, told):
    say(kept, lambda said: said["method"]["encoder"].update(size))
    with pytest.raises(BadInput, match=told):
        weights.load(kept)


def test_a_part_that_the_method_does_not_have_is_refused(kept, nothing_built):
    say(kept, lambda said: said["parts"].append("moon"))
    with pytest.raises(BadInput, match=r"model.safetensors cannot hold 'moon', which is no part of amr"):
        weights.load(kept)


@pytest.mark.parametrize(("change", "told"), [
    (lambda each: each * float("nan"), "numbers of decoder.* are not finite: its training diverged"),
    (torch.Tensor.half, "is float16 where float32 is due"),
    (torch.Tensor.long, "is int64 where float32 is due"),
])  # fmt: skip
def test_other_numbers_are_refused(kept, nothing_built, change, told):
    put(kept, change)
    with pytest.raises(BadInput, match=told):
        weights.load(kept)


@pytest.mark.parametrize("name", methods.available())
def test_a_method_is_planned_as_it_is_built(name, five_joints):
    config = methods.load(name).Config.model_validate(tiny(name, store="none")["method"])
    plan, due = tensors.planned(config, five_joints), tensors.built(config, five_joints).state_dict()
    assert {key: (each.shape, each.dtype) for key, each in plan.items()} == {
        key: (each.shape, each.dtype) for key, each in due.items()
    }


def test_a_trial_that_diverged_gives_no_weights(run, tmp_path):
    edited = shutil.copytree(run, tmp_path / "edited")
    for step in checkpoint.steps(edited):
        put_step(step, lambda each: each * float("nan") if each.is_floating_point() else each)
    with pytest.raises(BadInput, match=r"edited: numbers of .* are not finite: its training diverged"):
        exported.trained(edited, None)


def put_step(step: Path, change) -> None:
    held = load_file(step / "tensors.safetensors")
    save_file({name: change(each) for name, each in held.items()}, step / "tensors.safetensors")
    said = json.loads((step / "manifest.json").read_text())
    said["tensors.safetensors"] = checkpoint.digest(step / "tensors.safetensors")
    (step / "manifest.json").write_text(json.dumps(said))


@pytest.mark.parametrize("text", ["{", "[]", '{"metrics": 3}', "\udcff"])
def test_a_damaged_final_is_named(run, tmp_path, text):
    edited = shutil.copytree(run, tmp_path / "edited")
    (edited / "final.json").write_text(text, errors="surrogateescape")
    with pytest.raises(BadInput, match=r"edited/final.json is not what a final wrote; delete it to go on without"):
        exported.trained(edited, None)


def test_when_no_checkpoint_is_whole_that_is_said(run, tmp_path):
    edited = shutil.copytree(run, tmp_path / "edited")
    for step in checkpoint.steps(edited):
        (step / "tensors.safetensors").write_bytes(b"x")
    with (
        pytest.warns(UserWarning, match="is passed over"),
        pytest.raises(BadInput, match=r"none of the 2 checkpoints in .*edited is whole"),
    ):
        exported.trained(edited, None)


def test_what_is_exported_is_whole_again(kept, tmp_path):
    write(weights.folder.read(kept), tmp_path / "again")
    assert (tmp_path / "again/model.safetensors").read_bytes() == (kept / "model.safetensors").read_bytes()

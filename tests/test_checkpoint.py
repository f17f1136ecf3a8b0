"""A checkpoint is whole or it does not count; the one before it is used instead."""

import json

import pytest
import torch

from skelray import checkpoint


def state(step: int) -> dict:
    weight = torch.nn.Parameter(torch.full((3, 2), float(step)))
    stepper = torch.optim.AdamW([weight], lr=1e-3, betas=(0.9, 0.95))
    weight.grad = torch.ones_like(weight)
    stepper.step()
    return {"step": step, "model": {"a.weight": weight}, "optimiser": stepper.state_dict()}


def test_what_was_saved_comes_back_unchanged(tmp_path):
    saved = state(7)
    checkpoint.save(tmp_path, saved)
    loaded = checkpoint.latest(tmp_path)
    assert loaded["step"] == 7
    assert torch.equal(loaded["model"]["a.weight"], saved["model"]["a.weight"])
    moments = loaded["optimiser"]["state"][0]
    assert torch.equal(moments["exp_avg_sq"], saved["optimiser"]["state"][0]["exp_avg_sq"])
    assert moments["step"].dtype == torch.float32
    stepper = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(3, 2))])
    stepper.load_state_dict(loaded["optimiser"])
    assert stepper.param_groups[0]["lr"] == 1e-3


def test_the_newest_two_are_kept(tmp_path):
    for step in (1, 2, 10):
        checkpoint.save(tmp_path, state(step))
    assert [path.name for path in checkpoint.steps(tmp_path)] == ["step-000000010", "step-000000002"]
    assert checkpoint.latest(tmp_path)["step"] == 10


def test_saving_the_same_step_again_replaces_it(tmp_path):
    checkpoint.save(tmp_path, state(3))
    other = state(3)
    other["model"]["a.weight"] = torch.ones(1)
    checkpoint.save(tmp_path, other)
    assert torch.equal(checkpoint.latest(tmp_path)["model"]["a.weight"], torch.ones(1))


def test_an_empty_folder_has_none(tmp_path):
    assert checkpoint.latest(tmp_path) is None
    assert checkpoint.latest(tmp_path / "absent") is None


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("damage", [truncate, flip, lambda path: path.unlink()])
@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json", "manifest.json"])
def test_a_torn_or_altered_one_is_refused_and_the_one_before_is_used(tmp_path, damage, file):
    for step in (1, 2):
        checkpoint.save(tmp_path, state(step))
    damage(tmp_path / "step-000000002" / file)
    with pytest.warns(UserWarning, match="is passed over"):
        assert checkpoint.latest(tmp_path)["step"] == 1


def test_without_a_whole_one_there_is_none(tmp_path):
    checkpoint.save(tmp_path, state(1))
    flip(tmp_path / "step-000000001" / "tensors.safetensors")
    with pytest.warns(UserWarning, match="sha256"):
        assert checkpoint.latest(tmp_path) is None


def test_a_manifest_that_lists_nothing_vouches_for_nothing(tmp_path):
    checkpoint.save(tmp_path, state(1))
    folder = tmp_path / "step-000000001"
    (folder / "manifest.json").write_text(json.dumps({}))
    with pytest.warns(UserWarning, match="is passed over"):
        assert checkpoint.latest(tmp_path) is None


def test_a_kill_while_writing_leaves_the_one_before(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, state(1))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "flush", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save(tmp_path, state(2))
    assert checkpoint.latest(tmp_path)["step"] == 1
    checkpoint.save(tmp_path, state(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000001", "step-000000003"]


def test_torn_ones_of_later_steps_do_not_push_out_what_is_saved_after_them(tmp_path):
    for step in (8, 9):
        checkpoint.save(tmp_path, state(step))
        flip(tmp_path / f"step-{step:09d}" / "tensors.safetensors")
    assert checkpoint.save(tmp_path, state(1)).is_dir()
    assert checkpoint.latest(tmp_path)["step"] == 1

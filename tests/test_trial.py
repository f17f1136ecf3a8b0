"""A trial: what running it promises."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_trial import Heard, Killed, same, tiny, weights
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import seen as seen
from tiny_trial import stored as stored

from skelray import checkpoint, methods, trial
from skelray.data import splits, store
from skelray.errors import BadInput
from skelray.trial_config import TrialConfig


def test_a_trial_reports_val_metrics_at_even_points_and_returns_the_last(stored, tmp_path):
    heard = Heard()
    config = TrialConfig.model_validate(tiny(store=stored))
    last = trial.run(config, folder=tmp_path, report=heard)
    assert [clips for clips, _ in heard] == [16, 32, 48, 64]
    assert heard[-1][1] == last
    assert {"train/loss", "val/linear", "val/linear_lr", "val/knn"} <= last.keys()
    assert not any(name.startswith("test/") for name in last)
    assert 0 <= last["val/linear"] <= 1
    assert last["val/linear_lr"] in config.evaluate.linear.lr


def test_a_trial_reads_the_training_side_alone_and_trains_on_no_validation_clip(stored, tmp_path, seen, monkeypatch):
    monkeypatch.setattr(splits, "open_test", lambda *_, **__: pytest.fail("a trial opened the test side"))
    config = TrialConfig.model_validate(tiny(store=stored))
    selection = trial.prepare(config).selection
    trial.run(config, folder=tmp_path / "a", report=Heard())
    assert set(seen) == set(selection.everything.tolist()) == set(range(36))
    seen.clear()
    monkeypatch.setattr(trial.Prepared, "validate", lambda self: {})
    trial.run(config, folder=tmp_path / "b", report=Heard())
    assert set(seen) <= set(selection.train.tolist())


@pytest.mark.parametrize("name", methods.available())
def test_a_trial_stopped_at_any_report_goes_on_to_the_same_numbers_bit_for_bit(name, stored, tmp_path):
    config = TrialConfig.model_validate(tiny(name, store=stored))
    whole = Heard()
    last = trial.run(config, folder=tmp_path / "whole", report=whole)
    for stop in (1, 2, 3, 4):
        first, again = Heard(last=stop), Heard()
        with pytest.raises(Killed):
            trial.run(config, folder=tmp_path / str(stop), report=first)
        assert trial.run(config, folder=tmp_path / str(stop), report=again) == last
        assert first == whole[:stop]
        assert again == whole[stop - 1 :]  # the report that was cut off is told again
        assert same(weights(tmp_path / str(stop)), weights(tmp_path / "whole"))


def test_looking_does_not_move_what_is_looked_at(stored, tmp_path, monkeypatch):
    config = TrialConfig.model_validate(tiny(store=stored))
    trial.run(config, folder=tmp_path / "seen", report=Heard())
    seldom = TrialConfig.model_validate(tiny(store=stored, train={"reports": 1}))
    trial.run(seldom, folder=tmp_path / "seldom", report=Heard())
    monkeypatch.setattr(trial.Prepared, "validate", lambda self: {})
    trial.run(config, folder=tmp_path / "unseen", report=Heard())
    assert same(weights(tmp_path / "seen"), weights(tmp_path / "unseen"))
    assert same(weights(tmp_path / "seen"), weights(tmp_path / "seldom"))


def test_the_state_of_the_process_does_not_reach_a_trial(stored, tmp_path):
    config = TrialConfig.model_validate(tiny(store=stored))
    torch.manual_seed(1)
    first = trial.run(config, folder=tmp_path / "a", report=Heard())
    torch.manual_seed(2)
    assert trial.run(config, folder=tmp_path / "b", report=Heard()) == first
    other = TrialConfig.model_validate(tiny(store=stored, seed=6))
    assert trial.run(other, folder=tmp_path / "c", report=Heard())["train/loss"] != first["train/loss"]


def test_features_are_taken_in_eval_mode_and_training_goes_on_in_train_mode(stored, monkeypatch):
    parts = trial.prepare(TrialConfig.model_validate(tiny(store=stored)))
    modes = []
    pretrained = type(parts.method).pretrained

    def spied(self, x):
        modes.append(any(module.training for module in self.modules()))
        return pretrained(self, x)

    monkeypatch.setattr(type(parts.method), "pretrained", spied)
    for training in (True, False):
        parts.method.train(training)
        parts.validate()
        assert parts.method.training is training
    assert modes
    assert not any(modes)


def test_trials_of_different_seeds_meet_the_same_validation_clips_and_start_from_other_weights(stored):
    first, second = (trial.prepare(TrialConfig.model_validate(tiny(store=stored, seed=seed))) for seed in (1, 2))
    assert first.selection.val.tolist() == second.selection.val.tolist()
    assert not same(first.method.state_dict(), second.method.state_dict())


def test_a_folder_of_another_trial_is_refused(stored, tmp_path):
    trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=tmp_path, report=Heard())
    with pytest.raises(BadInput, match="another trial"):
        trial.run(TrialConfig.model_validate(tiny(store=stored, seed=6)), folder=tmp_path, report=Heard())


def test_a_store_that_changed_since_the_sweep_began_is_refused_before_anything_starts(stored, tmp_path):
    config = TrialConfig.model_validate(tiny(store=stored))
    with pytest.raises(BadInput, match="changed since the sweep began"):
        trial.run(config, folder=tmp_path / "run", report=Heard(), fingerprint="0" * 64)
    assert not (tmp_path / "run").exists()
    trial.prepare(config, fingerprint=store.open(Path(stored)).fingerprint)


def test_a_batch_larger_than_an_epoch_is_refused_before_anything_starts(stored, tmp_path):
    config = TrialConfig.model_validate(tiny(store=stored, train={"batch": 32}))
    with pytest.raises(BadInput, match=r"train\.batch: 32 clips do not fit into an epoch of 27"):
        trial.run(config, folder=tmp_path / "run", report=Heard())
    assert not (tmp_path / "run").exists()


def test_only_the_first_worker_measures_and_saves(stored, tmp_path):
    heard = Heard()
    trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=tmp_path, report=heard, rank=1, world=2)
    assert len(heard) == 4
    assert all(name.startswith("train/") for _, metrics in heard for name in metrics)
    assert checkpoint.latest(tmp_path) is None


def test_settling_gives_the_process_the_threads_of_the_trial(stored):
    trial.settle(TrialConfig.model_validate(tiny(store=stored, train={"threads": 2})))
    assert torch.get_num_threads() == 2


@pytest.mark.slow
def test_a_short_training_lifts_the_encoder_above_the_random_one(tmp_path, monkeypatch):
    """Over two seeds and both protocols, on the synthetic set: no single number is sure at this size, their mean is."""
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path))
    gains = []
    for seed in (0, 1):
        document = tiny(store="synthetic", seed=seed, train={"clips": 4096, "batch": 64, "reports": 1})
        document["data"]["split"] = "xsub"
        encoder = {"frames": 48, "patch": 4, "width": 64, "depth": 3, "heads": 4}
        document["method"] = {"name": "amr", "encoder": encoder, "decoder_depth": 2, "crop_minimum": 16}
        config = TrialConfig.model_validate(document | {"evaluate": {}})
        floor = trial.prepare(config).validate()
        trained = trial.run(config, folder=tmp_path / str(seed), report=Heard())
        gains += [trained[name] - floor[name] for name in ("val/linear", "val/knn")]
    assert np.mean(gains) > 0


def test_what_an_older_version_began_is_continued(stored, tmp_path):
    config = TrialConfig.model_validate(tiny(store=stored))
    whole = trial.run(config, folder=tmp_path / "whole", report=Heard())
    with pytest.raises(Killed):
        trial.run(config, folder=tmp_path / "cut", report=Heard(last=2))
    state = checkpoint.latest(tmp_path / "cut")
    known = json.loads(state["identity"]["trial"])
    del known["method"]["bodies"], known["optim"]["clip_parts"], known["optim"]["weight_decay_end"]
    state["identity"]["trial"] = json.dumps(known)
    for group in state["optimiser"]["param_groups"]:
        del group["rate"], group["decays"]
    checkpoint.save(tmp_path / "cut", state)
    assert trial.run(config, folder=tmp_path / "cut", report=Heard()) == whole
    known["optim"]["lr"] = 0.5
    state["identity"]["trial"] = json.dumps(known)
    checkpoint.save(tmp_path / "other", state)
    with pytest.raises(BadInput, match="another trial"):
        trial.run(config, folder=tmp_path / "other", report=Heard())


def test_a_final_that_an_older_version_ended_does_not_open_the_test_again(stored, tmp_path):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    found = trial.final(config, folder=tmp_path / "run", report=Heard(), ledger=ledger)
    ended = json.loads((tmp_path / "run/final.json").read_text())
    known = json.loads(ended["identity"]["trial"])
    del known["method"]["bodies"]
    ended["identity"]["trial"] = json.dumps(known)
    (tmp_path / "run/final.json").write_text(json.dumps(ended))
    assert trial.final(config, folder=tmp_path / "run", report=Heard(), ledger=ledger) == found
    assert len(ledger.read_text().splitlines()) == 1

"""The probe on augmented views and the one that keeps joints, against the fast form and by hand."""

import json

import pytest
import torch
from tiny_trial import Heard, tiny
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import seen as seen
from tiny_trial import stored as stored

from skelray import evaluate, trial
from skelray.batch import View
from skelray.data.loader import Loader
from skelray.evaluate import linear
from skelray.evaluate.features import Labelled, of_clips, pooled
from skelray.evaluate.linear import LinearConfig
from skelray.trial_config import TrialConfig


def prepared(stored: str, method: str = "mamp") -> trial.Prepared:
    return trial.prepare(TrialConfig.model_validate(tiny(method, store=stored)))


@pytest.mark.parametrize("keep", ["all", "joints"])
def test_on_views_that_never_change_the_full_form_is_the_fast_one(stored, keep):
    case = prepared(stored).case()
    clips, joints = case.selection.train, 5 if keep == "joints" else None
    cfg = LinearConfig(form="full", keep=keep, dropout=0.0, epochs=6, crop=(1.0, 1.0), augment=(), lr=(0.1, 1.0))
    heads = linear.fit_on_views(case, clips, cfg, joints)
    whole = Loader(case.pool, clips, (View(frames=12, crop=(1.0, 1.0), augment=()),), seed=9).batch(0, len(clips))
    with torch.no_grad(), case.evaluating():
        known = Labelled(of_clips(case.method.pretrained, whole, joints), whole.label)
    torch.testing.assert_close(heads.weight, linear.fit(known, cfg, seed=case.seed).weight, rtol=1e-3, atol=1e-4)


def test_the_full_form_sees_other_views_and_leaves_the_encoder_alone(stored):
    case = prepared(stored).case()
    before, modes = {name: each.clone() for name, each in case.method.state_dict().items()}, set()
    case.method.encoder.register_forward_hook(lambda module, *_: modes.add((module.training, torch.is_grad_enabled())))
    case.method.train()
    cfg = LinearConfig(form="full", epochs=3)
    first = evaluate.measure("linear", case, cfg).metrics
    assert modes == {(False, False)}
    assert case.method.training
    assert all(before[name].equal(each) for name, each in case.method.state_dict().items())
    assert all(weight.grad is None for weight in case.method.parameters())
    assert evaluate.measure("linear", case, cfg).metrics == first
    still = linear.fit_on_views(case, case.selection.train, LinearConfig(form="full", epochs=3, augment=()), None)
    assert not linear.fit_on_views(case, case.selection.train, cfg, None).weight.equal(still.weight)


def test_tokens_are_dropped_only_where_joints_are_kept(stored):
    case = prepared(stored).case()

    def weight(**settings):
        joints = 5 if settings["keep"] == "joints" else None
        return linear.fit_on_views(
            case, case.selection.train, LinearConfig(form="full", epochs=2, **settings), joints
        ).weight

    assert not weight(keep="joints", dropout=0.3).equal(weight(keep="joints", dropout=0.0))
    assert weight(keep="all", dropout=0.3).equal(weight(keep="all", dropout=0.0))


def test_a_joint_keeps_the_mean_of_its_own_tokens():
    tokens = torch.arange(2 * 12 * 3.0).view(2, 12, 3)  # 4 steps of 3 joints
    found = pooled(tokens, 3)
    assert found.shape == (2, 9)
    for joint in range(3):
        torch.testing.assert_close(found[:, 3 * joint : 3 * joint + 3], tokens[:, joint::3].mean(1))
    torch.testing.assert_close(pooled(tokens, None), tokens.mean(1))


@pytest.mark.parametrize("form", ["fast", "full"])
@pytest.mark.parametrize("keep", ["all", "joints"])
def test_each_form_is_chosen_on_validation_and_opens_the_test_once(stored, tmp_path, seen, form, keep):
    settings = tiny(store=stored) | {"evaluate": {"linear": {"form": form, "keep": keep, "epochs": 20}}}
    cfg = TrialConfig.model_validate(settings)
    rest = {"folder": tmp_path / "run", "report": Heard(), "ledger": tmp_path / "ledger.jsonl"}
    found = trial.final(cfg, protocols=["linear"], **rest)
    assert found.keys() == {"test/linear", "test/linear_clean", "test/clips", "test/clips_clean"}
    assert max(seen[:-12]) < 36
    assert sorted(seen[-12:]) == list(range(36, 48))
    assert found["test/linear"] > 0.4  # of three classes
    (entry,) = map(json.loads, (tmp_path / "ledger.jsonl").read_text().splitlines())
    assert entry["protocols"] == ["linear"]


def test_an_older_config_of_the_probe_is_the_fast_form():
    old = '{"lr": [0.1, 1.0], "epochs": 100, "batch": 256, "momentum": 0.9}'
    cfg = LinearConfig.model_validate_json(old, strict=True)
    assert (cfg.form, cfg.keep) == ("fast", "all")

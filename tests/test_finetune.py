"""Fine-tuning: the published rates, the head by hand, and the same protocol for every method."""

import numpy as np
import pytest
import torch
from cases import CASES, build
from conftest import tiny_batch
from tiny_trial import Heard, tiny
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import seen as seen
from tiny_trial import stored as stored

from skelray import evaluate, trial
from skelray.evaluate.classifier import Classifier, fit
from skelray.evaluate.finetune import Config
from skelray.layers.drop import DropPath, spread
from skelray.optim import OptimConfig, optimiser
from skelray.trial_config import TrialConfig

SHORT = Config(epochs=2, hidden=8, batch=12)


def prepared(stored: str, method: str = "mamp", **rest) -> trial.Prepared:
    settings = tiny(method, store=stored, **rest)
    settings["method"]["encoder"]["depth"] = 2
    return trial.prepare(TrialConfig.model_validate(settings))


def state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in module.named_parameters()}


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not before[name].equal(after[name])}


def test_the_learning_rate_falls_from_the_head_to_the_embedding_as_published(five_joints):
    method = build("mamp", five_joints, encoder={"frames": 8, "patch": 2, "width": 8, "depth": 8, "heads": 2})
    model = Classifier(method, five_joints, 3, Config())
    made = optimiser(model, OptimConfig(lr=1.0, warmup=0.0))
    rate = {weight: group["lr"] for group in made.param_groups for weight in group["params"]}
    found = {name: rate[weight] for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name: round(lr, 3) for name, lr in found.items() if "blocks.0" in name or "embedding" in name} == {
        name: 0.168 if "blocks" in name else 0.134 for name in found if "blocks.0" in name or "embedding" in name
    }
    assert [found[f"backbone.body.blocks.{n}.norm1.weight"] for n in range(8)] == pytest.approx(
        [0.8 ** (8 - n) for n in range(8)]
    )
    assert {lr for name, lr in found.items() if name.startswith(("head.", "backbone.body.norm."))} == {1.0}
    assert not [name for name in found if "decoder" in name]


def test_from_scratch_every_layer_learns_at_the_whole_rate(five_joints):
    model = Classifier(build("mamp", five_joints), five_joints, 3, Config(from_scratch=True))
    assert set(model.rates(0.0).values()) == {1.0}


def test_the_head_reads_each_joint_averaged_over_time_and_present_bodies(five_joints):
    method = build("mamp", five_joints)
    model = Classifier(method, five_joints, 3, Config(hidden=4)).eval()
    batch = tiny_batch()
    features = []
    for clip in range(4):
        there = [body for body in range(2) if batch.present[clip, body]]
        tokens = method.pretrained(batch.views[0][clip, there])  # bodies, steps * joints, width
        features.append(torch.stack([tokens[:, joint::5].mean(1) for joint in range(5)], 1).flatten(1).mean(0))
    torch.testing.assert_close(model.logits(batch), model.head(torch.stack(features)))


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_method_is_tuned_through_what_evaluation_takes_and_stays_itself(name, stored):
    parts = prepared(stored, name)
    before = state(parts.method)
    model = fit(parts.method, parts.pool, parts.selection.train, SHORT, seed=3)
    assert not moved(before, state(parts.method))
    through = {f"{part}.{name}" for part, module in parts.method.named_children() if module is parts.method.backbone
               for name in state(module)}  # fmt: skip
    changed = moved(before, state(model.method))
    assert changed <= through
    unread = {name for name in through if name.endswith("mask_token")}  # stands for what is hidden, and nothing is
    assert through - changed == unread
    again = fit(parts.method, parts.pool, parts.selection.train, SHORT, seed=3)
    assert not moved(state(model), state(again))
    assert moved(state(model), state(fit(parts.method, parts.pool, parts.selection.train, SHORT, seed=4)))


@pytest.mark.parametrize("name", sorted(CASES))
def test_later_blocks_of_every_encoder_are_dropped_more_often(name, five_joints):
    method = build(name, five_joints)
    x = tiny_batch(frames=[view.frames for view in method.cfg.views]).counted()
    with torch.no_grad():
        for weight in method.parameters():
            weight.add_(0.1)  # gates that start at zero would hide what is dropped
    plain = method.train().pretrained(x)
    assert method.pretrained(x).equal(plain)  # nothing is dropped unless asked for
    spread(method.backbone.body.blocks, 0.4)
    rates = [
        {part.rate for part in block.modules() if isinstance(part, DropPath)} for block in method.backbone.body.blocks
    ]
    assert rates == [{0.0}, {0.4}]
    spread(method.backbone.body.blocks, 0.9)
    assert not method.pretrained(x).equal(plain)
    assert method.eval().pretrained(x).equal(plain)


def test_a_dropped_branch_is_dropped_whole_and_keeps_its_mean():
    drop = DropPath()
    drop.rate = 0.25
    torch.manual_seed(0)
    found = drop(torch.ones(4000, 2, 3)).flatten(1)
    assert (found == found[:, :1]).all()
    assert found.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert found.mean().item() == pytest.approx(1, abs=0.03)


def test_a_tuned_classifier_tells_classes_that_can_be_told(stored):
    cfg = Config(epochs=40, hidden=32, batch=12, lr=3e-3, drop_path=0.0)
    case = prepared(stored).case()
    assert evaluate.measure("finetune", case, cfg).metrics["finetune"] > 0.8


def test_from_scratch_does_not_see_the_pretrained_weights(stored):
    one, other = prepared(stored, "macdiff", seed=1), prepared(stored, "macdiff", seed=2)
    cfg = Config(**SHORT.model_dump() | {"from_scratch": True})
    first, second = (fit(parts.method, one.pool, one.selection.train, cfg, seed=3) for parts in (one, other))
    assert not moved(state(first), state(second))
    assert first.method.standard.mean.abs().max() > 0  # what it wants to know of the data is measured again


def test_the_test_side_is_read_when_the_classifier_stands_and_is_kept(stored, tmp_path, seen):
    config = TrialConfig.model_validate(tiny(store=stored) | {"evaluate": {"finetune": SHORT.model_dump()}})
    rest = {"folder": tmp_path / "run", "report": Heard(), "ledger": tmp_path / "ledger.jsonl"}
    found = trial.final(config, protocols=["finetune"], **rest)
    assert found.keys() == {"test/finetune", "test/finetune_clean", "test/clips", "test/clips_clean"}
    assert np.isin(seen[:-12], np.arange(36)).all()
    assert sorted(seen[-12:]) == list(range(36, 48))
    assert trial.final(config, protocols=["finetune"], **rest) == found
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("smoothing", 1.0), ("layer_decay", 0.0), ("drop_path", 1.0), ("batch", 1), ("augment", ["rotat"]),
     ("betas", [0.9, 1.0]), ("hidden", 0), ("crop", [0.5, 1.5])],
)  # fmt: skip
def test_a_recipe_that_cannot_be_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        Config.model_validate({field: value})

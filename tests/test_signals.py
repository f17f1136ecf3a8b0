"""Label-free signals: reference numbers, closed forms, and what a Case is told of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import seen as seen
from tiny_trial import stored as stored
from tiny_trial import tiny

from skelray import evaluate, trial
from skelray.data import splits
from skelray.evaluate import signals
from skelray.methods.macdiff import uniformity
from skelray.rng import generator
from skelray.train import Diverged
from skelray.trial_config import TrialConfig


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed, "normal"))


@pytest.mark.parametrize(("tokens", "squared"), [(75, 0.0172), (750, 0.0052)])
def test_independent_tokens_are_not_alike(tokens, squared):
    cosine, square = signals.token_similarity(normal(16, tokens, 256))
    assert cosine.mean().item() == pytest.approx(0, abs=1e-3)
    assert square.mean().item() == pytest.approx(squared, abs=1e-4)


@pytest.mark.parametrize(("strength", "alike", "squared"), [(1, 0.50, 0.26), (3, 0.90, 0.81)])
def test_a_shared_component_makes_tokens_alike_by_its_share_of_the_variance(strength, alike, squared):
    shared = normal(32, 1, 256, seed=1)
    cosine, square = signals.token_similarity(normal(32, 75, 256) + strength * shared)
    assert cosine.mean().item() == pytest.approx(strength**2 / (1 + strength**2), abs=0.01)
    assert round(cosine.mean().item(), 2) == pytest.approx(alike, abs=0.011)
    assert square.mean().item() == pytest.approx(squared, abs=0.012)


@pytest.mark.parametrize("shape", [(3, 7, 40), (3, 40, 7)])  # fewer tokens than numbers in one, and more
def test_token_similarity_is_what_its_definition_says_pair_by_pair(shape):
    tokens = normal(*shape)
    cosine, square = signals.token_similarity(tokens)
    for number, body in enumerate(tokens.double()):
        pairs = torch.nn.functional.cosine_similarity(body[:, None], body[None], dim=-1)
        apart = ~torch.eye(len(body), dtype=torch.bool)
        assert cosine[number].item() == pytest.approx(pairs[apart].mean().item(), abs=1e-6)
        assert square[number].item() == pytest.approx(pairs.square().mean().item(), abs=1e-6)
    assert square.mean().item() == pytest.approx(uniformity(tokens).item(), abs=1e-6)  # the penalty of MacDiff's code


def test_rankme_counts_directions_that_are_used():
    axes, _ = torch.linalg.qr(normal(50, 8).double())
    assert signals.rankme(axes.float()) == pytest.approx(8, rel=1e-4)
    assert signals.rankme(normal(50, 3) @ normal(3, 16)) < 3.01
    assert signals.rankme(torch.ones(50, 16)) == pytest.approx(1, abs=1e-3)  # collapsed


def test_rankme_is_the_exponential_of_the_entropy_of_the_papers_shares():
    features = torch.diag(torch.tensor([4.0, 2.0, 1.0, 1.0]))
    share = np.array([4, 2, 1, 1]) / 8 + 1e-7
    assert signals.rankme(features) == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-9)
    assert signals.rankme(features * 100) == pytest.approx(signals.rankme(features), rel=1e-9)


def test_spread_is_one_for_features_that_point_everywhere_and_zero_for_one_point():
    assert signals.spread(normal(4000, 64)) == pytest.approx(1, abs=0.01)
    assert signals.spread(torch.ones(10, 64)) == pytest.approx(0, abs=1e-6)
    assert signals.spread(5 * normal(100, 64)) == pytest.approx(signals.spread(normal(100, 64)), rel=1e-5)


@pytest.fixture
def prepared(stored):
    return trial.prepare(TrialConfig(**tiny(store=stored)), final=True)


NAMES = {f"signals_{name}" for name in ("rankme", "spread", "token_cosine", "token_cosine_squared", "clips")}


def test_they_look_at_validation_clips_and_do_not_depend_on_how_many_at_once(prepared, seen):
    case = prepared.case()
    prepared.method.train()
    found = evaluate.measure("signals", case, signals.Config()).metrics
    assert set(found) == NAMES
    assert set(seen) == set(case.selection.val.tolist())
    again = signals.measure(replace(case, size=2), signals.Config()).metrics
    assert again == pytest.approx(found, rel=1e-5)
    assert signals.measure(case, signals.Config()).metrics == found
    assert prepared.method.training
    assert 1 <= found["signals_rankme"] <= 9
    assert found["signals_clips"] == len(case.selection.val)


def test_no_label_is_looked_at(prepared):
    case = prepared.case()
    found = signals.measure(case, signals.Config()).metrics
    case.pool.label.fill_(0)
    assert signals.measure(case, signals.Config()).metrics == found


def test_training_clips_are_looked_at_where_they_are_asked_for_and_no_more_than_asked(prepared, seen):
    found = signals.measure(prepared.case(), signals.Config(clips="training", most=5)).metrics
    assert found["signals_clips"] == 5
    assert len(seen) == 5
    assert set(seen) <= set(prepared.selection.train.tolist())


def test_of_a_final_they_look_at_the_test_side_which_is_opened_once(prepared, seen, tmp_path):
    opened = []

    def open_test():
        opened.append(1)
        return splits.open_test(prepared.store, "given", reader="me", ledger=tmp_path / "opened.jsonl")

    signals.measure(prepared.case(open_test), signals.Config())
    assert len(opened) == 1
    assert set(seen) == set(range(36, 48))
    signals.measure(prepared.case(open_test), signals.Config(clips="training"))
    assert len(opened) == 1  # it asks for none of its clips


def test_features_that_are_not_finite_are_a_divergence(prepared):
    prepared.method.pretrained = lambda x: x.flatten(2) / 0
    with pytest.raises(Diverged, match="finite"):
        signals.measure(prepared.case(), signals.Config())


def test_an_encoder_with_one_token_a_body_has_no_pairs_of_tokens(prepared):
    prepared.method.pretrained = lambda x: x.flatten(1)[:, None]
    found = signals.measure(prepared.case(), signals.Config()).metrics
    assert set(found) == {"signals_rankme", "signals_spread", "signals_clips"}


def test_a_trial_reports_them_beside_the_accuracy(stored, tmp_path):
    asked = {"protocols": ["knn", "signals"], "signals": {"clips": "training"}}
    cfg = TrialConfig(**tiny(store=stored, evaluate=asked))
    found = trial.run(cfg, folder=tmp_path, report=lambda clips, metrics: None)
    assert {f"val/{name}" for name in NAMES} < set(found)
    assert {"val/knn", "val/signals_rankme"} < set(cfg.evaluate.reported)
    assert "val/signals" not in cfg.evaluate.reported

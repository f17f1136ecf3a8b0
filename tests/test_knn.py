"""Retrieval as a protocol: every k in one pass, scored on validation clips or, once, on the test side."""

import json

import numpy as np
import pytest
from tiny_trial import Heard, tiny
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import stored as stored

from skelray import evaluate, trial
from skelray.evaluate import kept
from skelray.evaluate.knn import KnnConfig
from skelray.trial_config import TrialConfig


def test_every_k_is_a_number_of_its_own_and_one_keeps_its_name(stored):
    case = trial.prepare(TrialConfig.model_validate(tiny(store=stored))).case()
    found = evaluate.measure("knn", case, KnnConfig())
    assert list(found.metrics) == ["knn", "knn_5", "knn_10", "knn_20"] == evaluate.names("knn", KnnConfig())
    for k in (1, 5):
        alone = evaluate.measure("knn", case, KnnConfig(k=tuple(sorted({1, k}))))
        name = evaluate.names("knn", KnnConfig())[(1, 5).index(k)]
        assert alone.metrics[name] == found.metrics[name] == found.predictions[name].accuracy()
    assert len({tuple(each.predicted) for each in found.predictions.values()}) > 1


def test_a_k_beyond_the_labelled_clips_is_left_out_and_said(stored):
    case = trial.prepare(TrialConfig.model_validate(tiny(store=stored))).case()
    with pytest.warns(UserWarning, match=f"k 1000 left out: there are {len(case.training)} labelled clips"):
        found = evaluate.measure("knn", case, KnnConfig(k=(1, 5, 1000)))
    assert list(found.metrics) == ["knn", "knn_5"]


def test_the_test_side_is_opened_once_for_all_k(stored, tmp_path):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    found = trial.final(config, folder=tmp_path / "run", report=Heard(), ledger=ledger, protocols=["knn"])
    assert {"test/knn", "test/knn_clean", "test/knn_5", "test/knn_20_clean"} <= found.keys()
    (entry,) = map(json.loads, ledger.read_text().splitlines())
    assert entry["clips"] == 12
    for metric, columns in kept.load(tmp_path / "run").items():
        assert np.mean(np.array(columns["label"]) == np.array(columns["predicted"])) == found[f"test/{metric}"]

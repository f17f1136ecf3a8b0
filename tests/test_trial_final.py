"""A final: trained on everything, tested once, and its floor."""

import json

import numpy as np
import pytest
import torch
from tiny_trial import Heard, Killed, same, tiny, weights
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import seen as seen
from tiny_trial import stored as stored

from skelray import measure, trial
from skelray.data import splits, store
from skelray.errors import BadInput
from skelray.evaluate import kept, linear
from skelray.evaluate.case import Case
from skelray.evaluate.features import Labelled
from skelray.trial_config import TrialConfig


def test_a_final_trains_on_everything_and_opens_the_test_side_once(stored, tmp_path, seen):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    heard = Heard()
    found = trial.final(config, folder=tmp_path / "run", report=heard, ledger=ledger, reader="amr-final-0")
    assert {name for name in found if name.startswith("test/")} == found.keys()
    names = {
        f"test/{name}{end}"
        for name in ("linear", "knn", "knn_5", "knn_10", "knn_20", "clips")
        for end in ("", "_clean")
    }
    assert found.keys() == names
    assert (found["test/clips"], found["test/clips_clean"]) == (12, 9)
    assert found["test/knn"] == pytest.approx((9 * found["test/knn_clean"] + 3) / 12)  # a copy finds its original
    assert set(seen) == set(range(48))
    assert all(name.startswith("train/") for _, metrics in heard for name in metrics)

    once_more = Heard()
    again = trial.final(config, folder=tmp_path / "run", report=once_more, ledger=ledger, reader="amr-final-0")
    assert again == found
    assert list(once_more) == list(heard)[-1:]  # whoever tells the test's figures next tells them at the same clips
    (line,) = ledger.read_text().splitlines()
    assert json.loads(line)["who"] == "amr-final-0"


def test_a_final_goes_on_after_a_kill_to_the_same_numbers(stored, tmp_path):
    config = TrialConfig.model_validate(tiny(store=stored))
    whole = trial.final(config, folder=tmp_path / "whole", report=Heard(), ledger=tmp_path / "opened.jsonl")
    with pytest.raises(Killed):
        trial.final(config, folder=tmp_path / "cut", report=Heard(last=2), ledger=tmp_path / "opened.jsonl")
    assert trial.final(config, folder=tmp_path / "cut", report=Heard(), ledger=tmp_path / "opened.jsonl") == whole
    trained = weights(tmp_path / "whole")
    trial.run(config, folder=tmp_path / "run", report=Heard())
    assert not same(weights(tmp_path / "run"), trained)  # a trial of the search saw fewer clips


def test_a_final_is_refused_before_training_when_it_could_not_be_tested(clips, stored, five_joints, tmp_path):
    path = tmp_path / "untestable.arrow"
    store.write(path, clips[:36], five_joints, "tiny", ("slow", "middle", "fast"))
    config = TrialConfig.model_validate(tiny(store=str(path)))
    with pytest.raises(BadInput, match="no test clip"):
        trial.final(config, folder=tmp_path / "run", report=Heard(), ledger=tmp_path / "opened.jsonl")
    config = TrialConfig.model_validate(tiny(store=stored))
    with pytest.raises(BadInput, match='did you mean "linear"'):
        trial.final(
            config, folder=tmp_path / "run", report=Heard(), ledger=tmp_path / "opened.jsonl", protocols=["liner"]
        )
    assert not (tmp_path / "run").exists()


def test_the_floor_is_the_encoder_before_its_first_step(stored, tmp_path):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    floor = trial.final(config, folder=tmp_path / "floor", report=Heard(), ledger=ledger, trained=False)
    assert trial.final(config, folder=tmp_path / "floor", report=Heard(), ledger=ledger, trained=False) == floor
    assert len(ledger.read_text().splitlines()) == 1  # asked twice, opened once
    still = TrialConfig.model_validate(tiny(store=stored, optim={"kind": "sgd", "lr": 1e-30}))
    assert trial.final(still, folder=tmp_path / "run", report=Heard(), ledger=ledger) == floor
    assert len(ledger.read_text().splitlines()) == 2


def test_the_test_side_is_opened_when_all_is_chosen_and_moves_no_choice(stored, tmp_path, monkeypatch):
    parts = trial.prepare(TrialConfig.model_validate(tiny(store=stored)), final=True)
    random = torch.Generator().manual_seed(0)
    known = Labelled(torch.randn(parts.store.clips, 8, generator=random), parts.pool.label)
    asked: list[object] = []

    def features(self, clips):
        asked.append(clips.tolist())
        return Labelled(known.features[clips], known.label[clips])

    monkeypatch.setattr(Case, "features", features)
    chosen = []
    predict = linear.predict
    monkeypatch.setattr(
        linear,
        "predict",
        lambda train, query, cfg, *, seed: (chosen.append(cfg.lr), predict(train, query, cfg, seed=seed))[1],
    )
    opened = splits.open_test(parts.store, parts.cfg.data.split, reader="me", ledger=tmp_path / "opened.jsonl")
    case = parts.case(lambda: (asked.append("opened"), opened)[1])
    outcome = measure.test(case, measure.EvaluateConfig(), ["linear"])
    found, told = outcome.metrics, outcome.predictions
    everything, selection = parts.selection.everything, parts.selection
    assert asked == [everything.tolist(), "opened", opened.standard.tolist()]
    train, val = (Labelled(known.features[clips], known.label[clips]) for clips in (selection.train, selection.val))
    assert chosen == [linear.choose(train, val, linear.LinearConfig(), seed=0)[1].lr]

    fitted = Labelled(known.features[everything], known.label[everything])
    answers = predict(fitted, known.features[opened.standard], linear.LinearConfig(lr=chosen[0]), seed=0)
    hits = (answers == known.label[opened.standard]).double()
    assert found["test/linear"] == hits.mean().item()
    assert found["test/linear_clean"] == hits[np.isin(opened.standard, opened.clean)].mean().item()
    np.testing.assert_array_equal(told["linear"].predicted, answers)


def test_a_final_keeps_what_each_test_clip_was_taken_for_and_the_ledger_says_for_what(stored, tmp_path):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    found = trial.final(config, folder=tmp_path / "run", report=Heard(), ledger=ledger, reader="amr-0")
    told = kept.load(tmp_path / "run")
    assert set(told) == {"linear", "knn", "knn_5", "knn_10", "knn_20"}
    for metric, columns in told.items():
        right = np.mean(np.array(columns["label"]) == np.array(columns["predicted"]))
        assert right == found[f"test/{metric}"]
        assert len(set(columns["clip"])) == found["test/clips"]
    (entry,) = map(json.loads, ledger.read_text().splitlines())
    assert (entry["who"], entry["protocols"], len(entry["config"])) == ("amr-0", ["linear", "knn"], 12)


def test_a_final_asked_for_another_protocol_later_answers_it(stored, tmp_path):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    rest = {"folder": tmp_path / "run", "report": Heard(), "ledger": ledger}
    assert "test/linear" not in trial.final(config, protocols=["knn"], **rest)
    assert "test/linear" in trial.final(config, protocols=["linear", "knn"], **rest)
    trial.final(config, protocols=["knn"], **rest)
    assert len(ledger.read_text().splitlines()) == 2


def test_peeking_reads_the_test_side_at_every_report_and_changes_nothing(stored, tmp_path):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    honest = trial.final(config, folder=tmp_path / "run", report=Heard(), ledger=tmp_path / "opened.jsonl")
    heard = Heard()
    found = trial.final(config, folder=tmp_path / "peek", report=heard, ledger=ledger, reader="amr-0", peek=True)
    assert found == honest
    points = [metrics["test/linear"] for _, metrics in heard]
    assert len(points) == config.train.reports
    assert points[-1] == found["test/linear"]
    readers = [json.loads(line)["who"] for line in ledger.read_text().splitlines()]
    assert readers == ["amr-0 (peek)"] * len(points) + ["amr-0"]

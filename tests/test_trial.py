"""A trial: its config as a closed document, and what running it promises."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from skelray import checkpoint, measure, methods, trial
from skelray.data import splits, store
from skelray.data.clip import Clip
from skelray.data.loader import Pool
from skelray.errors import BadInput
from skelray.evaluate import linear
from skelray.evaluate.features import Labelled
from skelray.schema import problems
from skelray.trial import TrialConfig

SMALL = {"frames": 48, "patch": 4, "width": 16, "depth": 1, "heads": 2}


def raw(method: str = "amr", **rest) -> dict:
    return {"method": {"name": method, "encoder": SMALL}, "train": {"clips": 100}, **rest}


def mistakes(document: dict) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        TrialConfig.model_validate(document)
    return dict(problems(caught.value, TrialConfig))


@pytest.mark.parametrize("name", methods.available())
def test_a_trial_survives_json_with_the_fields_of_its_own_method(name):
    config = TrialConfig.model_validate(raw(name))
    assert type(config.method) is methods.load(name).Config
    assert TrialConfig.model_validate_json(config.model_dump_json()) == config
    assert TrialConfig.model_validate(config.model_dump(mode="json")) == config
    assert config.model_dump(mode="json")["method"]["mask_ratio"] == 0.9


def test_mistakes_are_told_with_their_dotted_key_and_the_nearest_key_of_that_method():
    document = raw(data={"stroe": "synthetic"}, optim={"lr": -1.0})
    document["method"] |= {"windos": [4], "encoder": {**SMALL, "widht": 3}}
    told = mistakes(document)
    assert '"windows"' in told["method.windos"]
    assert '"width"' in told["method.encoder.widht"]
    assert '"store"' in told["data.stroe"]
    assert "-1.0" in told["optim.lr"]


def test_a_method_nobody_has_is_told_with_the_nearest():
    assert 'did you mean "amr"' in mistakes({"method": {"name": "amrr"}})["method"]
    assert "skeletonmae" in mistakes({"method": {}})["method"]


def test_a_window_that_does_not_divide_the_frames_is_told_at_the_method():
    document = raw()
    document["method"]["windows"] = [5]
    (message,) = mistakes(document).values()
    assert "5" in message
    assert "48" in message


@pytest.mark.parametrize("grid", [[], [0.1, 0.1], [0.0], [-1.0, 0.1]])
def test_a_probe_grid_holds_different_rates_above_zero(grid):
    assert "lr" in next(iter(mistakes(raw(evaluate={"linear": {"lr": grid}}))))


class Killed(Exception):
    """What ends a trial in the middle."""


def tiny(method: str = "amr", **rest) -> dict:
    """A trial of the store below: four optimiser steps in two reports."""
    part = {"name": method, "encoder": {"frames": 12, "patch": 4, "width": 16, "depth": 1, "heads": 2}}
    part |= {"decoder_depth": 1, "mask_ratio": 0.6}
    part |= {"coarse": 3, "windows": [4]} if method == "amr" else {}
    return {
        "data": {"store": rest.pop("store"), "split": "given", "val_subjects": 1},
        "method": part,
        "train": {"clips": 64, "batch": 16, "reports": 4} | rest.pop("train", {}),
        "evaluate": {"linear": {"epochs": 5}},
        "seed": 5,
    } | rest


def wave(label: int, subject: int, side: int, seed: int) -> Clip:
    """Five joints that sway at the pace of their class; every third clip has a second body."""
    random = np.random.default_rng(seed)
    frames = int(random.integers(10, 20))
    pace = np.sin(np.arange(frames) * (0.3 + 0.4 * label))[None, :, None, None]
    joints = pace * np.arange(5)[:, None] * 0.1 + random.normal(0, 0.02, (1 + (seed % 3 == 0), frames, 5, 3))
    return Clip(f"clip{seed}", joints.astype(np.float32), label, subject, side=side)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """36 clips of three classes by four training subjects, 9 test clips, and 3 test clips that copy training ones."""
    train = [wave(i % 3, i // 3 % 4, side=0, seed=i) for i in range(36)]
    test = [wave(i % 3, 7, side=1, seed=100 + i) for i in range(9)]
    return [*train, *test, *(replace(clip, subject=7, side=1, clip_name=f"copy{clip.clip_name}") for clip in train[:3])]


@pytest.fixture(scope="module")
def stored(clips, five_joints, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("store") / "tiny.arrow"
    store.write(path, clips, five_joints, "tiny", ("slow", "middle", "fast"))
    return str(path)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Heard(list):
    """A report function that keeps what it is told and ends the trial at its report number `last`."""

    def __init__(self, last: int | None = None):
        super().__init__()
        self.last = last

    def __call__(self, clips: int, metrics: dict[str, float]) -> None:
        self.append((clips, metrics))
        if len(self) == self.last:
            raise Killed


def weights(folder) -> dict[str, torch.Tensor]:
    return checkpoint.latest(folder)["model"]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


@pytest.fixture
def seen(monkeypatch) -> list[int]:
    """Every clip whose coordinates are read."""
    read: list[int] = []
    view = Pool.view

    def spied(self, clips, *rest):
        read.extend(clips.tolist())
        return view(self, clips, *rest)

    monkeypatch.setattr(Pool, "view", spied)
    return read


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


def test_a_final_trains_on_everything_and_opens_the_test_side_once(stored, tmp_path, seen):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    heard = Heard()
    found = trial.final(config, folder=tmp_path / "run", report=heard, ledger=ledger, reader="amr-final-0")
    assert {name for name in found if name.startswith("test/")} == found.keys()
    names = {"test/linear", "test/linear_clean", "test/knn", "test/knn_clean", "test/clips", "test/clips_clean"}
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
    whole = trial.final(config, folder=tmp_path / "whole", report=Heard(), ledger=None)
    with pytest.raises(Killed):
        trial.final(config, folder=tmp_path / "cut", report=Heard(last=2), ledger=None)
    assert trial.final(config, folder=tmp_path / "cut", report=Heard(), ledger=None) == whole
    trained = weights(tmp_path / "whole")
    trial.run(config, folder=tmp_path / "run", report=Heard())
    assert not same(weights(tmp_path / "run"), trained)  # a trial of the search saw fewer clips


def test_a_final_is_refused_before_training_when_it_could_not_be_tested(clips, stored, five_joints, tmp_path):
    path = tmp_path / "untestable.arrow"
    store.write(path, clips[:36], five_joints, "tiny", ("slow", "middle", "fast"))
    config = TrialConfig.model_validate(tiny(store=str(path)))
    with pytest.raises(BadInput, match="no test clip"):
        trial.final(config, folder=tmp_path / "run", report=Heard(), ledger=None)
    config = TrialConfig.model_validate(tiny(store=stored))
    with pytest.raises(BadInput, match='did you mean "linear"'):
        trial.final(config, folder=tmp_path / "run", report=Heard(), ledger=None, protocols=["liner"])
    assert not (tmp_path / "run").exists()


def test_the_floor_is_the_encoder_before_its_first_step(stored, tmp_path):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    floor = trial.final(config, folder=tmp_path / "floor", report=Heard(), ledger=ledger, trained=False)
    assert trial.final(config, folder=tmp_path / "floor", report=Heard(), ledger=ledger, trained=False) == floor
    assert len(ledger.read_text().splitlines()) == 1  # asked twice, opened once
    still = TrialConfig.model_validate(tiny(store=stored, optim={"kind": "sgd", "lr": 1e-30}))
    assert trial.final(still, folder=tmp_path / "run", report=Heard(), ledger=ledger) == floor
    assert len(ledger.read_text().splitlines()) == 2


def test_the_test_side_is_opened_when_all_is_chosen_and_moves_no_choice(monkeypatch):
    random = torch.Generator().manual_seed(0)
    known = Labelled(torch.randn(60, 8, generator=random), torch.arange(60) % 3)
    selection = splits.Selection(train=np.arange(30), val=np.arange(30, 40))
    asked: list[object] = []

    def features(clips):
        asked.append(clips.tolist())
        return Labelled(known.features[clips], known.label[clips])

    def opened():
        asked.append("opened")
        return splits.TestSide(standard=np.arange(40, 60), clean=np.arange(50, 60))

    chosen = []
    predict = linear.predict
    monkeypatch.setattr(
        linear,
        "predict",
        lambda train, query, cfg, *, seed: (chosen.append(cfg.lr), predict(train, query, cfg, seed=seed))[1],
    )
    found = measure.test(features, selection, opened, measure.EvaluateConfig(), ["linear"], seed=0)
    assert asked == [list(range(40)), "opened", list(range(40, 60))]
    train, val = (Labelled(known.features[clips], known.label[clips]) for clips in (selection.train, selection.val))
    assert chosen == [linear.choose(train, val, linear.LinearConfig(), seed=0)[1].lr]

    answers = predict(
        Labelled(known.features[:40], known.label[:40]), known.features[40:], linear.LinearConfig(lr=chosen[0]), seed=0
    )
    hits = (answers == known.label[40:]).double()
    assert found["test/linear"] == hits.mean().item()
    assert found["test/linear_clean"] == hits[10:].mean().item()


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


def test_a_final_asked_for_another_protocol_later_answers_it(stored, tmp_path):
    config, ledger = TrialConfig.model_validate(tiny(store=stored)), tmp_path / "ledger.jsonl"
    rest = {"folder": tmp_path / "run", "report": Heard(), "ledger": ledger}
    assert "test/linear" not in trial.final(config, protocols=["knn"], **rest)
    assert "test/linear" in trial.final(config, protocols=["linear", "knn"], **rest)
    trial.final(config, protocols=["knn"], **rest)
    assert len(ledger.read_text().splitlines()) == 2

"""Few labels: which clips are labelled, what is averaged, and clips that a generative method adds."""

import json

import numpy as np
import pytest
import torch
from tiny_trial import Heard, tiny, wave
from tiny_trial import one_thread as one_thread

from skelray import evaluate, trial
from skelray.data import store, subsets
from skelray.errors import BadInput
from skelray.evaluate import classifier, clones, semi
from skelray.evaluate.semi import Config
from skelray.trial_config import TrialConfig

SHORT = {"epochs": 1, "hidden": 4, "shares": [0.25, 0.1], "draws": 2}


@pytest.fixture(scope="module")
def stored(five_joints, tmp_path_factory) -> str:
    """60 training clips of three classes by five subjects, 12 test clips: a tenth is 6 clips, 1 % none."""
    train = [wave(i % 3, i // 3 % 5, side=0, seed=i) for i in range(60)]
    test = [wave(i % 3, 7, side=1, seed=100 + i) for i in range(12)]
    path = tmp_path_factory.mktemp("store") / "few.arrow"
    store.write(path, [*train, *test], five_joints, "few", ("slow", "middle", "fast"))
    return str(path)


def config(stored: str, method: str = "mamp", **semi_config) -> TrialConfig:
    settings = tiny(method, store=stored)
    settings["evaluate"] = {"protocols": ["semi"], "semi": SHORT | semi_config}
    return TrialConfig.model_validate(settings)


@pytest.fixture
def fitted(monkeypatch) -> list[list[int]]:
    """The clips of every classifier that is trained."""
    found: list[list[int]] = []
    fit = classifier.fit

    def spied(method, pool, clips, cfg, *, seed):
        found.append([pool.store.clip_name[clip] for clip in clips])
        return fit(method, pool, clips, cfg, seed=seed)

    monkeypatch.setattr(classifier, "fit", spied)
    return found


def test_a_share_is_the_mean_of_its_draws_with_their_spread(stored):
    case = trial.prepare(config(stored)).case()
    cfg = Config(**SHORT)
    found = evaluate.measure("semi", case, cfg)
    assert set(found.metrics) == {"semi_25", "semi_25_spread", "semi_10", "semi_10_spread"}
    assert {name for name in found.metrics if not name.endswith("spread")} == set(evaluate.names("semi", cfg))
    for share in ("25", "10"):
        draws = [found.predictions[f"semi_{share}_draw{draw}"].accuracy() for draw in range(2)]
        assert found.metrics[f"semi_{share}"] == pytest.approx(np.mean(draws))
        assert found.metrics[f"semi_{share}_spread"] == pytest.approx(abs(draws[0] - draws[1]) / 2**0.5)
        points = [point for point in found.curves["semi"] if point["share"] == int(share) / 100]
        assert [point["accuracy"] for point in points] == draws
    assert evaluate.measure("semi", case, cfg).metrics == found.metrics


def test_validation_clips_lend_no_label_and_every_class_keeps_one(stored, fitted):
    case = trial.prepare(config(stored)).case()
    evaluate.measure("semi", case, Config(**SHORT))
    train = {case.pool.store.clip_name[clip]: case.pool.store.label[clip] for clip in case.selection.train}
    assert [len(clips) for clips in fitted] == [len(train) // 4] * 2 + [len(train) // 10] * 2
    for clips in fitted:
        assert {train[clip] for clip in clips} == {0, 1, 2}
    assert fitted[0] != fitted[1]


def test_the_same_clips_are_labelled_whatever_the_workers_and_the_seed(stored, tmp_path, fitted):
    for number, (world, seed) in enumerate([(1, 5), (2, 5), (2, 6)]):
        cfg = config(stored).model_copy(update={"seed": seed})
        settings = cfg.model_dump() | {"train": {"clips": 32, "batch": 16, "reports": 1}}
        again = TrialConfig.model_validate_json(json.dumps(settings))
        trial.run(again, folder=tmp_path / str(number), report=Heard(), rank=0, world=world)
    one, two, other = fitted[:4], fitted[4:8], fitted[8:]
    assert one == two
    assert len(one) == len(other) == 4


def test_a_final_labels_the_subsets_that_everybody_has(stored, tmp_path, fitted):
    cfg = config(stored)
    rest = {"folder": tmp_path / "run", "report": Heard(), "ledger": tmp_path / "ledger.jsonl"}
    found = trial.final(cfg, protocols=["semi"], **rest)
    assert {"test/semi_25", "test/semi_25_clean", "test/semi_25_spread", "test/semi_10_spread_clean"} <= found.keys()
    opened = trial.prepare(cfg).store
    due = [
        opened.clip_name[subsets.labelled(opened, "given", share, draw).indices].tolist()
        for share in (0.25, 0.1)
        for draw in range(2)
    ]
    assert fitted == due
    assert trial.final(cfg, protocols=["semi"], **rest) == found
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1


def test_a_share_that_the_data_cannot_serve_is_said_and_left_out(stored):
    case = trial.prepare(config(stored)).case()
    with pytest.warns(UserWarning, match="1 % of 60 training clips are 0, fewer than their 3 classes; it is left out"):
        found = evaluate.measure("semi", case, Config(**SHORT | {"shares": (0.01, 0.1), "draws": 1}))
    assert set(found.metrics) == {"semi_10"}  # of one draw there is no spread
    with pytest.raises(BadInput, match=r"evaluate\.semi\.shares: 1 % of 60 training clips are 0"):
        trial.prepare(config(stored, shares=[0.01]))


@pytest.mark.parametrize(
    ("method", "reason"), [("mamp", "mamp generates no clips; macdiff does"), ("umd", "umd generates from noise alone")]
)
def test_a_method_that_makes_no_variants_is_refused_before_it_is_trained(stored, method, reason):
    with pytest.raises(BadInput, match=rf"evaluate\.semi\.generated: {reason}"):
        trial.prepare(config(stored, method, generated=[2.0, 0.0]))


def test_made_clips_have_the_label_of_their_source_and_are_as_many_as_asked(stored):
    parts = trial.prepare(config(stored, "macdiff"))
    labelled = semi.labelled(parts.case(), 0.25, 0)
    with clones.enlarged(parts.case(), labelled, 1.5, steps=2, start=None, seed=1) as (pool, places):
        known, opened = parts.store, pool.store
        count = len(labelled)
        assert len(places) == opened.clips == count + int(1.5 * count)
        sources = clones.sources(labelled, int(1.5 * count), 1)
        assert opened.label[:count].tolist() == known.label[labelled].tolist()
        assert opened.label[count:].tolist() == known.label[sources].tolist()
        assert opened.bodies[count:].tolist() == known.bodies[sources].tolist()
        assert (opened.frames[count:] == parts.cfg.method.encoder.frames).all()
        for place, clip in enumerate(labelled):
            assert (opened.joints(place) == known.joints(clip)).all()
        twice = [place for place in range(count, opened.clips) if sources[place - count] == sources[0]]
        assert len(twice) == 2  # every clip once or twice
        assert (opened.joints(twice[0]) != opened.joints(twice[1])).any()
        first = opened.rows.copy()
    with clones.enlarged(parts.case(), labelled, 1.5, steps=2, start=None, seed=1) as (pool, _):
        assert (pool.store.rows == first).all()


def test_made_clips_enter_the_training_of_their_share_alone(stored, fitted):
    case = trial.prepare(config(stored, "macdiff", generated=[0.0, 2.0], steps=2)).case()
    before = torch.cat([weight.flatten() for weight in case.method.parameters()])
    found = evaluate.measure("semi", case, Config(**SHORT | {"generated": (0.0, 2.0), "steps": 2, "draws": 1}))
    whole, tenth = (len(semi.labelled(case, share, 0)) for share in (0.25, 0.1))
    assert [len(clips) for clips in fitted] == [whole, 3 * tenth]
    assert [point["made"] for point in found.curves["semi"]] == [0, 2 * tenth]
    assert torch.cat([weight.flatten() for weight in case.method.parameters()]).equal(before)


def test_a_start_beyond_the_steps_of_diffusion_is_refused(stored):
    with pytest.raises(BadInput, match=r"evaluate\.semi\.generated: start 5000"):
        trial.prepare(config(stored, "macdiff", generated=[1.0, 1.0], start=5000))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shares": [0.02]}, "no labelled subset of 0.02; there are 0.01, 0.05, 0.1, 0.25"),
        ({"shares": [0.1, 0.1]}, "name a share twice"),
        ({"generated": [2.0]}, "1 numbers for 2 shares"),
        ({"draws": 6}, "less than or equal to 5"),
    ],
)
def test_a_config_that_cannot_be_is_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        Config.model_validate(change)

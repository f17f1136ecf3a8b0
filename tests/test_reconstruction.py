"""val/reconstruction: how far conditional samples of held-out clips lie from them, in millimetres."""

import pytest
import torch
from tiny_store import tiny_store

from skelray import measure, methods, trial
from skelray.data.loader import Pool
from skelray.errors import BadInput
from skelray.skeletons import layout

SMALL = {"frames": 8, "patch": 4, "width": 16, "depth": 1, "heads": 2}


def config(store, name: str, clips: int = 5) -> trial.TrialConfig:
    return trial.TrialConfig(
        data={"store": str(store.path), "split": "xview"}, method={"name": name, "encoder": SMALL, "decoder_depth": 1},
        train={"clips": 8, "batch": 8, "reports": 1}, evaluate={"reconstruction": clips, "protocols": ["knn"]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store") / "tiny.arrow")


def test_a_trial_reports_it_beside_the_accuracy(stored, tmp_path):
    found = trial.run(config(stored, "macdiff"), folder=tmp_path, report=lambda clips, metrics: None)
    assert 0 < found["val/reconstruction"] < float("inf")
    assert "val/knn" in found
    assert trial.prepare(config(stored, "macdiff")).cfg.evaluate.reported[-2:] == ["val/knn_20", "val/reconstruction"]


def test_it_is_the_mean_distance_in_millimetres_over_bodies_that_are_there(stored):
    cfg = config(stored, "macdiff").method
    method = methods.load("macdiff")(cfg, layout("kinect20"))
    seen = []

    def generate(x, bodies, generator, **settings):
        seen.append(x)
        return x + torch.tensor([0.003, 0.0, 0.004])

    method.generate = generate
    everything = measure.EvaluateConfig(reconstruction=10_000)
    pool, clips = Pool(stored), torch.arange(stored.clips).numpy()
    found = measure.reconstruction(method, pool, clips, everything, seed=0)
    assert found["val/reconstruction"] == pytest.approx(5.0, rel=1e-4)
    assert sum(map(len, seen)) == stored.bodies.sum()


def test_the_same_seed_gives_the_same_number_and_leaves_the_mode_alone(stored):
    parts = trial.prepare(config(stored, "macdiff"))
    parts.method.train()
    assert parts.validate() == parts.validate()
    assert parts.method.training


def test_it_costs_nothing_when_nobody_asks(stored):
    parts = trial.prepare(config(stored, "mamp", clips=0))
    assert measure.reconstruction(parts.method, parts.pool, parts.selection.val, parts.cfg.evaluate, seed=0) == {}


@pytest.mark.parametrize(("name", "said"), [("mamp", "mamp generates no clips"), ("umd", "generates from noise alone")])
def test_a_method_that_cannot_says_so_before_training(stored, name, said):
    with pytest.raises(BadInput, match=said):
        trial.prepare(config(stored, name))

"""What a generative method makes against held-out clips: closed forms, and made-up generators with known answers."""

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
from skelray.errors import BadInput
from skelray.evaluate import generation
from skelray.rng import generator
from skelray.train import Diverged
from skelray.trial_config import TrialConfig

RANDOM = np.random.default_rng(0)


def gaussian(many: int, mean: float, scale: np.ndarray) -> np.ndarray:
    """Points whose mean and covariance are exactly those asked for."""
    x = RANDOM.normal(size=(many, len(scale)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x * scale + mean


def test_the_frechet_distance_between_gaussians_has_a_closed_form():
    one, other = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.5, 3.0])
    found = generation.frechet(gaussian(50, 0.0, one), gaussian(80, 0.5, other))
    assert found == pytest.approx(3 * 0.25 + ((one - other) ** 2).sum())


def test_the_frechet_distance_of_covariances_that_do_not_commute_is_that_of_scipys_root():
    from scipy.linalg import sqrtm

    one, other = RANDOM.normal(size=(60, 4)) @ RANDOM.normal(size=(4, 4)), RANDOM.normal(size=(70, 4))
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = sqrtm(first @ second)
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root.real)
    assert generation.frechet(one, other) == pytest.approx(expected)
    assert generation.frechet(other, one) == pytest.approx(expected)


def test_equal_sets_are_at_distance_zero_also_where_there_are_fewer_than_features():
    few = RANDOM.normal(size=(10, 30))
    assert generation.frechet(few, few) == pytest.approx(0, abs=1e-5)


def swaying(bodies: int = 200, seed: int = 0) -> torch.Tensor:
    """Five joints on a rigid body that sways at its own pace: B 24 5 3."""
    pace = 1 + torch.rand(bodies, 1, 1, 1, generator=generator(seed, "pace"))
    frame = torch.arange(24.0)[:, None, None]
    return 0.2 * torch.sin(0.2 * pace * frame) + torch.arange(15.0).view(5, 3) * 0.1


def test_the_distance_between_clips_grows_with_noise():
    real, other = swaying(), swaying(seed=1)
    scale = generation.Scale(real)
    noise = torch.randn(other.shape, generator=generator(0, "noise"))
    found = [generation.frechet(scale(real), scale(other + level * noise)) for level in (0, 0.01, 0.03, 0.1)]
    assert found == sorted(found)
    assert found[3] > 10 * found[0]


def test_a_joint_that_never_moves_does_not_drown_all_others():
    real, other = swaying(), swaying(seed=1)
    real[:, :, 0] = other[:, :, 0] = 0  # the hip, where every frame is centred on it
    scale = generation.Scale(real)
    plain = generation.frechet(scale(other), scale(real))
    other[:, :, 0] += 1e-4 * torch.randn(other[:, :, 0].shape, generator=generator(0, "noise"))
    assert generation.frechet(scale(other), scale(real)) < plain + 100


def test_features_do_not_depend_on_the_number_of_frames_of_slow_clips():
    short = swaying(3)
    long = torch.nn.functional.interpolate(short.flatten(2).mT, 96, mode="linear").mT.unflatten(2, (5, 3))
    torch.testing.assert_close(generation.kinematics(long), generation.kinematics(short), atol=0.01, rtol=0.05)


def test_bones_of_a_rigid_body_keep_their_length_and_longer_ones_are_longer(five_joints):
    real = swaying()
    assert generation.bones(real, real, five_joints) == pytest.approx((0, 1), abs=1e-6)
    assert generation.bones(1.1 * real, real, five_joints) == pytest.approx((0, 1.1), abs=1e-6)


def test_a_bone_whose_length_sways_by_a_tenth_varies_by_that_over_root_two(five_joints):
    real = torch.zeros(2, 200, 5, 3)
    real[..., 0] = torch.tensor([0.0, 1.0, 2.0, 0.0, 3.0])  # hip, chest, the hands and the head lie 1, 1, 1, 2 apart
    pace = torch.sin(torch.arange(200) * 2 * torch.pi / 100)[:, None, None]
    made = real * (1 + 0.1 * pace)
    variation, ratio = generation.bones(made, real, five_joints)
    assert variation == pytest.approx(0.1 / 2**0.5, rel=1e-3)
    assert ratio == pytest.approx(1, rel=1e-3)


def test_joints_that_lie_on_each_other_are_no_bone(five_joints):
    real = swaying()
    real[:, :, 4] = real[:, :, 1]
    assert generation.bones(1.1 * real, real, five_joints) == pytest.approx((0, 1.1), abs=1e-6)


def prepared(stored, method="macdiff"):
    parts = trial.prepare(TrialConfig(**tiny(method, store=stored)), final=True)
    parts.method.begin(trial.Loader(parts.pool, parts.selection.train, parts.cfg.method.views, seed=0))
    return parts


SAMPLED = {"frechet", "bone_variation", "bone_ratio"}
ALWAYS = SAMPLED | {"frechet_training", "bone_variation_real"}


def told(parts, cfg=None, open_test=None) -> dict[str, float]:
    found = evaluate.measure("generation", parts.case(open_test), cfg or generation.Config(steps=2)).metrics
    return {name.removeprefix("generation_"): value for name, value in found.items()}


def test_a_method_that_takes_a_condition_is_measured_with_and_without(stored, seen):
    parts = prepared(stored)
    seen.clear()
    found = told(parts)
    assert set(found) == ALWAYS | {f"{name}_conditional" for name in SAMPLED} | {"mpjpe_mm"}
    assert set(seen) == set(parts.selection.everything.tolist())
    assert told(parts) == found
    assert all(np.isfinite(value) for value in found.values())


def test_a_method_that_generates_from_noise_alone_has_no_reconstruction_error(stored):
    assert set(told(prepared(stored, "umd"))) == ALWAYS


def test_it_is_the_same_error_as_the_reconstruction_of_a_trial(stored):
    from skelray import measure

    parts = prepared(stored)
    parts.method.generate = lambda x, bodies, draw, **_: (
        torch.zeros(bodies, 12, 5, 3) if x is None else x + torch.tensor([0.003, 0, 0.004])
    )
    found = told(parts)
    assert found["mpjpe_mm"] == pytest.approx(5, rel=1e-3)
    assert found["frechet_conditional"] < found["frechet"]
    asked = measure.EvaluateConfig(reconstruction=100)
    other = measure.reconstruction(parts.method, parts.pool, parts.selection.val, asked, seed=0)
    assert other["val/reconstruction"] == pytest.approx(found["mpjpe_mm"])


def test_a_copy_of_the_held_out_clips_stands_nearer_than_the_training_clips(stored):
    parts = prepared(stored)
    parts.method.generate = lambda x, bodies, draw, **_: torch.zeros(bodies, 12, 5, 3) if x is None else x.clone()
    found = told(parts)
    assert found["frechet_conditional"] == pytest.approx(0, abs=1e-4)
    assert 0 < found["frechet_training"] < found["frechet"]
    assert found["bone_ratio_conditional"] == pytest.approx(1)
    assert found["bone_variation_conditional"] == pytest.approx(found["bone_variation_real"])


def test_of_a_final_the_test_side_is_what_samples_are_held_against(stored, seen, tmp_path):
    parts, opened = prepared(stored), []

    def open_test():
        opened.append(1)
        return splits.open_test(parts.store, "given", reader="me", ledger=tmp_path / "opened.jsonl")

    seen.clear()
    told(parts, generation.Config(clips=5, steps=1), open_test)
    assert len(opened) == 1
    held_out = {clip for clip in seen if clip >= 36}
    assert len(held_out) == 5


def test_the_training_bodies_that_are_compared_are_as_many_as_the_held_out_ones(stored, monkeypatch):
    parts, sizes = prepared(stored), list[tuple[int, int]]()
    known = generation.frechet

    def counted(one, other):
        sizes.append((len(one), len(other)))
        return known(one, other)

    monkeypatch.setattr(generation, "frechet", counted)
    told(parts)
    bodies = int(parts.store.bodies[parts.selection.val].sum())
    assert sizes == [(bodies, bodies)] * 3


def test_clips_that_are_not_finite_are_a_divergence(stored):
    parts = prepared(stored)
    parts.method.generate = lambda x, bodies, draw, **_: torch.full((bodies, 12, 5, 3), torch.nan)
    with pytest.raises(Diverged, match="not finite"):
        told(parts)


def test_what_cannot_be_measured_is_said_before_training(stored, tmp_path):
    asked = tiny(store=stored, evaluate={"protocols": ["generation"]})
    with pytest.raises(BadInput, match="amr generates no clips"):
        trial.prepare(TrialConfig(**asked))
    with pytest.raises(BadInput, match="amr generates no clips"):
        trial.final(
            TrialConfig(**tiny(store=stored)),
            folder=tmp_path,
            report=print,
            ledger=tmp_path / "opened.jsonl",
            protocols=["generation"],
        )
    asked = tiny("macdiff", store=stored, evaluate={"protocols": ["generation"]})
    asked["data"]["stream"] = "bone"
    with pytest.raises(BadInput, match="the stream bone has no joints that could be compared"):
        trial.prepare(TrialConfig(**asked))


def test_a_trial_reports_it(stored, tmp_path):
    asked = {"protocols": ["knn", "generation"], "generation": {"steps": 1, "clips": 4}}
    cfg = TrialConfig(**tiny("macdiff", store=stored, evaluate=asked))
    found = trial.run(cfg, folder=tmp_path, report=lambda clips, metrics: None)
    assert set(cfg.evaluate.reported) - {"val/knn_5", "val/knn_10", "val/knn_20"} <= set(found)
    assert "val/generation_mpjpe_mm" in found

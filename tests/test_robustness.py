"""Accuracy on clips that are corrupted: a probe that saw clean ones alone."""

from dataclasses import replace

import pytest
import torch
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import seen as seen
from tiny_trial import stored as stored
from tiny_trial import tiny

from skelray import evaluate, trial
from skelray.data import splits, store
from skelray.errors import BadInput
from skelray.evaluate import robustness
from skelray.evaluate.linear import LinearConfig
from skelray.trial_config import TrialConfig

FEW = robustness.Config(
    dropped_frames=(0, 0.5), frame_rate_divisor=(1, 4), occluded=("zeros",), joint_noise_metres=(0, 0.05, 100.0),
    view_degrees=(0, 90), linear=LinearConfig(epochs=5),
)  # fmt: skip


@pytest.fixture
def prepared(stored):
    return trial.prepare(TrialConfig(**tiny(store=stored)), final=True)


def test_each_curve_begins_with_the_accuracy_of_the_linear_probe(prepared):
    case = prepared.case()
    found = evaluate.measure("robustness", case, FEW)
    clean = evaluate.measure("linear", case, LinearConfig(epochs=5)).metrics["linear"]
    assert {name: [point["level"] for point in curve] for name, curve in found.curves.items()} == {
        "dropped_frames": [0, 0.5],
        "frame_rate_divisor": [1, 4],
        "occluded_zeros": ["none", "trunk", "arm_left", "arm_right"],
        "joint_noise_metres": [0, 0.05, 100],
        "view_degrees": [0, 90],
    }
    assert all(curve[0]["accuracy"] == clean for curve in found.curves.values())
    assert all(0 <= point["accuracy"] <= 1 for curve in found.curves.values() for point in curve)


def test_the_metrics_are_means_over_the_levels_that_corrupt(prepared):
    found = robustness.measure(prepared.case(), FEW)
    for name, curve in found.curves.items():
        rest = [point["accuracy"] for point in curve[1:]]
        assert found.metrics[f"robustness_{name}"] == pytest.approx(sum(rest) / len(rest))
    each = [value for name, value in found.metrics.items() if name != "robustness"]
    assert found.metrics["robustness"] == pytest.approx(sum(each) / len(each))
    assert set(found.metrics) == set(robustness.names(FEW))


def pace(x: torch.Tensor) -> torch.Tensor:
    """An encoder that sees how fast the body sways, which tells the classes apart."""
    return (x.diff(dim=1).abs().mean(1) / (x.std(1) + 0.001)).flatten(1)[:, None]


def test_a_probe_that_knows_the_classes_loses_them_in_noise_and_not_by_looking_from_elsewhere(prepared):
    prepared.method.pretrained = pace
    found = robustness.measure(prepared.case(), FEW.model_copy(update={"linear": LinearConfig()})).curves
    assert found["joint_noise_metres"][0]["accuracy"] > 0.8
    assert found["joint_noise_metres"][2]["accuracy"] < 0.7
    prepared.method.pretrained = lambda x: x[..., 1].std(1)[:, None]  # heights alone
    turned = robustness.measure(prepared.case(), FEW).curves["view_degrees"]
    assert turned[0]["accuracy"] == turned[1]["accuracy"]


def test_the_seed_decides_and_not_how_many_clips_are_encoded_at_once(prepared):
    prepared.method.pretrained = pace
    case, cfg = prepared.case(), FEW.model_copy(update={"joint_noise_metres": (0.0, 0.03, 0.06, 0.1, 0.2)})
    found = robustness.measure(case, cfg).curves
    assert robustness.measure(replace(case, size=2, _known={}), cfg).curves == found
    changes = [robustness.noise(seed, 0.1) for seed in (0, 0, 1)]
    x, which = torch.ones(3, 1, 4, 5, 3), torch.tensor([4, 7, 9])
    one, same, other = (change(x, which) for change in changes)
    assert one.equal(same)
    assert not one.equal(other)
    assert changes[0](x[1:2], which[1:2]).equal(one[1:2])


def test_what_is_left_out_of_the_config_is_not_measured(prepared):
    cfg = robustness.Config(
        dropped_frames=(), frame_rate_divisor=(), occluded=(), joint_noise_metres=(), linear=LinearConfig(epochs=2)
    )
    assert set(robustness.measure(prepared.case(), cfg).curves) == {"view_degrees"}
    assert robustness.names(cfg) == ["robustness", "robustness_view_degrees"]


def test_of_a_final_the_clips_are_those_of_the_test_side_opened_once(prepared, seen, tmp_path):
    opened = []

    def open_test():
        opened.append(1)
        return splits.open_test(prepared.store, "given", reader="me", ledger=tmp_path / "opened.jsonl")

    found = robustness.measure(prepared.case(open_test), FEW)
    assert len(opened) == 1
    assert set(seen) == set(range(48))
    assert found.curves["dropped_frames"][0]["accuracy"] == pytest.approx(
        evaluate.measure("linear", prepared.case(open_test), LinearConfig(epochs=5)).metrics["linear"]
    )


def test_flat_bodies_have_no_other_view_and_bodies_without_parts_lose_none(clips, five_joints, tmp_path):
    flat = [replace(clip, joints=clip.joints[..., :2].copy()) for clip in clips]
    plain = five_joints.model_copy(update={"channels": 2, "parts": {}})
    store.write(tmp_path / "flat.arrow", flat, plain, "flat", ("slow", "middle", "fast"))
    case = trial.prepare(TrialConfig(**tiny("mamp", store=str(tmp_path / "flat.arrow")))).case()
    with pytest.warns(UserWarning, match="view_degrees is left out: .* 2 coordinates") as said:
        found = robustness.measure(case, FEW)
    assert set(found.curves) == {"dropped_frames", "frame_rate_divisor"}
    assert {str(each.message).split(": ")[1].split(" is ")[0] for each in said} >= {
        "occluded_zeros",
        "joint_noise_metres",
    }
    alone = FEW.model_copy(update={"dropped_frames": (), "frame_rate_divisor": ()})
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(BadInput, match="nothing that is asked for can be done to the clips of flat"),
    ):
        robustness.measure(case, alone)


@pytest.mark.parametrize(("wrong", "said"), [
    ({"dropped_frames": (0.5,)}, "begin with 0"),
    ({"dropped_frames": (0, 1.0)}, "below 1"),
    ({"frame_rate_divisor": (1,)}, "nothing beyond"),
    ({"frame_rate_divisor": (1, 4, 2)}, "rise"),
    ({"joint_noise_metres": (0, -0.1)}, "rise"),
])  # fmt: skip
def test_levels_begin_clean_and_rise(wrong, said):
    with pytest.raises(ValueError, match=said):
        robustness.Config(**wrong)


def test_a_config_reads_from_json_as_it_was_written():
    cfg = robustness.Config()
    assert robustness.Config.model_validate_json(cfg.model_dump_json(), strict=True) == cfg


def test_a_trial_can_be_chosen_by_it(stored, tmp_path):
    asked = {"protocols": ["robustness"], "robustness": {"occluded": [], "linear": {"epochs": 2}}}
    cfg = TrialConfig(**tiny(store=stored, evaluate=asked))
    found = trial.run(cfg, folder=tmp_path, report=lambda clips, metrics: None)
    assert set(cfg.evaluate.reported) <= set(found)
    assert "val/robustness_dropped_frames" in found

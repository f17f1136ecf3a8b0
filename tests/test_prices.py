"""What a clip costs: FLOPs as the cost table counts them, seconds as a short calibration measures them. No Ray."""

import itertools

import pytest
from tiny_store import tiny_clips, tiny_store

from skelray import cost, trial
from skelray.data import store
from skelray.data.folds import choose
from skelray.errors import BadInput
from skelray.results import Results
from skelray.skeletons import layout
from skelray.sweep import calibrate, metering, prices
from skelray.sweep.config import Plan, SweepConfig
from skelray.sweep.preflight import Machine, Placement
from skelray.sweep.prices import Meter, Pace
from skelray.sweep.space import SearchSpace
from skelray.trial_config import TrialConfig

PLACED = Placement("inline", 1, 2, 3, 0.0, Machine(8, 0, 1 << 34))
FINAL = Placement("inline", 1, 1, 6, 0.0, Machine(8, 0, 1 << 34))
ENCODER = {"frames": 12, "patch": 4, "width": 16, "depth": 1, "heads": 2}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "tiny.arrow"
    tiny_store(path, tiny_clips(repeats=2))
    return path


def config(path, name="mamp", **own) -> TrialConfig:
    method = {"name": name, "encoder": ENCODER, "decoder_depth": 1, "mask_ratio": 0.6, **own}
    train = {"clips": 64, "batch": 16, "reports": 4}
    data = {"store": str(path), "split": "xview", "val_subjects": 2}
    evaluate = {"linear": {"epochs": 3, "lr": [0.1]}}
    return TrialConfig.model_validate({"data": data, "method": method, "train": train, "evaluate": evaluate})


def shared(path, unit="seconds", share=120.0, grace=10.0) -> Plan:
    trial = config(path).model_dump(mode="json", include={"data", "evaluate", "train", "method"})
    trial["evaluate"] = {"linear": {"epochs": 3, "lr": [0.1]}}
    del trial["method"]["name"], trial["train"]["clips"], trial["train"]["epochs"]
    budget = {"trials": 3, "unit": unit, "share": share, "grace": grace}
    keep = {"question": "?", "price": "?", "expected": "?", "spaces": ["mamp"]}
    space = SearchSpace(method="mamp", points=[{}], search={})
    return Plan(name="t", sweep=SweepConfig(**keep, trial=trial, budget=budget), spaces={"mamp": space}, dropped=[])


def meter(path, plan) -> Meter:
    opened = store.open(path)
    return Meter.of(plan, opened, choose(config(path).data, opened), (PLACED, FINAL))


@pytest.mark.parametrize("name", ["mamp", "sjepa", "umd"])
def test_flops_of_a_body_are_those_of_the_published_schedule(name):
    small = {"encoder": {"frames": 16, "patch": 4, "width": 16, "depth": 1, "heads": 2}}
    whole = cost.cost(name, small)["schedule"]
    found = prices.one_body(TrialConfig.model_validate({"method": {"name": name, **small}}).method, layout("kinect25"))
    assert found * whole["bodies"] == pytest.approx(whole["gflops"] * 1e9)


def test_a_quarter_of_clean_bodies_costs_a_quarter_of_the_way():
    """UMD's clean share is of a batch: of the bodies counted at once it is whole."""
    parts = {"encoder": {"frames": 16, "patch": 4, "width": 16, "depth": 1, "heads": 2}}
    noised, quarter, clean = (
        prices.one_body(
            TrialConfig.model_validate({"method": {"name": "umd", "clean_share": share, **parts}}).method,
            layout("kinect25"),
        )
        for share in (0.0, 0.25, 1.0)
    )
    assert clean != noised
    assert quarter == pytest.approx(0.75 * noised + 0.25 * clean, rel=1e-9)


def test_a_clip_costs_the_bodies_that_train(path):
    plan, opened = shared(path), store.open(path)
    found, one = meter(path, plan), prices.one_body(config(path).method, opened.skeleton)
    train = choose(config(path).data, opened).train
    mean = float(opened.bodies[train].mean())
    assert found.bodies == mean
    assert found.flops(config(path)) == pytest.approx(one * mean)
    assert found.flops(config(path, bodies="random")) == pytest.approx(one)
    assert found.flops(config(path, count_absent=True)) == pytest.approx(one * opened.bodies.max())


def test_seconds_follow_the_calibration_and_the_flops_of_the_config(path):
    found = meter(path, shared(path))
    plain, deep = config(path), config(path, decoder_depth=3)
    found.paces["mamp"] = Pace(clip=0.01, look=2.0, start=5.0, flops=found.flops(plain), device="CPU")
    assert found.devices == {"search": 6, "final": 6, "floor": 6}  # 2 workers of 3 cores
    price = found.price(plain)
    assert (price.clip, price.fixed) == (pytest.approx(0.06), pytest.approx((5 + 4 * 2) * 6))
    ratio = found.flops(deep) / found.flops(plain)
    assert ratio > 1.2
    assert found.price(deep).clip == pytest.approx(0.06 * ratio)


def test_a_calibration_times_steps_and_one_validation_after_the_first_steps(path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(trial.Prepared, "validate", lambda parts: now.__setitem__(0, now[0] + 7) or {})
    steps = itertools.count()
    real = calibrate.train

    def train(*parts, report, **more):
        def told(clips, losses, state):
            now[0] += 100.0 if next(steps) < calibrate.WARM else 0.8  # the first steps are slow
            report(clips, losses, state)

        real(*parts, report=told, **more)

    monkeypatch.setattr(calibrate, "train", train)
    found = calibrate.pace(config(path), clock=lambda: now[0])
    assert found == {"clip": pytest.approx(0.8 / 16), "look": 7.0, "start": 0.0, "device": "CPU"}


def test_a_real_calibration_gives_a_pace_and_reads_no_test_clip(path):
    found = calibrate.work(
        {"config": config(path).model_dump(mode="json"), "directory": str(path.parent), "gpus": 0, "workers": 2,
         "fingerprint": None}
    )  # fmt: skip
    assert set(found) == {"clip", "look", "start", "device"}
    assert all(found[name] > 0 for name in ("clip", "look", "start"))


def test_a_calibration_that_fails_says_why(path, tmp_path):
    payload = {"directory": str(path.parent), "gpus": 0, "workers": 1, "fingerprint": "another"}
    found = calibrate.work({"config": config(path).model_dump(mode="json"), **payload})
    assert "the store changed" in found["failure"]


def test_each_method_is_calibrated_once_and_a_sweep_that_goes_on_finds_its_paces(path, tmp_path):
    plan, asked = shared(path), []

    def measure(payload, placed):
        asked.append((payload["config"]["method"]["name"], payload["workers"], placed))
        return {"clip": 0.01, "look": 0.1, "start": 0.2, "device": "CPU"}

    results = Results(tmp_path / "r")
    first = metering.of(plan, results, (PLACED, FINAL), measure, "f")
    assert asked == [("mamp", 2, PLACED)]
    results.create(plan.document(), {"data": {}})
    results.write_costs(first.document())
    again = metering.of(plan, results, (PLACED, FINAL), lambda *_: pytest.fail("measured twice"), "f")
    assert again.paces == first.paces
    assert again.price(config(path)) == first.price(config(path))


def test_what_cannot_be_paid_or_measured_is_refused_before_anything_is_made(path, tmp_path):
    results = Results(tmp_path / "r")
    slow = {"clip": 1.0, "look": 1.0, "start": 1.0, "device": "CPU"}
    with pytest.raises(
        BadInput, match=r"budget\.share: 40 device-seconds for each trial of mamp pay no batch .* enough"
    ):
        metering.of(shared(path), results, (PLACED, FINAL), lambda *_: slow, "f")
    with pytest.raises(BadInput, match="how fast mamp trains could not be measured: no GPU"):
        metering.of(shared(path), results, (PLACED, FINAL), lambda *_: {"failure": "no GPU"}, "f")
    with pytest.raises(BadInput, match=r"budget\.share: 1 FLOPs for each trial of mamp"):
        metering.of(shared(path, "flops", 3.0, 1), results, (PLACED, FINAL), lambda *_: {}, "f")
    assert not results.folder.exists()


@pytest.mark.parametrize(("kept", "said"), [
    (3, "seconds: Input should be a valid dictionary"),
    ({"skeletonmae": 3}, "seconds.skeletonmae: Input should be a valid dictionary"),
    ({"skeletonmae": {"clip": 0}}, "seconds.skeletonmae.clip: Input should be greater than 0"),
    ({"skeletonmae": {"clip": 1.0}}, "seconds.skeletonmae.look: Field required"),
])  # fmt: skip
def test_costs_that_were_edited_are_refused_with_their_key(path, tmp_path, kept, said):
    results = Results(tmp_path / "r")
    results.folder.mkdir()
    results.write_costs({"seconds": kept})
    with pytest.raises(BadInput, match=r"costs\.json: ") as caught:
        metering.of(shared(path), results, (PLACED, FINAL), lambda *_: pytest.fail("measured"), "f")
    assert said in str(caught.value)

"""Joints, bones and motion: the equations, and that training and measuring look at the same stream."""

import json
import re

import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from shell import skelray
from tiny_store import tiny_store
from tiny_trial import Heard, clips, one_thread, stored, tiny  # noqa: F401  # fixtures

from skelray import checkpoint, methods, trial, trial_config, yaml_file
from skelray.batch import View, test_view
from skelray.data import augment, streams
from skelray.data.loader import Loader, Pool, fixed
from skelray.errors import BadInput
from skelray.evaluate.features import extract
from skelray.geometry import mirrored
from skelray.rng import generator
from skelray.show import source
from skelray.skeletons import layout, layouts
from skelray.sweep import config

STREAMS = ("bone", "motion")
STILL = {"sjepa": {"rotation": 0, "translation": 0}}  # what is done to joints within a method


def bodies(name: str, seed: int = 0, frames: int = 6) -> torch.Tensor:
    """Three clips of two bodies; the second body of clip 1 is absent."""
    body = layout(name)
    x = torch.randn(3, 2, frames, len(body.joints), body.channels, generator=generator(seed, "bodies"))
    x[1, 1] = 0
    return x


@given(name=st.sampled_from(list(layouts())), seed=st.integers(0, 1000), frames=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_the_equations_of_each_stream(name, seed, frames):
    body, x = layout(name), bodies(name, seed, frames)
    assert torch.equal(streams.of(x, "joint", body), x)
    bone, motion = (streams.of(x, stream, body) for stream in STREAMS)
    for joint, parent in enumerate(body.parents):
        assert torch.equal(bone[..., joint, :], x[..., joint, :] - x[..., parent, :])
    assert not bone[..., body.roots[0], :].any()
    for frame in range(frames - 1):
        assert torch.equal(motion[:, :, frame], x[:, :, frame + 1] - x[:, :, frame])
    assert not motion[:, :, -1].any()
    assert not bone[1, 1].any()
    assert not motion[1, 1].any()


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", layouts())
def test_the_stream_of_a_mirrored_or_turned_clip_is_the_mirrored_or_turned_stream(name, stream):
    body, x = layout(name), bodies(name)
    assert torch.equal(streams.of(mirrored(x, body), stream, body), mirrored(streams.of(x, stream, body), body))
    turned, same = (augment.rotate(each, generator(1, "turn")) for each in (x, streams.of(x, stream, body)))
    torch.testing.assert_close(streams.of(turned, stream, body), same, atol=1e-5, rtol=0)


def test_joints_come_back_from_bones_and_from_motion():
    body, x = layout("kinect25"), bodies("kinect25").double()
    bone, motion = (streams.of(x, stream, body) for stream in STREAMS)
    for joint in range(25):
        place, at = x[..., body.roots[0], :], joint
        while at != body.roots[0]:
            place, at = place + bone[..., at, :], body.parents[at]
        torch.testing.assert_close(place, x[..., joint, :])
    torch.testing.assert_close(x[:, :, :1] + motion.cumsum(2)[:, :, :-1], x[:, :, 1:])


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_is_made_last_in_training_and_in_evaluation(stream, tmp_path):
    opened = tiny_store(tmp_path / "a.arrow")
    views = (
        View(frames=12, augment=("rotate", "mirror", "scale_bones", "jitter", "drop_axis")),
        View(frames=6, within=0, sample="segments", origin=1),
    )
    every = np.arange(opened.clips)
    plain, made = (Loader(Pool(opened, stream=each), every, views, seed=3) for each in ("joint", stream))
    for step in range(2):
        for joints, seen in zip(plain.batch(step, 8).views, made.batch(step, 8).views, strict=True):
            assert torch.equal(seen, streams.of(joints, stream, opened.skeleton))
    pairs = (fixed(Pool(opened, stream=each), every, test_view(12), 20) for each in ("joint", stream))
    for joints, seen in zip(*pairs, strict=True):
        assert torch.equal(seen.views[0], streams.of(joints.views[0], stream, opened.skeleton))


def streamed(method: str, stream: str, store: str, **rest) -> trial_config.TrialConfig:
    document = tiny(method, store=store, **rest)
    document["data"]["stream"] = stream
    document["method"] |= STILL.get(method, {})
    return trial_config.TrialConfig.model_validate(document)


def test_validation_sees_the_stream_of_the_config(stored):  # noqa: F811
    parts = trial.prepare(streamed("mamp", "bone", stored))
    val, frames = parts.selection.val, parts.method.cfg.encoder.frames
    found = parts.case().features(val)
    joints = Pool(parts.store)
    body = parts.store.skeleton

    def encoded(x):
        return parts.method.pretrained(streams.of(x[:, None], "bone", body)[:, 0])

    parts.method.eval()
    assert torch.equal(found.features, extract(encoded, fixed(joints, val, test_view(frames), 64)).features)
    plain = extract(parts.method.pretrained, fixed(joints, val, test_view(frames), 64))
    assert not torch.allclose(found.features, plain.features)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("method", methods.available())
def test_every_method_learns_from_every_stream(method, stream, stored):  # noqa: F811
    parts = trial.prepare(streamed(method, stream, stored))
    loader = Loader(parts.pool, parts.selection.train, parts.cfg.method.views, seed=0)
    parts.method.begin(loader)
    batch = loader.batch(0, 8)
    assert all(not view[..., 0, :].any() for view in batch.views) == (stream == "bone")  # the root is joint 0
    loss = parts.method(batch)["loss"]
    loss.backward()
    assert loss.isfinite()
    assert all(each.grad.isfinite().all() for each in parts.method.parameters() if each.grad is not None)


@pytest.mark.parametrize(
    ("method", "settings", "told"),
    [
        ("sjepa", {"rotation": 0.0}, "the stream bone has no joints that could be turned and shifted"),
        ("sjepa", {"translation": 0.0}, ": set method.rotation and method.translation to 0"),
        (
            "macdiff",
            {"standard": "published"},
            "the stream bone does not have the published mean and variance of joints: set method.standard to m",
        ),
    ],
)
def test_what_a_method_does_to_joints_is_refused_with_other_streams(method, settings, told, stored):  # noqa: F811
    document = tiny(method, store=stored)
    document["method"] |= settings
    trial_config.TrialConfig.model_validate(document)
    document["data"]["stream"] = "bone"
    with pytest.raises(ValidationError, match=re.escape(told)):
        trial_config.TrialConfig.model_validate(document)


def test_a_sweep_names_the_stream_that_a_method_cannot_have():
    mamp, sjepa = (REPOSITORY / f"search_spaces/{name}.yaml" for name in ("mamp", "sjepa"))
    assert config.load(mamp, sets=["data.stream=motion"]).trial("mamp", {}).data.stream == "motion"
    with pytest.raises(BadInput, match=r"data\.stream: the stream bone has no joints that could be turned and shifted"):
        config.load(sjepa, sets=["data.stream=bone"])
    still = config.load(sjepa, sets=["data.stream=bone", "method.rotation=0", "method.translation=0"])
    assert still.trial("sjepa", {}).data.stream == "bone"


def test_distances_between_joints_are_not_measured_on_other_streams(stored):  # noqa: F811
    with pytest.raises(ValidationError, match="no joints whose distances could be measured: set evaluate"):
        streamed("umd", "motion", stored, evaluate={"reconstruction": 4})


def test_the_stream_is_part_of_a_trial_and_older_trials_had_joints(stored, tmp_path):  # noqa: F811
    config = streamed("mamp", "joint", stored)
    trial.run(config, folder=tmp_path, report=Heard())
    with pytest.raises(BadInput, match="holds checkpoints of another trial"):
        trial.run(streamed("mamp", "bone", stored), folder=tmp_path, report=Heard())
    state = checkpoint.latest(tmp_path)
    known = json.loads(state["identity"]["trial"])
    del known["data"]["stream"]
    state["identity"]["trial"] = json.dumps(known)
    checkpoint.save(tmp_path, state)
    heard = Heard()
    assert trial.run(config, folder=tmp_path, report=heard) == state["metrics"]
    assert heard == [(64, state["metrics"])]  # it was taken up at its end: nothing was trained again


def test_a_trial_on_bones_from_the_command_line_to_its_weights(stored, tmp_path, capsys):  # noqa: F811
    document = streamed("mamp", "bone", stored).model_dump(mode="json")
    yaml_file.write(tmp_path / "bones.yaml", document)
    assert skelray("train", tmp_path / "bones.yaml", "--folder", tmp_path / "bones") == 0
    assert "val/linear" in capsys.readouterr().out
    document["data"]["stream"] = "bones"
    yaml_file.write(tmp_path / "wrong.yaml", document)
    assert skelray("train", tmp_path / "wrong.yaml") == 2
    assert "data.stream: Input should be 'joint', 'bone' or 'motion', not 'bones'" in capsys.readouterr().err
    assert skelray("weights", "export", tmp_path / "bones", tmp_path / "out") == 0
    card = (tmp_path / "out/README.md").read_text()
    assert "| stream | bone, not joints: see `skelray.data.streams` |" in card
    assert "coordinates in metres of the bone stream" in card
    for folder in ("bones", "out"):
        with pytest.raises(BadInput, match="were trained on the bone stream; pictures are of joints"):
            source.weights(tmp_path / folder)

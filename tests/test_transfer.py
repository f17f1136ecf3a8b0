"""`skelray transfer`: a matrix of encoders and stores, of two layouts, with other classes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from shell import skelray
from tiny_store import tiny_clips, tiny_store
from tiny_trial import one_thread as one_thread

from skelray import evaluate, methods, trial, weights
from skelray.data import mapping, store
from skelray.skeletons import Skeleton, layout
from skelray.trial_config import TrialConfig
from skelray.weights.folder import write
from skelray.weights.tensors import built

SMALL = {"frames": 8, "patch": 4, "width": 16, "depth": 1, "heads": 2}


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, str]:
    """Encoders of two layouts and stores of two, whose classes differ."""
    folder = tmp_path_factory.mktemp("transfer")
    opened = tiny_store(folder / "v1.arrow")
    to_v2 = mapping.between(layout("kinect20"), layout("kinect25"))
    clips = []
    for clip in tiny_clips(subjects=4, seed=1):
        joints = to_v2.apply(torch.from_numpy(clip.joints)[None])[0].numpy()
        side = int(clip.subject > 3)
        clips.append(replace(clip, joints=np.ascontiguousarray(joints), label=clip.label % 2, sides={"given": side}))
    store.write(folder / "v2.arrow", clips, layout("kinect25"), "mine", ("down", "up"))
    for name in ("kinect20", "kinect25"):
        cfg = methods.load("mamp").Config(encoder=SMALL, decoder_depth=1)
        method = built(cfg, layout(name))
        write(weights.Weights(method, layout(name), weights.Origin(), ("encoder",)), folder / name)
    return {each: str(folder / each) for each in ("v1.arrow", "v2.arrow", "kinect20", "kinect25")} | {
        "folder": str(folder), "name": opened.name,
    }  # fmt: skip


def both(places) -> list[str]:
    return [
        "transfer", "--no-floor", "--from", places["kinect20"], "--from", places["kinect25"],
        "--to", f"{places['v1.arrow']}:xview", "--to", places["v2.arrow"],
    ]  # fmt: skip


def test_every_encoder_is_measured_on_every_store(places, tmp_path, capsys):
    assert skelray(*both(places), "--protocol", "knn,signals", "--out", tmp_path / "out") == 0
    rows = json.loads((tmp_path / "out/transfer.json").read_text())
    assert [(row["from"], row["to"]) for row in rows] == [
        (places[source], target) for source in ("kinect20", "kinect25") for target in ("nw-ucla:xview", "mine:given")
    ]
    assert all(row["side"] == "val" for row in rows)
    assert all(0 <= row["metrics"]["knn"] <= 1 and "signals_rankme" in row["metrics"] for row in rows)
    assert [row["classes"] for row in rows] == [3, 2, 3, 2]
    filled = [row["joints"]["filled"] for row in rows]
    tips = ["hand_tip_left", "thumb_left", "hand_tip_right", "thumb_right"]
    assert filled == [[], [], tips, []]
    shown = capsys.readouterr()
    assert "val/knn" in shown.out
    assert "nw-ucla:xview" in shown.out
    assert "hand_tip_left" in shown.err
    page = (tmp_path / "out/transfer.md").read_text()
    assert (
        f"| {places['kinect25']} | {100 * rows[2]['metrics']['knn']:.1f} | {100 * rows[3]['metrics']['knn']:.1f} |"
        in page
    )
    assert not (tmp_path / "out/test_ledger.jsonl").exists()


def test_curves_are_kept(places, tmp_path):
    words = ["--from", places["kinect25"], "--to", places["v2.arrow"], "--protocol", "robustness", "--out", tmp_path]
    assert skelray("transfer", "--no-floor", *words, "--set", "robustness.linear.epochs=1") == 0
    (row,) = json.loads((tmp_path / "transfer.json").read_text())
    assert [point["level"] for point in row["curves"]["view_degrees"]] == [0, 15, 30, 45, 60, 75, 90]
    assert row["metrics"]["robustness_view_degrees"] <= 1


def test_on_its_own_layout_a_number_is_that_of_a_trial(places, tmp_path):
    assert skelray("transfer", "--no-floor", "--from", places["kinect20"], "--to", f"{places['v1.arrow']}:xview",
                   "--protocol", "knn", "--out", tmp_path) == 0  # fmt: skip
    (row,) = json.loads((tmp_path / "transfer.json").read_text())
    cfg = TrialConfig(
        data={"store": places["v1.arrow"], "split": "xview"},
        method={"name": "mamp", "encoder": SMALL, "decoder_depth": 1}, train={"clips": 8, "batch": 8, "reports": 1},
    )  # fmt: skip
    parts = trial.prepare(cfg)
    parts.method.load_state_dict(weights.load(places["kinect20"]).state_dict())
    assert evaluate.measure("knn", parts.case(), cfg.evaluate.knn).metrics == row["metrics"]


def test_the_same_clips_in_two_layouts_are_told_alike_by_an_encoder_of_the_one(places, tmp_path):
    """A v2 encoder sees a v1 store as the v2 store that was made of it."""
    clips = [replace(clip, sides={"given": int(clip.subject > 3)}) for clip in tiny_clips(subjects=4, seed=1)]
    store.write(tmp_path / "same.arrow", clips, layout("kinect20"), "other", ("sit", "stand", "walk"))
    to_v2 = mapping.between(layout("kinect20"), layout("kinect25"))
    mapped = [
        replace(clip, joints=to_v2.apply(torch.from_numpy(clip.joints)[None])[0].numpy().copy()) for clip in clips
    ]
    store.write(tmp_path / "mapped.arrow", mapped, layout("kinect25"), "other", ("sit", "stand", "walk"))
    words = ["--from", places["kinect25"], "--to", tmp_path / "same.arrow", "--to", tmp_path / "mapped.arrow"]
    assert skelray("transfer", "--no-floor", *words, "--protocol", "knn,signals", "--out", tmp_path / "out") == 0
    one, other = json.loads((tmp_path / "out/transfer.json").read_text())
    assert one["metrics"] == pytest.approx(other["metrics"], rel=1e-5)


def test_test_sides_are_opened_on_request_alone_and_written_down(places, tmp_path, capsys):
    assert skelray(*both(places), "--protocol", "knn", "--test") == 2
    assert "--test needs --out" in capsys.readouterr().err
    assert skelray(*both(places), "--protocol", "knn", "--test", "--out", tmp_path) == 0
    lines = [json.loads(line) for line in (tmp_path / "test_ledger.jsonl").read_text().splitlines()]
    assert [(line["store"], line["split"]) for line in lines] == [("nw-ucla", "xview"), ("mine", "given")] * 2
    assert all(line["who"] == "skelray transfer" and line["protocols"] == ["knn"] for line in lines)
    rows = json.loads((tmp_path / "transfer.json").read_text())
    assert [row["encoder"]["sha256"] for row in rows] == [line["encoder"] for line in lines]
    assert all(row["side"] == "test" for row in rows)


@pytest.fixture
def strange(tmp_path) -> str:
    """A store of four joints that nobody calls so, and an official side for every clip."""
    names = ("wing_left", "wing_right", "beak", "head")
    skeleton = Skeleton(name="bird", joints=names, parents=(3, 3, 3, 3))
    clips = [
        replace(clip, joints=np.ascontiguousarray(clip.joints[..., :4, :]), sides={"given": int(clip.subject > 3)})
        for clip in tiny_clips(subjects=4)
    ]
    store.write(tmp_path / "bird.arrow", clips, skeleton, "birds", ("sit", "stand", "walk"))
    return str(tmp_path / "bird.arrow")


def test_bodies_with_too_few_joints_in_common_are_refused_before_anything_is_measured(places, strange, capsys):
    assert skelray(*both(places), "--to", strange) == 2
    shown = capsys.readouterr()
    assert f"{places['kinect20']} on birds:given: bird has 1 of the 20 joints of kinect20" in shown.err.replace(
        "\n", " "
    )
    assert "it has no hip_center, spine," in shown.err.replace("\n", " ")
    assert not shown.out


@pytest.mark.parametrize(("words", "said"), [
    (["--to", "v1.arrow:xveiw"], 'did you mean "xview"'),
    (["--to", "v1.arrow:xview", "--protocol", "knn,liner"], 'did you mean "linear"'),
    (["--to", "v1.arrow:xview", "--protocol", "generation"], "mamp generates no clips"),
    (["--to", "nowhere.arrow"], "nowhere.arrow"),
])  # fmt: skip
def test_what_cannot_be_is_said_in_one_sentence(places, words, said, capsys, monkeypatch):
    monkeypatch.chdir(places["folder"])
    assert skelray("transfer", "--from", "kinect20", *words) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert said in shown
    assert "Traceback" not in shown


def test_of_several_splits_one_must_be_named(tmp_path, capsys, places):
    clips = [replace(clip, sides={"given": 0, "mine": int(clip.subject > 3)}) for clip in tiny_clips(subjects=4)]
    store.write(tmp_path / "two.arrow", clips, layout("kinect20"), "two", ("sit", "stand", "walk"))
    assert skelray("transfer", "--from", places["kinect20"], "--to", tmp_path / "two.arrow") == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert f"two has the splits given, mine; name one of them, as {tmp_path}/two.arrow:given" in shown


def test_tables_of_another_transfer_are_not_replaced(places, tmp_path, capsys):
    (tmp_path / "transfer.json").write_text("[]")
    assert skelray(*both(places), "--protocol", "knn", "--out", tmp_path) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert (tmp_path / "transfer.json").read_text() == "[]"

"""`skelray features`: the same features as every evaluation's, what is told of them, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from shell import skelray
from tiny_trial import Heard, clips, one_thread, stored, tiny  # noqa: F401  # fixtures

from skelray import trial, weights
from skelray.batch import test_view
from skelray.data import folds, splits, store
from skelray.data.loader import Pool, fixed
from skelray.evaluate.features import extract
from skelray.skeletons import Skeleton
from skelray.trial_config import TrialConfig
from skelray.weights import folder


@pytest.fixture(scope="module")
def trained(stored, tmp_path_factory) -> Path:  # noqa: F811
    """The folder of a trial that ended."""
    place = tmp_path_factory.mktemp("trial")
    trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=place, report=Heard())
    return place


@pytest.fixture(scope="module")
def encoder(trained, tmp_path_factory) -> Path:
    """The same trial as a folder of weights."""
    place = tmp_path_factory.mktemp("weights") / "amr"
    weights.export(trained, place, parts=("encoder",))
    return place


def expected(encoder: Path, path: str) -> torch.Tensor:
    """Features as a protocol has them."""
    method, opened = weights.load(encoder), store.open(Path(path))
    view = test_view(method.cfg.encoder.frames)
    return extract(method.pretrained, fixed(Pool(opened), np.arange(opened.clips), view, 64)).features


def read(out: Path) -> tuple[pd.DataFrame, np.ndarray, dict]:
    frame = pq.read_table(out).to_pandas()
    return frame, np.stack(frame["feature"]), json.loads(out.with_suffix(".json").read_text())


def said(capsys) -> str:
    return capsys.readouterr().err


def test_every_clip_has_the_feature_that_protocols_are_given(encoder, trained, stored, tmp_path, capsys):  # noqa: F811
    for source in (encoder, trained):
        out = tmp_path / f"{source.name}.parquet"
        assert skelray("features", source, stored, out) == 0
        frame, features, told = read(out)
        assert features.dtype == np.float32
        assert np.array_equal(features, expected(encoder, stored).numpy())  # bit for bit
        opened = store.open(Path(stored))
        assert frame["clip"].tolist() == opened.clip_name.tolist()
        assert frame["subject"].tolist() == opened.subject.tolist()
        assert frame["camera"].isna().all()  # -1 in the store: unknown
        assert told["clips"] == {"all": 48, "train": 27, "val": 9, "test": 12}
        assert "48 clips (given: 27 train, 9 val, 12 test), 16 numbers each" in capsys.readouterr().out
    assert pq.read_schema(out).field("feature").type.list_size == 16


def test_validation_and_test_are_told_apart_and_labels_of_the_test_stay_back(encoder, stored, tmp_path):  # noqa: F811
    out, opened = tmp_path / "out.parquet", store.open(Path(stored))
    assert skelray("features", encoder, stored, out) == 0
    frame, _, told = read(out)
    chosen = folds.choose(TrialConfig.model_validate(tiny(store=stored)).data, opened)
    for side, where in (("train", chosen.train), ("val", chosen.val), ("test", np.arange(36, 48))):
        assert np.flatnonzero(frame["side"] == side).tolist() == where.tolist()
    assert frame["label"][:36].tolist() == opened.label[:36].tolist()
    assert frame["label"][36:].isna().all()
    assert told["test"] == {"opened": True, "labels": False, "ledger": "out.test_ledger.jsonl"}

    assert skelray("features", encoder, stored, out, "--test-labels", "--force") == 0
    frame, _, told = read(out)
    assert frame["label"].tolist() == opened.label.tolist()
    assert told["test"]["labels"]
    lines = [json.loads(line) for line in (tmp_path / "out.test_ledger.jsonl").read_text().splitlines()]
    assert [line["what"] for line in lines] == ["features", "features and labels"]
    assert {line["who"] for line in lines} == {"skelray features"}
    assert {line["encoder"] for line in lines} == {told["encoder"]["sha256"]}


def test_without_its_test_side_a_split_is_not_opened(encoder, stored, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(splits, "open_test", lambda *_, **__: pytest.fail("nobody asked for the test side"))
    out = tmp_path / "out.parquet"
    assert skelray("features", encoder, stored, out, "--side", "train", "--side", "val") == 0
    frame, features, told = read(out)
    assert frame["index"].tolist() == list(range(36))
    assert np.allclose(features, expected(encoder, stored)[:36], atol=1e-6)
    assert told["test"] == {"opened": False, "labels": False, "ledger": None}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.parquet"]


def test_the_manifest_names_the_encoder_the_clips_and_the_command(encoder, stored, tmp_path):  # noqa: F811
    out = tmp_path / "out.parquet"
    assert skelray("features", encoder, stored, out) == 0
    told, opened = read(out)[2], store.open(Path(stored))
    config = json.loads((encoder / "config.json").read_text())
    assert told["encoder"]["sha256"] == config["sha256"]
    assert told["encoder"]["method"] == config["method"]
    assert told["encoder"]["trained"]["side"] == "training side without its validation clips"
    assert told["encoder"]["trained"]["seed"] == 5
    assert told["store"]["fingerprint"] == opened.fingerprint
    assert told["store"]["layout"]["joints"] == list(opened.skeleton.joints)
    assert told["store"]["classes"] == ["slow", "middle", "fast"]
    assert (told["stream"], told["frames"], told["width"], told["split"]) == ("joint", 12, 16, "given")
    assert told["command"] == f"skelray features {encoder} {stored} {out}"
    inside = json.loads(pq.read_schema(out).metadata[b"skelray"])
    assert inside == {key: value for key, value in told.items() if key != "sha256"}
    assert told["sha256"] == folder.digest(out)


def test_what_is_killed_while_it_writes_leaves_nothing_and_what_was_there_stays(
    encoder,
    stored,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    out = tmp_path / "out.parquet"
    (tmp_path / "before").mkdir()
    before = tmp_path / "before/out.parquet"
    assert skelray("features", encoder, stored, before, "--side", "train") == 0
    known = before.read_bytes()
    monkeypatch.setattr("skelray.data.feature_table.GROUP", 16)  # several row groups are on the disk by then
    view, looks = Pool.view, []

    def killed(*words):
        looks.append(None)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return view(*words)

    monkeypatch.setattr(Pool, "view", killed)
    from skelray.features import export

    for place in (out, before):
        looks.clear()
        with pytest.raises(KeyboardInterrupt):
            export(encoder, stored, place, size=16, sides=("train", "val"), force=True)
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before"]
    assert before.read_bytes() == known
    assert sorted(path.name for path in before.parent.iterdir()) == ["out.json", "out.parquet"]


def test_a_large_store_is_written_group_by_group(encoder, stored, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("skelray.data.feature_table.GROUP", 20)
    from skelray.features import export

    export(encoder, stored, tmp_path / "out.parquet", size=7)
    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert [file.metadata.row_group(each).num_rows for each in range(file.num_row_groups)] == [21, 21, 6]
    assert np.allclose(read(tmp_path / "out.parquet")[1], expected(encoder, stored), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"joints": ("hip", "chest", "head", "hand_left", "hand_right")}, "in another order or under other names"),
        ({"joints": tuple("abcd"), "parents": (0, 0, 1, 1)}, "4 joints of 3 coordinates (five)"),
        ({"channels": 2}, "5 joints of 2 coordinates (five)"),
    ],
)
def test_an_encoder_of_another_layout_is_refused(change, told, encoder, clips, five_joints, tmp_path, capsys):  # noqa: F811
    other = Skeleton.model_validate(five_joints.model_dump() | {"mirror": (), "parts": {}} | change)
    cut = [replace(each, joints=each.joints[:, :, : len(other.joints), : other.channels]) for each in clips]
    store.write(tmp_path / "other.arrow", cut, other, "other", ("slow", "middle", "fast"))
    assert skelray("features", encoder, tmp_path / "other.arrow", tmp_path / "out.parquet") == 2
    line = said(capsys)
    assert "the encoder was trained on 5 joints of 3 coordinates (five); other has" in line
    assert told in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.arrow"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ENCODER", "STORE", "out.csv"], "out.csv does not end in .parquet"),
        (["ENCODER", "STORE", "no/out.parquet"], "there is no folder"),
        (["nowhere", "STORE", "out.parquet"], "nowhere: no such folder"),
        ([".", "STORE", "out.parquet"], "holds no checkpoint"),
        (["ENCODER", "nowhere", "out.parquet"], "no store named 'nowhere'"),
        (["ENCODER", "STORE", "out.parquet", "--split", "givn"], 'did you mean "given"'),
        (["ENCODER", "STORE", "out.parquet", "--side", "tset"], 'did you mean "test"'),
        (["ENCODER", "STORE", "out.parquet", "--stream", "bone"], "was trained on the joint stream"),
        (["ENCODER", "STORE", "out.parquet", "--stream", "bones"], 'did you mean "bone"'),
    ],
)
def test_each_mistake_is_one_sentence_and_nothing_is_made(
    words,
    told,
    encoder,
    stored,  # noqa: F811
    tmp_path,
    capsys,
    monkeypatch,
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path))
    known = {"ENCODER": encoder, "STORE": stored}
    assert skelray("features", *(known.get(word, word) for word in words)) == 2
    line = said(capsys)
    assert told in line
    assert len(line.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_replaced_on_request_alone_and_no_test_is_opened_for_it(
    encoder,
    stored,  # noqa: F811
    tmp_path,
    capsys,
):
    (tmp_path / "out.json").write_text("mine")
    assert skelray("features", encoder, stored, tmp_path / "out.parquet") == 2
    assert "out.json exists" in said(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_tampered_and_diverged_weights_give_no_features(encoder, stored, tmp_path, capsys):  # noqa: F811
    altered = shutil.copytree(encoder, tmp_path / "altered")
    raw = bytearray((altered / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (altered / "model.safetensors").write_bytes(raw)
    assert skelray("features", altered, stored, tmp_path / "out.parquet") == 2
    assert "is torn or altered" in said(capsys)
    found = folder.read(encoder)
    with torch.no_grad():
        next(found.method.encoder.parameters()).fill_(float("inf"))
    for file in altered.iterdir():
        file.unlink()
    folder.describe(found, altered)
    assert skelray("features", altered, stored, tmp_path / "out.parquet", "--side", "train") == 2
    assert "are not finite" in said(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["altered"]

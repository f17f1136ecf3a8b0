"""Which split tells the sides of features, where the store is not the one that the encoder was trained on."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from shell import skelray
from test_features import encoder as encoder
from test_features import trained as trained
from tiny_trial import clips, one_thread, stored  # noqa: F401  # fixtures

from skelray.data import store


@pytest.fixture
def other(clips, five_joints, tmp_path):  # noqa: F811
    """A function that stores 12 of the clips again, with the sides of these splits."""

    def written(*names: str) -> str:
        few = [replace(clip, sides=dict.fromkeys(names, place % 2)) for place, clip in enumerate(clips[:12])]
        store.write(tmp_path / "other.arrow", few, five_joints, "other", ("slow", "middle", "fast"))
        return str(tmp_path / "other.arrow")

    return written


def test_a_store_that_knows_no_split_is_written_whole_with_its_labels(encoder, other, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    assert skelray("features", encoder, other(), out) == 0
    assert "12 clips, 16 numbers each" in capsys.readouterr().out
    frame = pq.read_table(out).to_pandas()
    assert frame["side"].isna().all()
    assert frame["label"].notna().all()
    told = json.loads(out.with_suffix(".json").read_text())
    assert (told["split"], told["test"]["opened"], told["clips"]["all"]) == (None, False, 12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.arrow", "out.json", "out.parquet"]
    assert skelray("features", encoder, other(), tmp_path / "train.parquet", "--side", "train") == 2
    assert "other knows no split, so none of its clips lies on a side" in capsys.readouterr().err


def test_the_only_split_of_a_store_is_taken_and_the_encoders_own_validation_means_nothing_there(
    encoder, other, tmp_path, capsys
):
    out = tmp_path / "out.parquet"
    assert skelray("features", encoder, other("theirs"), out) == 0
    assert pq.read_table(out).to_pandas()["side"].tolist() == ["train", "test"] * 6
    assert json.loads(out.with_suffix(".json").read_text())["split"] == "theirs"
    capsys.readouterr()
    assert skelray("features", encoder, other("theirs"), tmp_path / "val.parquet", "--side", "val") == 2
    assert "only an encoder trained on this split knows its validation clips" in capsys.readouterr().err


def test_one_of_several_splits_must_be_named(encoder, other, tmp_path, capsys):
    place = other("first", "second")
    assert skelray("features", encoder, place, tmp_path / "out.parquet") == 2
    assert "other has the splits first, second; name one with --split" in capsys.readouterr().err
    assert skelray("features", encoder, place, tmp_path / "out.parquet", "--split", "second", "--side", "test") == 0
    line = json.loads((tmp_path / "out.test_ledger.jsonl").read_text())
    assert (line["split"], line["clips"]) == ("second", 6)
    assert pq.read_table(tmp_path / "out.parquet").to_pandas()["label"].isna().all()

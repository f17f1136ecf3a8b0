"""Splits: the official counts, held-out subjects, and a test side that only one door opens."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import skelray
from tiny_store import tiny_clips, tiny_store

from skelray.data import splits, store
from skelray.data.clip import TEST, TRAIN
from skelray.errors import BadInput


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("stores") / "tiny.arrow")


@pytest.mark.parametrize(
    ("folder", "name", "split", "column", "train", "test"),
    [
        ("ntu", "ntu60", "xsub", "performer", 40_091, 16_487),
        ("ntu", "ntu60", "xview", "camera", 37_646, 18_932),
        ("ntu120", "ntu120", "xsub", "performer", 63_026, 50_919),
        ("ntu120", "ntu120", "xset", "setup", 54_468, 59_477),
    ],
)
def test_official_counts_of_ntu(shared_data, folder, name, split, column, train, test):
    ids = np.loadtxt(shared_data / "samples" / "ntu_lists" / folder / f"{column}.txt", dtype=np.int64)
    trains = splits.trains(name, split, ids)
    assert (trains.sum(), (~trains).sum()) == (train, test)
    assert splits.protocols()[name][split]["whole"] == {"train": train, "test": test}


def test_official_counts_of_utd_mhad_and_msrc12(shared_data):
    """UTD-MHAD: 431 / 430. MSRC-12: odd ones of 30 subjects train; ten clips of its file are zeros throughout."""
    names = [path.name for path in (shared_data / "utd-mhad").rglob("a*_s*_t*_skeleton.mat")]
    subjects = {"utd-mhad": [int(name.split("_s")[1][0]) for name in names]}
    with np.load(shared_data / "msrc12.npz") as file:
        moves = np.logical_or.reduceat(file["x"].any((1, 2, 3)), file["ptr"][:-1])
        subjects["msrc12"] = file["subject"].astype(np.int64)[moves].tolist()
        assert (~moves).sum() == 10
    for name, whole in (("utd-mhad", {"train": 431, "test": 430}), ("msrc12", {"train": 3_104, "test": 3_127})):
        trains = splits.trains(name, "xsub", np.array(subjects[name]))
        assert {"train": trains.sum(), "test": (~trains).sum()} == whole == splits.protocols()[name]["xsub"]["whole"]
    odd = set(subjects["msrc12"]) & set(range(1, 31, 2))
    assert odd == set(splits.protocols()["msrc12"]["xsub"]["train"])


def test_two_dimensional_forms_share_the_rules_of_their_recordings(tmp_path):
    assert splits.protocols()["ntu60-2d"] is splits.protocols()["ntu60"]
    assert splits.protocols()["ntu120-2d"] is splits.protocols()["ntu120"]
    opened = tiny_store(tmp_path / "a.arrow", name="ntu60-2d")
    assert splits.sizes(opened, "xview") == (36, 18)
    assert (splits.family("ntu60-2d"), splits.family("nw-ucla"), splits.family("mine")) == ("ntu60", "nw-ucla", "mine")


def test_select_and_open_test_share_no_clip_and_lose_none(tiny, tmp_path):
    selection = splits.select(tiny, "xview", 2, seed=0)
    test = splits.open_test(tiny, "xview", reader="test", ledger=tmp_path / "opened.jsonl")
    everything = np.concatenate([selection.train, selection.val, test.standard])
    np.testing.assert_array_equal(np.sort(everything), np.arange(tiny.clips))
    np.testing.assert_array_equal(selection.everything, np.flatnonzero(tiny.camera != 3))


@given(seed=st.integers(0, 2**31), subjects=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_validation_is_whole_subjects(tiny, seed, subjects):
    selection = splits.select(tiny, "xview", subjects, seed)
    held, kept = set(tiny.subject[selection.val]), set(tiny.subject[selection.train])
    assert len(held) >= subjects
    assert not held & kept
    assert set(tiny.camera[selection.val]) == {1, 2}
    assert len(selection.val) >= 0.1 * len(selection.everything)
    assert set(tiny.label[selection.val]) == set(tiny.label[selection.train]) == {0, 1, 2}


def test_the_seed_decides_who_is_held_out(tiny):
    first = splits.select(tiny, "xview", 2, seed=0)
    np.testing.assert_array_equal(first.val, splits.select(tiny, "xview", 2, seed=0).val)
    drawn = {tuple(splits.select(tiny, "xview", 2, seed=seed).val) for seed in range(20)}
    assert len(drawn) > 5


def test_more_subjects_are_held_out_until_a_tenth_of_the_clips_is(tmp_path):
    clips = tiny_clips(subjects=30, cameras=2)
    held = splits.select(tiny_store(tmp_path / "a.arrow", clips), "xview", 1, seed=0).val
    assert len(held) == 3 * 6  # 3 of 30 subjects with 6 clips each


def test_a_class_that_few_subjects_do_is_kept_on_both_sides(tmp_path):
    clips = [clip for clip in tiny_clips(subjects=8) if clip.label < 2 or clip.subject in (3, 7)]
    opened = tiny_store(tmp_path / "a.arrow", clips)
    for seed in range(20):
        selection = splits.select(opened, "xview", 2, seed)
        assert set(opened.label[selection.val]) == set(opened.label[selection.train]) == {0, 1, 2}


def test_without_subjects_a_tenth_of_each_class_is_held_out_and_said(tmp_path):
    clips = [replace(clip, subject=-1) for clip in tiny_clips(repeats=5)]
    opened = tiny_store(tmp_path / "a.arrow", clips)
    with pytest.warns(UserWarning, match="does not know its subjects"):
        selection = splits.select(opened, "xview", 2, seed=0)
    np.testing.assert_array_equal(np.bincount(opened.label[selection.val]), [6, 6, 6])
    assert not set(selection.val) & set(selection.train)


def test_clean_leaves_out_the_copies_of_training_clips(tiny, tmp_path):
    test = splits.open_test(tiny, "xview", reader="test", ledger=tmp_path / "opened.jsonl")
    assert len(test.standard) == 18
    np.testing.assert_array_equal(test.clean, test.standard[tiny.label[test.standard] != 2])


def test_each_opening_is_one_line_of_the_ledger(tiny, tmp_path):
    ledger = tmp_path / "results" / "ledger.jsonl"
    for reader in ("amr seed 0", "amr seed 1"):
        splits.open_test(tiny, "xview", reader=reader, ledger=ledger)
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [line["who"] for line in lines] == ["amr seed 0", "amr seed 1"]
    expected = {"store": "nw-ucla", "fingerprint": tiny.fingerprint, "split": "xview", "clips": 18, "clean": 12}
    assert expected.items() <= lines[0].items()


def test_the_side_that_the_source_gives_is_a_split(tmp_path):
    sides = [replace(clip, sides={"given": TEST if clip.subject > 4 else TRAIN}, subject=-1) for clip in tiny_clips()]
    opened = tiny_store(tmp_path / "a.arrow", sides, name="anything")
    assert splits.available(opened) == ["given"]
    assert splits.sizes(opened, "given") == (36, 18)
    np.testing.assert_array_equal(
        splits.open_test(opened, "given", reader="test", ledger=tmp_path / "opened.jsonl").standard,
        np.flatnonzero(opened.sides["given"] == TEST),
    )


def test_a_given_side_serves_where_the_official_rule_cannot(tmp_path):
    """Official: cameras 1 and 2 train. The source says subjects 1 and 2, under the same name."""
    given = [replace(clip, sides={"xview": TRAIN if clip.subject <= 2 else TEST}) for clip in tiny_clips()]
    official = tiny_store(tmp_path / "a.arrow", given)
    np.testing.assert_array_equal(splits.training_side(official, "xview"), official.camera != 3)
    blind = tiny_store(tmp_path / "b.arrow", [replace(clip, camera=-1) for clip in given])
    np.testing.assert_array_equal(splits.training_side(blind, "xview"), blind.subject <= 2)


def test_several_given_splits_are_served_and_one_with_gaps_is_refused(tmp_path):
    sides = [
        replace(clip, sides={"fold a": clip.subject % 2, "fold b": int(clip.subject > 2)} | ({"gaps": 0} if n else {}))
        for n, clip in enumerate(tiny_clips())
    ]
    opened = tiny_store(tmp_path / "a.arrow", sides, name="mine")
    assert splits.available(opened) == ["fold a", "fold b"]
    assert splits.sizes(opened, "fold b") == (18, 36)
    with pytest.raises(BadInput, match=r'by "gaps": 1 of its 54 clips are on neither side'):
        splits.select(opened, "gaps", 1, seed=0)


def test_the_command_lists_splits_and_who_validates(tmp_path, capsys):
    tiny_store(tmp_path / "a.arrow")
    given = [replace(clip, subject=-1, sides={"mine": int(clip.camera == 3)}) for clip in tiny_clips()]
    tiny_store(tmp_path / "b.arrow", given, name="other")
    tiny_store(tmp_path / "c.arrow", name="other")

    def rows(name, *words):
        assert skelray("data", "splits", tmp_path / name, *words) == 0
        table = capsys.readouterr().out.splitlines()
        return [[cell.strip() for cell in line.split("│")[1:-1]] for line in table if line.startswith("│")]

    held = splits.select(store.open(tmp_path / "a.arrow"), "xview", 3, 1).val
    people = np.unique(store.open(tmp_path / "a.arrow").subject[held])
    expected = ["xview", str(36 - len(held)), str(len(held)), "18", f"subjects {', '.join(map(str, people))}"]
    assert rows("a.arrow", "--val-subjects", 3, "--val-seed", 1) == [expected]
    assert rows("a.arrow", "--val-subjects", 9)[0][:4] == ["xview", "36", "0", "18"]
    assert rows("b.arrow")[0][:4] == ["mine", "30", "6", "18"]
    assert skelray("data", "splits", tmp_path / "c.arrow") == 2
    assert "knows no split" in capsys.readouterr().err


def test_what_cannot_be_split_is_refused(tiny, tmp_path):
    with pytest.raises(BadInput, match=r'no such split; did you mean "xview"\? \(this store serves xview\)'):
        splits.select(tiny, "xviews", 2, seed=0)
    for subjects in (0, 6, 7):
        with pytest.raises(BadInput, match=f"6 training subjects: cannot hold out {subjects}"):
            splits.select(tiny, "xview", subjects, seed=0)
    blind = tiny_store(tmp_path / "a.arrow", [replace(clip, camera=-1) for clip in tiny_clips()])
    with pytest.raises(BadInput, match=r"camera numbers are unknown \(this store serves none\)"):
        splits.select(blind, "xview", 2, seed=0)
    only_test = tiny_store(tmp_path / "b.arrow", [clip for clip in tiny_clips() if clip.camera == 3])
    with pytest.raises(BadInput, match="leaves no clip to train on"):
        splits.select(only_test, "xview", 2, seed=0)


def test_a_store_of_test_clips_alone_still_tells_its_sizes(tmp_path):
    only_test = tiny_store(tmp_path / "a.arrow", [clip for clip in tiny_clips() if clip.camera == 3])
    assert splits.sizes(only_test, "xview") == (0, 18)


def test_one_clip_a_class_leaves_nobody_to_validate_on(tmp_path):
    sides = [replace(clip, sides={"given": TRAIN}, subject=-1) for clip in tiny_clips(subjects=1, cameras=1)]
    opened = tiny_store(tmp_path / "a.arrow", sides, name="anything")
    with (
        pytest.warns(UserWarning, match="does not know its subjects"),
        pytest.raises(BadInput, match="no class has two training clips"),
    ):
        splits.select(opened, "given", 1, seed=0)

"""Labelled subsets: a file for each, the same for every method, rank, process and alignment of the data."""

import json
import multiprocessing
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import skelray
from tiny_store import tiny_clips, tiny_store

from skelray import skeletons
from skelray.data import splits, store, subsets
from skelray.errors import BadInput

SHARES = (0.01, 0.05, 0.1, 0.25)
CLIPS = [c for c in tiny_clips(subjects=10, repeats=8) if c.label != 1 or c.subject < 4]  # 160, 48 and 160 to train on


@pytest.fixture
def tiny(tmp_path):
    return tiny_store(tmp_path / "tiny.arrow", CLIPS)


def drawn(opened, share, draw=0):
    return subsets.labelled(opened, "xview", share, draw).indices


@pytest.mark.parametrize("share", SHARES)
def test_a_subset_is_a_share_of_each_class_of_the_whole_training_side(tiny, share):
    inside = splits.training_clips(tiny, "xview")
    clips = drawn(tiny, share)
    assert np.isin(clips, inside).all()
    assert (np.diff(clips) > 0).all()
    assert len(clips) == max(3, int(share * len(inside)))
    whole, counts = (np.bincount(tiny.label[each]) for each in (inside, clips))
    assert (counts >= 1).all()
    assert (np.abs(counts - share * whole) <= 1).all()


def test_smaller_subsets_lie_in_larger_ones_and_draws_differ(tiny):
    for draw in range(5):
        for small, large in pairwise(SHARES):
            assert set(drawn(tiny, small, draw)) <= set(drawn(tiny, large, draw))
    assert len({tuple(drawn(tiny, 0.1, draw)) for draw in range(5)}) == 5


@given(
    label=st.lists(st.sampled_from([0] * 6 + [1] * 3 + [2, 7]), min_size=1, max_size=400),
    share=st.sampled_from(SHARES),
    draw=st.integers(0, 4),
)
@settings(max_examples=60, deadline=None)
def test_however_uneven_the_classes_each_is_there_and_none_has_more_than_its_share(label, share, draw):
    label = np.array(label, np.int32)
    clips = subsets.first(label, [f"c{number}" for number in range(len(label))], "xsub", share, draw)
    present = np.unique(label)
    assert len(set(clips)) == len(clips) == max(len(present), round(share * 100) * len(label) // 100)
    assert set(label[clips]) == set(present)
    for one in present:
        assert (label[clips] == one).sum() <= max(1, share * (label == one).sum() + 1)


@pytest.mark.parametrize(
    ("folder", "name", "split", "column", "sizes"),
    [
        ("ntu", "ntu60", "xsub", "performer", (400, 2_004, 4_009, 10_022)),
        ("ntu", "ntu60", "xview", "camera", (376, 1_882, 3_764, 9_411)),
    ],
)
def test_the_published_sizes_on_ntu(shared_data, folder, name, split, column, sizes):
    """MAMP labels 400 and 4,009 clips (x-sub), 376 and 3,764 (x-view): int(share * clips)."""
    lists = shared_data / "samples" / "ntu_lists" / folder
    ids, label = (np.loadtxt(lists / f"{each}.txt", dtype=np.int32) for each in (column, "label"))
    names = np.array((lists / "skes_available_name.txt").read_text().split(), object)
    inside = np.flatnonzero(splits.trains(name, split, ids))
    for share, size in zip(SHARES, sizes, strict=True):
        clips = inside[subsets.first(label[inside], names[inside], split, share, draw=0)]
        assert len(clips) == size
        counts = np.bincount(label[clips])[np.unique(label)]
        assert len(counts) == 60
        assert np.ptp(counts) <= 1 + share * np.ptp(np.bincount(label[inside])[np.unique(label)])


def test_the_order_is_the_same_for_ever():
    """Two of ten clips, one of each class, under the draws 0, 1 and 2: results rest on them."""
    label = np.arange(10, dtype=np.int32) % 2
    order = [subsets.first(label, [f"clip {n}" for n in range(10)], "xsub", 0.25, draw).tolist() for draw in range(3)]
    assert order == [[9, 0], [8, 7], [9, 6]]


def test_the_same_clips_after_another_import_in_another_place_and_under_another_alignment(tiny, tmp_path):
    again = tiny_store(tmp_path / "elsewhere" / "a.arrow", CLIPS)
    first, second = (subsets.labelled(each, "xview", 0.05) for each in (tiny, again))
    assert first.fingerprint == second.fingerprint
    assert first.path.read_bytes() == second.path.read_bytes()
    moved = tmp_path / "moved.arrow"
    clips = [replace(clip, joints=clip.joints + np.float32(1)) for clip in CLIPS]
    store.write(moved, clips, skeletons.layout("kinect20"), "nw-ucla", tiny.classes, ("as drawn", "moved"))
    third = subsets.labelled(store.open(moved), "xview", 0.05)
    np.testing.assert_array_equal(first.indices, third.indices)
    assert first.fingerprint != third.fingerprint
    assert first.path != third.path


def ask(path, rank, world, start, answers):
    """One of several processes that want the subset at the same moment; rank and world are all that they differ in."""
    np.random.seed(rank)  # noqa: NPY002  # what the released code drew its subsets by
    opened = store.open(path)
    start.wait()
    found = subsets.labelled(opened, "xview", 0.05)
    answers.put((rank, world, found.fingerprint, found.indices.tolist()))


@pytest.mark.parametrize("world", [1, 2, 4])
def test_processes_that_ask_at_once_get_the_same(tiny, world):
    context = multiprocessing.get_context("fork")
    start, answers = context.Barrier(world), context.Queue()
    processes = [context.Process(target=ask, args=(tiny.path, rank, world, start, answers)) for rank in range(world)]
    for process in processes:
        process.start()
    told = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert {(fingerprint, tuple(clips)) for *_, fingerprint, clips in told} == {
        (subsets.labelled(tiny, "xview", 0.05).fingerprint, tuple(drawn(tiny, 0.05)))
    }
    assert [path.name for path in (tiny.path.parent / "subsets").iterdir()] == [
        f"{tiny.fingerprint[:12]}-xview-0.05-draw0.json"
    ]


def test_clips_of_one_name_are_told_apart(tmp_path):
    opened = tiny_store(tmp_path / "a.arrow", [replace(clip, clip_name="same") for clip in CLIPS])
    assert len(set(drawn(opened, 0.1))) == int(0.1 * 368)


def test_a_changed_or_foreign_file_is_refused_by_name(tiny, tmp_path):
    path = subsets.labelled(tiny, "xview", 0.1).path
    good = json.loads(path.read_text())
    other = tiny_store(tmp_path / "other" / "a.arrow", tiny_clips(seed=1, subjects=10, repeats=8))
    foreign = subsets.labelled(other, "xview", 0.1).path.read_text()
    test_clip = int(np.flatnonzero(tiny.camera == 3)[0])

    def forged(**changes):
        record = subsets.Record(**{**good, **changes})
        return json.dumps({**good, **changes, "fingerprint": subsets._fingerprint(record)})

    for text, sentence in (
        (json.dumps({**good, "indices": good["indices"][1:]}), "changed since it was made"),
        (json.dumps({**good, "draw": 1}), "changed since it was made"),
        (foreign, "made for store_fingerprint"),
        (forged(draw=1), "made for draw 1, not for 0"),
        (forged(indices=[test_clip], names=[tiny.clip_name[test_clip]]), "not of the training side"),
        (forged(names=["strange", *good["names"][1:]]), "not of the training side"),
        (forged(indices=good["indices"][::-1], names=good["names"][::-1]), "not of the training side"),
        (forged(indices=[10**15], names=["x"]), "not of the training side"),
        (path.read_text().replace('"indices": [', f'"indices": [{10**30}, '), "is no labelled subset"),
        (path.read_text()[:100], "is no labelled subset"),
        ("[]", "is no labelled subset"),
        ("", "is no labelled subset"),
        (json.dumps({**good, "extra": 1}), "is no labelled subset"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=sentence) as caught:
            subsets.labelled(tiny, "xview", 0.1)
        assert path.name in str(caught.value)
    path.unlink()
    np.testing.assert_array_equal(drawn(tiny, 0.1), good["indices"])


@pytest.mark.parametrize(
    ("split", "share", "draw", "sentence"),
    [
        ("xview", 0.02, 0, r"no labelled subset of 0\.02; the shares are 0\.01, 0\.05, 0\.1, 0\.25"),
        ("xview", 0.1, 5, "no draw 5 of labelled subsets; they are 0 to 4"),
        ("xview", 0.1, -1, "no draw -1"),
        ("xviews", 0.1, 0, "no such split"),
    ],
)
def test_what_there_is_no_subset_of_is_said(tiny, split, share, draw, sentence):
    with pytest.raises(BadInput, match=sentence):
        subsets.labelled(tiny, split, share, draw)


def test_the_name_of_a_split_names_no_other_folder(tmp_path):
    clips = [replace(clip, sides={"../../up/xsub": int(clip.camera == 3)}) for clip in tiny_clips()]
    opened = tiny_store(tmp_path / "deep" / "a.arrow", clips)
    path = subsets.labelled(opened, "../../up/xsub", 0.25).path
    assert path.resolve().parent == (tmp_path / "deep" / "subsets").resolve()


def test_the_command_says_how_many_of_each_class_and_where(tiny, tmp_path, capsys):
    assert (
        skelray("data", "subset", tiny.path, "xview", "--share", "0.05", "--draw", "1", "--out", tmp_path / "o.json")
        == 0
    )
    found = subsets.labelled(tiny, "xview", 0.05, 1)
    told = capsys.readouterr().out
    assert f"{found.path}\nfingerprint {found.fingerprint}" in told
    assert [line.split("│")[1:4] for line in told.splitlines() if "│ all" in line] == [
        [" all   ", " 18       ", " 368            "]
    ]
    assert (tmp_path / "o.json").read_bytes() == found.path.read_bytes()
    assert skelray("data", "subset", tiny.path, "xview", "--share", "0.5") == 2
    assert "the shares are 0.01, 0.05, 0.1, 0.25" in capsys.readouterr().err
    assert skelray("data", "subset", tiny.path, "xview", "--share", "0.1", "--out", tmp_path / "no" / "o.json") == 2

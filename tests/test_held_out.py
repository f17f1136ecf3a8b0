"""Who is held out: the draws that landed results rest on, whole recordings where subjects are unknown."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_store import tiny_clips, tiny_store

from skelray.data import held_out, locate, splits, store
from skelray.errors import BadInput

LANDED = [  # set, split, val_subjects, subjects held out under the seeds 0, 1, 2
    ("nw-ucla", "xview", 1, [[5], [3], [7, 8]]),
    ("nw-ucla", "xview", 2, [[4, 5], [3, 10], [7, 8]]),
    ("nw-ucla", "xview", 3, [[1, 4, 5], [3, 7, 10], [4, 7, 8]]),
    ("synthetic", "xsub", 2, [[1, 4], [5, 8], [5, 10]]),
    ("synthetic", "xview", 2, [[4, 5], [3, 10], [7, 8]]),
    ("synthetic-small", "xsub", 1, [[1], [2], [4]]),
    ("synthetic-small", "xview", 2, [[1, 3], [4, 6], [1, 4]]),
]


@pytest.fixture(scope="module")
def stores(imported, synthetic_stores):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKELRAY_STORES", str(synthetic_stores))
        made = {name: store.open(locate.find(name)) for name in ("synthetic", "synthetic-small")}
    return made | {"nw-ucla": imported("nw_ucla")}


@pytest.mark.parametrize(("name", "split", "least", "held"), LANDED)
def test_the_subjects_of_landed_results_are_drawn_for_ever(stores, name, split, least, held):
    drawn = [splits.select(stores[name], split, least, seed).val for seed in range(3)]
    assert [np.unique(stores[name].subject[clips]).tolist() for clips in drawn] == held


def filmed(classes_a_recording: int, repeats: int = 6, **known) -> list:
    """Clips of unknown people; each recording was seen by every camera and holds one class, or as many as asked."""
    clips = tiny_clips(repeats=repeats)
    number = {0: lambda clip: clip.subject * 3 + clip.label, 1: lambda clip: clip.subject}
    of = number[classes_a_recording > 1]
    return [replace(clip, subject=-1, recording=of(clip) * 100 + clip.replication, **known) for clip in clips]


@pytest.mark.parametrize("classes", [1, 3])
@given(seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_without_subjects_whole_recordings_are_held_out_a_tenth_of_each_class(tmp_path_factory, classes, seed):
    opened = tiny_store(tmp_path_factory.mktemp("a") / "a.arrow", filmed(classes))
    with pytest.warns(UserWarning, match=r"does not know its subjects: validation is whole recordings, about a tenth"):
        selection = splits.select(opened, "xview", 2, seed)
    assert not set(opened.recording[selection.val]) & set(opened.recording[selection.train])
    assert len(selection.val) >= 0.1 * len(selection.everything)
    assert set(opened.camera[selection.val]) == {1, 2}
    share = np.bincount(opened.label[selection.val]) / np.bincount(opened.label[selection.everything])
    assert ((share >= 0.1) & (share <= 0.17)).all()  # 72 clips a class: 8 are a tenth, and come in pairs of cameras


def test_a_class_of_two_recordings_is_on_both_sides_and_one_of_a_single_recording_trains(tmp_path):
    clips = [clip for clip in filmed(1) if clip.label == 0 or clip.recording < (900 if clip.label == 1 else 600)]
    rare = [replace(clip, recording=clip.recording // 100 if clip.label else clip.recording) for clip in clips]
    opened = tiny_store(tmp_path / "a.arrow", rare)
    recordings = [len(np.unique(opened.recording[opened.label == label])) for label in range(3)]
    assert recordings == [36, 2, 1]
    for seed in range(10):
        with pytest.warns(UserWarning, match="whole recordings"):
            selection = splits.select(opened, "xview", 2, seed)
        assert set(opened.label[selection.val]) == {0, 1}
        assert set(opened.label[selection.train]) == {0, 1, 2}


def test_one_recording_leaves_nobody_to_validate_on(tmp_path):
    opened = tiny_store(tmp_path / "a.arrow", [replace(clip, recording=5) for clip in filmed(1)])
    with (
        pytest.warns(UserWarning, match="whole recordings"),
        pytest.raises(BadInput, match="all training clips are of one recording"),
    ):
        splits.select(opened, "xview", 2, seed=0)


def test_subjects_come_before_recordings_and_a_recording_unknown_anywhere_is_none(tmp_path):
    known = [replace(clip, subject=clip.recording // 300, recording=7) for clip in filmed(1)]
    opened = tiny_store(tmp_path / "a.arrow", known)
    assert held_out.unit(opened, np.arange(opened.clips)) == "subject"
    gap = [replace(clip, recording=-1) if number == 4 else clip for number, clip in enumerate(filmed(1))]
    opened = tiny_store(tmp_path / "b.arrow", gap)
    assert held_out.unit(opened, np.arange(opened.clips)) == "clip"
    assert held_out.unit(opened, np.arange(5, opened.clips)) == "recording"

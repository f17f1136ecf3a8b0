"""Folds: each training clip is validated exactly once, by people or recordings that the rest never saw."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sweep_folder import folder as folder
from tiny_store import tiny_clips, tiny_store
from tiny_trial import clips as clips
from tiny_trial import stored as stored
from tiny_trial import tiny

from skelray.data import splits
from skelray.data.config import DataConfig
from skelray.data.folds import choose, folds
from skelray.errors import BadInput
from skelray.schema import problems
from skelray.sweep import driver
from skelray.trial import prepare
from skelray.trial_config import TrialConfig


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """12 subjects: number s does every class s % 4 + 1 times before two training cameras and one other."""
    clips = [clip for clip in tiny_clips(subjects=12, repeats=4) if clip.replication <= clip.subject % 4]
    return tiny_store(tmp_path_factory.mktemp("stores") / "uneven.arrow", clips)


def once(opened, found) -> None:
    """Raise unless the folds validate each training clip once and train on all the others."""
    inside = splits.training_clips(opened, "xview")
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.val for fold in found])), inside)
    for fold in found:
        np.testing.assert_array_equal(fold.everything, inside)
        assert len(fold.val)


@given(k=st.integers(2, 12), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_each_subject_is_held_out_once_in_folds_of_nearly_one_size(uneven, k, seed):
    found = folds(uneven, "xview", k, seed)
    assert len(found) == k
    once(uneven, found)
    people = [set(uneven.subject[fold.val]) for fold in found]
    assert sum(map(len, people)) == 12
    assert max(map(len, people)) - min(map(len, people)) <= 1
    sizes = [len(fold.val) for fold in found]
    assert max(sizes) - min(sizes) <= 4 * 3 * 2  # the most that one subject brings


def test_every_class_is_in_every_fold_where_people_allow_it(tmp_path):
    clips = [clip for clip in tiny_clips(subjects=8) if clip.label < 2 or clip.subject in (1, 4, 6, 7)]
    opened = tiny_store(tmp_path / "a.arrow", clips)
    for seed in range(10):
        assert all(set(opened.label[fold.val]) == {0, 1, 2} for fold in folds(opened, "xview", 4, seed))


def test_the_seed_alone_decides_the_folds(uneven):
    def drawn(seed):
        return tuple(tuple(fold.val) for fold in folds(uneven, "xview", 4, seed))

    assert drawn(3) == drawn(3)
    assert len({drawn(seed) for seed in range(10)}) == 10


def test_one_subject_is_left_out_at_a_time_in_their_order(uneven):
    found = folds(uneven, "xview", "subjects", seed=0)
    once(uneven, found)
    assert [set(uneven.subject[fold.val]) for fold in found] == [{subject} for subject in range(1, 13)]


@pytest.mark.parametrize("k", [0, 1, 13])
def test_no_more_folds_than_subjects(uneven, k):
    with pytest.raises(BadInput, match=rf"12 training subjects: cannot make {k} folds of them; 2 to 12 are possible"):
        folds(uneven, "xview", k, seed=0)


@given(k=st.integers(2, 6), seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_without_subjects_recordings_stay_whole_and_classes_even(tmp_path_factory, k, seed):
    clips = tiny_clips(subjects=7, repeats=3)
    recorded = [replace(clip, recording=number // 3, subject=-1) for number, clip in enumerate(clips)]
    opened = tiny_store(tmp_path_factory.mktemp("a") / "a.arrow", recorded)
    with pytest.warns(UserWarning, match=f"validation is whole recordings, about one part of {k} of each class"):
        found = folds(opened, "xview", k, seed)
    once(opened, found)
    assert sum(len(np.unique(opened.recording[fold.val])) for fold in found) == 7 * 3 * 3
    counts = np.array([np.bincount(opened.label[fold.val], minlength=3) for fold in found])
    assert (np.ptp(counts, 0) <= 2 * 2).all()  # two recordings, each before two cameras


@given(k=st.integers(2, 36), seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_without_recordings_each_class_is_dealt_out_evenly(tmp_path_factory, k, seed):
    opened = tiny_store(tmp_path_factory.mktemp("a") / "a.arrow", [replace(c, subject=-1) for c in tiny_clips()])
    with pytest.warns(UserWarning, match=f"validation is one part of {k} of each class, and may show performances"):
        found = folds(opened, "xview", k, seed)
    once(opened, found)
    counts = np.array([np.bincount(opened.label[fold.val], minlength=3) for fold in found])
    assert (np.ptp(counts, 0) <= 1).all()
    assert np.ptp(counts.sum(1)) <= 1


def test_leaving_subjects_out_needs_subjects(tmp_path):
    opened = tiny_store(tmp_path / "a.arrow", [replace(clip, subject=-1) for clip in tiny_clips()])
    with pytest.raises(BadInput, match="leaving one subject out needs subjects, which the store does not know"):
        folds(opened, "xview", "subjects", seed=0)


def test_a_config_chooses_one_fold_or_held_out_subjects(uneven):
    plain = choose(DataConfig(split="xview", val_seed=3), uneven)
    np.testing.assert_array_equal(plain.val, splits.select(uneven, "xview", 2, 3).val)
    third = choose(DataConfig(split="xview", val_seed=3, folds=4, fold=2), uneven)
    np.testing.assert_array_equal(third.val, folds(uneven, "xview", 4, 3)[2].val)
    last = choose(DataConfig(split="xview", folds="subjects", fold=11), uneven)
    assert set(uneven.subject[last.val]) == {12}
    with pytest.raises(BadInput, match=r"data\.fold: there is no fold 12 of 12; they count from 0"):
        choose(DataConfig(split="xview", folds="subjects", fold=12), uneven)


def test_a_trial_trains_without_its_fold_and_its_final_with_it(stored):
    """Four training subjects with nine clips each, validated one by one."""
    config = tiny(store=stored)
    config["data"] |= {"folds": "subjects"}
    prepared = []
    for fold in range(4):
        config["data"]["fold"] = fold
        prepared.append(prepare(TrialConfig.model_validate(config)))
    for fold, parts in enumerate(prepared):
        assert (set(parts.store.subject[parts.selection.val]), len(parts.selection.train)) == ({fold}, 27)
        np.testing.assert_array_equal(parts.selection.everything, np.flatnonzero(parts.store.sides["given"] == 0))


@pytest.mark.parametrize(
    ("given", "key", "sentence"),
    [
        ({"fold": 1}, "fold", "fold 1 is one of no folds; say how many there are in data.folds"),
        ({"folds": 4, "fold": 4}, "fold", "there is no fold 4 of 4; they count from 0 to 3"),
        ({"folds": 1}, "folds", '1 is neither a number of folds, 2 or more, nor "subjects"'),
        ({"folds": True}, "folds", "True is neither"),
        ({"folds": 2.5}, "folds", "2.5 is neither"),
        ({"folds": "subject", "fold": 3}, "folds", 'did you mean "subjects"?'),
        ({"fold": -1}, "fold", "greater than or equal to 0"),
    ],
)
def test_what_is_no_fold_is_told_with_its_key(given, key, sentence):
    with pytest.raises(ValidationError) as caught:
        DataConfig(**given)
    ((told, text),) = problems(caught.value, DataConfig)
    assert told == key
    assert sentence in text


def test_a_search_does_not_choose_its_fold(folder):
    folder.change(
        "search_spaces/amr.yaml",
        "  method.coarse: {",
        "  data.fold: {kind: int, low: 0, high: 3}\n  method.coarse: {",
    )
    with pytest.raises(BadInput, match=r"amr\.yaml:9: search\.data\.fold: is not searched: all trials of a sweep meet"):
        folder.load()


def test_methods_are_not_compared_on_different_folds(folder):
    folder.change("sweeps/both.yaml", "{store: synthetic}", "{store: synthetic, folds: 4}")
    folder.change("sweeps/both.yaml", "mamp: {", "amr: {data.fold: 1}\n  mamp: {")
    with pytest.raises(BadInput, match=r"data\.fold: a sweep compares methods on the same clips, not on 0 and 1"):
        driver._data(folder.load())

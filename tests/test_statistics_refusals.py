"""Predictions that cannot be compared are refused in one sentence that names what is wrong with them."""

import pandas as pd
import pytest
from made_up_predictions import coins, predictions

from skelray.errors import BadInput
from skelray.statistics.compare import compare, compare_all

TABLE = predictions({"amr": coins(1, 3, 10, 0.5), "mamp": coins(2, 3, 10, 0.5)}, subjects=[0, 1] * 5)


def refused(table, *words):
    with pytest.raises(BadInput) as error:
        compare(table, "linear", resamples=10)
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


def test_missing_clips_are_named_with_their_trial():
    gone = TABLE[~((TABLE["trial"] == "mamp-0000-seed-2") & (TABLE["clip"] > "clip0005"))]
    refused(gone, "mamp-0000-seed-2", "4 of 10 clips", "clip0006, clip0007, clip0008 and 1 more")


def test_a_missing_column_is_named():
    refused(TABLE.rename(columns={"predicted": "predicts"}), "'predicted'", 'did you mean "predicts"')
    with pytest.raises(BadInput, match="protocol"):
        compare_all(TABLE.drop(columns="protocol"))


def test_another_protocol_is_named():
    with pytest.raises(BadInput, match=r"'liner'.*did you mean \"linear\""):
        compare(TABLE, "liner")
    refused(TABLE.iloc[:0], "none under the protocol 'linear'")


def test_two_runs_of_one_seed_are_refused():
    """The best two configurations of one method are two methods here, or seeds would be counted twice."""
    second = TABLE[TABLE["method"] == "amr"].assign(trial="amr-0007-seed-1")
    refused(pd.concat([TABLE, second[second["seed"] == 1]]), "amr has two runs of seed 1", "amr-0007-seed-1")
    refused(pd.concat([TABLE, TABLE.iloc[:1]]), "amr-0000-seed-1", "clip0000 twice")


def test_a_clip_has_one_label_and_one_subject():
    other = TABLE.copy()
    other.loc[other.index[-1], "label"] = 0
    refused(other, "clip0009", "label", "1, 0")
    other = TABLE.copy()
    other.loc[other.index[-1], "subject"] = 5
    refused(other, "clip0009", "subject", "1, 5")


@pytest.mark.parametrize("column", ["label", "predicted", "seed", "clip"])
def test_empty_cells_are_refused(column):
    table = TABLE.astype({column: object})
    table.loc[table.index[3], column] = None
    refused(table, f"{column} is empty", "amr-0000-seed-1")


def test_subjects_are_known_of_all_clips_or_of_none():
    table = TABLE.astype({"subject": object})
    table.loc[table["clip"] == "clip0002", "subject"] = None
    refused(table, "the subject of clip0002")
    assert compare(TABLE.assign(subject=None), "linear", resamples=10).subjects is None

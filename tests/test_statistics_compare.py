"""From predictions to claims: the whole comparison of made-up finals."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from made_up_predictions import coins, predictions

from skelray.statistics.compare import compare, compare_all
from skelray.statistics.correction import holm
from skelray.statistics.intervals import Interval, NoInterval
from skelray.statistics.paired import difference

RIGHT = {"low": coins(1, 4, 120, 0.5), "high": coins(2, 4, 120, 0.9), "also high": coins(3, 4, 120, 0.9)}


def small(right, **more):
    return compare(predictions(right, **more), "linear", resamples=100)


def test_the_whole_comparison():
    found = small(RIGHT)
    assert [each.accuracy.mean for each in found.methods] == sorted([x.mean() for x in RIGHT.values()], reverse=True)
    assert found.methods[-1].name == "low"
    assert (found.clips, found.tests, len(found.pairs)) == (120, 3, 3)
    verdicts = {frozenset((pair.first, pair.second)): pair.verdict for pair in found.pairs}
    assert verdicts[frozenset(("high", "also high"))] == "no difference"
    assert verdicts[frozenset(("high", "low"))] == verdicts[frozenset(("also high", "low"))] == "better"
    assert found.ranks.average["low"] == 3
    assert [set(group) for group in found.ranks.groups] == [{"high", "also high"}]


def test_the_p_values_are_those_of_the_null_study():
    found = small(RIGHT)
    alone = [difference(RIGHT[pair.first], RIGHT[pair.second]).p for pair in found.pairs]
    assert [pair.difference.p for pair in found.pairs] == alone
    assert [pair.corrected for pair in found.pairs] == holm(alone)
    assert all(pair.difference.value >= 0 for pair in found.pairs)
    assert all(pair.verdict == "better" if pair.corrected < 0.05 else True for pair in found.pairs)


def test_what_only_stands_alone_is_no_claim():
    found = small({"a": coins(18, 4, 120, 0.7), "b": coins(19, 4, 120, 0.62), "c": coins(20, 4, 120, 0.62)})
    (pair,) = (pair for pair in found.pairs if pair.difference.p < 0.05)
    assert pair.corrected > 0.05
    assert pair.verdict == "no difference"
    assert found.ranks.groups == (tuple(found.ranks.average),)


def test_it_is_plain_data():
    found = small({**RIGHT, "one seed": coins(4, 1, 120, 0.5)}, subjects=np.arange(120) % 5).as_dict()
    assert json.loads(json.dumps(found, allow_nan=False))["clips"] == 120


def test_the_order_of_rows_changes_nothing():
    table = predictions(RIGHT, subjects=np.arange(120) % 20)
    assert compare(table, "linear", resamples=50) == compare(
        table.sample(frac=1, random_state=3), "linear", resamples=50
    )


def test_the_names_of_clips_change_nothing_but_the_draws():
    table = predictions(RIGHT)
    other = table.assign(clip=table["clip"].map(lambda name: name[::-1]))
    before, after = (compare(each, "linear", resamples=50) for each in (table, other))
    assert [pair.difference.p for pair in before.pairs] == pytest.approx([pair.difference.p for pair in after.pairs])
    assert [pair.sentence for pair in before.pairs] == [pair.sentence for pair in after.pairs]


def test_classes_and_confusion_by_hand():
    """Two classes by turns; the run misses clips 0 and 3, so one of each class is taken for another."""
    (method,) = small({"only": np.array([[0, 1, 1, 0, 1, 1]], bool)}, classes=2).methods
    assert [(each.name, each.clips, each.mean) for each in method.classes] == [
        ("0", 3, pytest.approx(2 / 3)),
        ("1", 3, pytest.approx(2 / 3)),
    ]
    assert method.confusion == ((2, 1), (1, 2))
    assert method.classes[0].deviation is None


def test_a_class_that_is_only_ever_predicted_has_no_accuracy():
    found = small({"only": np.array([[1, 0, 1]] * 3, bool)}, classes=1)
    assert found.classes == ("0", "1")
    assert [each.name for each in found.methods[0].classes] == ["0"]
    assert found.methods[0].confusion == ((6, 3), (0, 0))


def test_confusion_counts_every_clip_of_every_seed():
    for method in small(RIGHT).methods:
        assert np.sum(method.confusion) == 4 * 120
        assert np.trace(method.confusion) == pytest.approx(method.accuracy.mean * 480)


def test_one_method_has_no_pairs():
    found = small({"only": RIGHT["low"]})
    assert (found.pairs, found.tests) == ((), 0)
    assert isinstance(found.methods[0].accuracy.seeds, Interval)


def test_all_right_and_all_wrong():
    found = small({"right": np.ones((3, 40), bool), "wrong": np.zeros((3, 40), bool), "also": np.ones((3, 40), bool)})
    assert isinstance(found.methods[0].accuracy.seeds, NoInterval)
    assert isinstance(found.methods[0].accuracy.seeds_and_clips, NoInterval)
    same, *others = found.pairs
    assert (same.difference.value, same.corrected, same.effect.odds_ratio) == (0, 1, None)
    assert all(pair.verdict == "better" and pair.difference.value == 1 for pair in others)
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_clip_or_two_prove_nothing():
    one, two = (small({"right": np.ones((3, n), bool), "wrong": np.zeros((3, n), bool)}) for n in (1, 2))
    assert (one.pairs[0].verdict, two.pairs[0].verdict) == ("open", "no difference")
    assert "one clip is too few" in one.pairs[0].sentence


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_are_said_everywhere(seeds):
    found = small({name: right[:seeds] for name, right in RIGHT.items()})
    assert found.tests == 0
    for pair in found.pairs:
        assert pair.verdict == "open"
        assert pair.corrected is None
        assert "too few to say" in pair.sentence
    for method in found.methods:
        assert "too few" in method.accuracy.seeds.why
        assert "too few" in method.accuracy.seeds_and_clips.why
    assert any("Fewer than 3 seeds" in note for note in found.notes)


def test_a_method_with_too_few_seeds_leaves_the_others_their_tests():
    found = small({**RIGHT, "one seed": coins(4, 1, 120, 0.1)})
    assert found.tests == 3
    assert [pair.verdict for pair in found.pairs].count("open") == 3
    assert "over 3 pairs" in found.pairs[0].sentence


def test_unequal_seeds_are_compared_and_told():
    found = small({"low": RIGHT["low"], "high": RIGHT["high"][:3]})
    assert found.pairs[0].runs == (3, 4)
    assert "3 and 4 seeds" in found.pairs[0].sentence
    assert any("high 3, low 4" in note for note in found.notes)
    assert [test.seed for test in found.pairs[0].mcnemar] == [1, 2, 3]


def test_seeds_without_a_common_one_have_no_ranks():
    found = small({"low": RIGHT["low"], "high": RIGHT["high"]}, seeds={"low": [1, 2, 3, 4], "high": [5, 6, 7, 8]})
    assert found.ranks is None
    assert found.pairs[0].mcnemar == ()
    assert found.pairs[0].verdict == "better"


@pytest.mark.parametrize(
    ("subjects", "count", "note"),
    [
        (None, None, "not known"),
        (["s1"] * 120, 1, "one subject"),
        (np.arange(120) % 10, 10, "10 test subjects are few"),
    ],
)
def test_subjects_are_told(subjects, count, note):
    found = small(RIGHT, subjects=subjects)
    assert found.subjects == count
    assert any(note in each for each in found.notes)


def test_every_protocol_is_compared_by_itself():
    both = [predictions(RIGHT, protocol=name) for name in ("linear", "knn")]
    found = compare_all(pd.concat(both), resamples=20)
    assert list(found) == ["linear", "knn"]
    assert found["linear"].tests == found["knn"].tests == 3


def test_statistics_need_no_torch():
    code = "import sys, skelray.statistics.compare; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "ray", "optuna", "mlflow", "matplotlib"} & set(loaded)

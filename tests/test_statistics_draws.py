"""Several draws of labels under one name: one comparison a share, in which draws are no further runs."""

import numpy as np
import pandas as pd
import pytest
from made_up_predictions import coins, predictions
from scipy import stats

from skelray.errors import BadInput
from skelray.statistics.compare import compare, compare_all
from skelray.statistics.intervals import Interval, bootstrap, student
from skelray.statistics.paired import combined, difference, effect, exact
from skelray.statistics.power import Truth, made_up, study

SEEDS, DRAWS, CLIPS = 4, 3, 60
RIGHT = {
    name: np.stack([coins(10 * place + draw, SEEDS, CLIPS, chance) for draw in range(DRAWS)], axis=1)
    for place, (name, chance) in enumerate({"amr": 0.5, "mamp": 0.8}.items())
}  # (seeds, draws, clips)
NULL_SEED, POWER_SEED = 20261121, 20261122
EQUAL, APART = (0.75, 0.75, 0.75), (0.81, 0.75, 0.75)
# Draws of labels move all methods by 3 points and each by 1 of its own; half of a run's luck with a clip is in all its
# draws.
LABELS = Truth(EQUAL, 5, draws=5, luck=0.03, taste=0.01, kinship=0.5)


def told(right=RIGHT, share="semi_1", draws=range(DRAWS), **more):
    return pd.concat(
        [
            predictions({name: runs[:, draw] for name, runs in right.items()}, protocol=f"{share}_draw{draw}", **more)
            for draw in draws
        ]
    )


def test_all_draws_of_a_share_are_one_comparison():
    table = pd.concat([told(), told(share="semi_10"), predictions({n: r[:, 0] for n, r in RIGHT.items()})])
    found = compare_all(table, resamples=20)
    assert list(found) == ["semi_1", "semi_10", "linear"]
    assert [each.draws for each in found.values()] == [DRAWS, DRAWS, 1]
    assert found["semi_1"].tests == 1
    assert any("3 draws" in note and "over other draws too" in note for note in found["semi_1"].notes)
    assert not any("draw" in note for note in found["linear"].notes)


def test_means_are_over_draws_and_the_t_interval_is_over_seeds():
    found = compare(told(), "semi_1", resamples=20)
    for method in found.methods:
        by_seed = RIGHT[method.name].mean((1, 2))
        assert method.accuracy.runs == SEEDS
        assert method.accuracy.mean == pytest.approx(by_seed.mean())
        assert method.accuracy.deviation == pytest.approx(by_seed.std(ddof=1))
        expected = stats.t.interval(0.95, SEEDS - 1, by_seed.mean(), stats.sem(by_seed))
        assert (method.accuracy.seeds.low, method.accuracy.seeds.high) == pytest.approx(expected)
        assert method.accuracy.seeds == student(by_seed.tolist())
        assert np.sum(method.confusion) == SEEDS * DRAWS * CLIPS
        assert np.trace(method.confusion) == RIGHT[method.name].sum()
        assert method.classes[0].mean == pytest.approx(RIGHT[method.name][:, :, ::4].mean())


def test_draws_add_their_own_part_to_the_error():
    """Var = the two-factor test of means over draws + what the methods' difference varies by from draw to draw."""
    first, second = RIGHT["mamp"], RIGHT["mamp"] ^ (np.arange(DRAWS) == 1)[:, None]  # it fails with one draw
    found = difference(first, second)
    by_draw = first.mean((0, 2)) - second.mean((0, 2))
    rest = [
        ((x - x.mean(1, keepdims=True) - x.mean(0) + x.mean()) ** 2).sum() / (SEEDS * DRAWS * (SEEDS - 1) * (DRAWS - 1))
        for x in (first.mean(2), second.mean(2))
    ]
    whole = by_draw.var(ddof=1) / DRAWS
    assert found.over_draws == pytest.approx(whole - sum(rest))
    assert found.error == pytest.approx(np.sqrt(found.over_seeds + found.over_clips + found.over_draws))
    assert found.degrees < (DRAWS - 1) * 1.2  # draws decide here, and there are three of them
    assert found.interval.over == "seeds, draws and clips"


def test_draws_that_are_copies_are_worth_no_more_than_one():
    """Fifteen copies of a run are one run: value, error, p and interval are those of one draw."""
    one, other = coins(1, 5, 80, 0.8), coins(2, 5, 80, 0.6)
    copied = difference(np.repeat(one[:, None], 15, axis=1), np.repeat(other[:, None], 15, axis=1))
    single = difference(one, other)
    assert (copied.value, copied.error, copied.p) == pytest.approx((single.value, single.error, single.p))
    assert copied.over_draws == pytest.approx(0)
    assert single.over_draws is None
    as_runs = difference(np.repeat(one, 15, axis=0), np.repeat(other, 15, axis=0))
    assert as_runs.error < single.error  # what would be claimed of them as runs


def test_the_order_of_draws_changes_nothing():
    first, second = RIGHT["mamp"], RIGHT["amr"]
    before, after = difference(first, second), difference(first[:, ::-1], second[:, ::-1])
    assert after.p == pytest.approx(before.p)
    assert after.error == pytest.approx(before.error)
    table = told()
    assert compare(table, "semi_1", resamples=20) == compare(
        table.sample(frac=1, random_state=1), "semi_1", resamples=20
    )


def test_the_bootstrap_draws_whole_draws_the_same_for_both_methods():
    """One draw in four is lost by all runs: alone that is all that varies; of a difference nothing does."""
    right = np.ones((3, 4, 50), bool)
    right[:, 0] = False
    right[:, :, 0] ^= True
    alone = bootstrap([right], None, np.random.default_rng(0), resamples=2000)
    assert alone.over == "seeds, draws and clips"
    spread = np.array([0, 1, 1, 1]).std() / 2
    assert (alone.high - alone.low) / 2 == pytest.approx(1.96 * spread, rel=0.2)
    worse = right & (np.arange(50) % 10 > 0)
    pair = bootstrap([right, worse], None, np.random.default_rng(0), resamples=2000)
    assert isinstance(pair, Interval)
    assert pair.high - pair.low < 0.5 * (alone.high - alone.low)


def test_mcnemar_is_asked_of_each_seed_and_draw_and_combined_over_both():
    (pair,) = compare(told(), "semi_1", resamples=20).pairs
    assert [(test.seed, test.draw) for test in pair.mcnemar] == [(s, d) for s in (1, 2, 3, 4) for d in range(DRAWS)]
    test = pair.mcnemar[4]  # seed 2, draw 1
    one, other = RIGHT[pair.first][1, 1], RIGHT[pair.second][1, 1]
    assert (test.only_first, test.only_second) == ((one & ~other).sum(), (other & ~one).sum())
    assert test.p == exact(test.only_first, test.only_second)
    assert pair.mcnemar_combined == combined(list(pair.mcnemar))


def test_odds_are_matched_within_a_draw():
    """Each method tells a clip in the draw in which the other does not: odds of 1, and not those of single draws."""
    first = np.array([[[1, 1, 1, 0], [1, 0, 0, 1]]] * 3, bool)
    second = np.array([[[0, 0, 1, 0], [1, 1, 0, 1]]] * 3, bool)
    assert effect(first, second).odds_ratio == pytest.approx(2)  # two clips against one


def test_a_run_without_one_of_its_draws_is_refused_by_name():
    table = told()
    lacking = table[~((table["trial"] == "mamp-0000-seed-2") & (table["protocol"] == "semi_1_draw2"))]
    with pytest.raises(BadInput, match="mamp-0000-seed-2 lacks the draw 2"):
        compare(lacking, "semi_1", resamples=10)


@pytest.mark.parametrize("draws", [1, 2])
def test_fewer_than_three_draws_say_nothing_of_others(draws):
    """Two would make false claims in one sweep of five: they are taken as all there are."""
    found = compare(told(draws=range(draws)), "semi_1", resamples=20)
    assert found.draws == draws
    (pair,) = found.pairs
    assert pair.difference.over_draws is None
    assert pair.difference.interval.over == pair.bootstrap.over == "seeds and clips"
    assert pair.difference.value == pytest.approx(abs(np.subtract(*(RIGHT[n][:, :draws].mean() for n in RIGHT))))
    assert any("Nothing is said of other draws" in note for note in found.notes)


@pytest.mark.parametrize("kinship", [0.0, 0.5, 1.0])
def test_draws_that_go_together_raise_no_false_claims(kinship):
    truth = Truth(EQUAL, 5, draws=5, luck=0.03, taste=0.01, kinship=kinship)
    assert study(truth, 200, NULL_SEED).false_claims <= 18


def test_methods_that_like_other_labels_are_not_ranked_by_five_draws():
    assert (
        study(Truth(EQUAL, 5, fit=0.1, draws=5, luck=0.03, taste=0.03, kinship=0.5), 200, NULL_SEED).false_claims <= 18
    )


def test_draws_taken_as_runs_would_claim_falsely():
    def as_runs(first, second, groups):
        return difference(*(each.reshape(-1, each.shape[-1]) for each in (first, second)), groups).p

    assert study(LABELS, 200, NULL_SEED, as_runs).false_claims > 18


def test_six_points_are_found_with_draws_too():
    assert study(Truth(APART, 5, fit=0.1, draws=5, luck=0.03, taste=0.01, kinship=0.5), 200, POWER_SEED).found >= 120


def test_made_up_draws_have_the_truth_that_was_asked():
    truth = Truth((0.8, 0.6), seeds=40, clips=400, draws=5, luck=0.03, taste=0.02, kinship=0.5)
    draw = np.random.default_rng(1)
    runs = np.array([made_up(truth, draw)[0] for _ in range(30)])  # (30, 2, 40, 5, 400)
    assert runs.mean((0, 2, 3, 4)) == pytest.approx([0.8, 0.6], abs=0.015)
    by_draw = runs.mean((2, 4))  # (30, 2, 5)
    assert (by_draw[:, 0] - by_draw[:, 1]).std(1, ddof=1).mean() == pytest.approx(0.02 * np.sqrt(2), rel=0.25)
    again = (runs[:, :, :, 0] == runs[:, :, :, 1]).mean()  # of one run, told alike with two draws
    other = (runs[:, :, 0, 0] == runs[:, :, 1, 1]).mean()  # of two runs
    assert again > other + 0.02

"""A budget as a file says it: units, shares, first rungs, and every mistake in it. No training."""

import pytest
from sweep_folder import folder as folder

from skelray import yaml_file
from skelray.errors import BadInput
from skelray.sweep import budget
from skelray.sweep.budget import Budget, Price
from skelray.train import TrainConfig

BOTH = "sweeps/both.yaml"
PLAIN = "budget: {trials: 4, unit: clips, grace: 128, reduction: 3}"
SHARED = "budget: {trials: 4, unit: flops, share: 4e15, grace: 2.5e14, reduction: 3}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("unit: flops", "unit: flop", "budget.unit: 'flop' is not one of clips, flops, seconds; did you mean \"flop"),
        ("share: 4e15, ", "", "budget.share: is missing: the FLOPs that all trials of a method may use together"),
        ("unit: flops", "unit: clips", "budget.share: only FLOPs and seconds are shared out; with clips every trial"),
        ("share: 4e15", "share: -1", "budget.share: Input should be greater than 0, not -1"),
        ("share: 4e15", "share: much", "budget.share: Input should be a valid number, not 'much'"),
        ("share: 4e15", "share: .inf", "budget.share: Input should be a finite number"),
        ("unit: flops", "unit: [flops]", "budget.unit: ['flops'] is not one of clips, flops, seconds"),
        ("grace: 2.5e14", "grace: .inf", "budget.grace: Input should be a finite number, not inf"),
        ("grace: 2.5e14", f"grace: {10**400}", "budget.grace: Input should be a finite number"),
        ("trials: 4", f"trials: {10**400}", "budget.trials: Input should be less than or equal to 1000000"),
        ("grace: 2.5e14", "grace: 0", "budget.grace: Input should be greater than 0, not 0"),
        ("grace: 2.5e14", "grace: .nan", "budget.grace: Input should be greater than 0"),
        ("grace: 2.5e14", "grace: soon", "budget.grace: Input should be a valid number, not 'soon'"),
        ("grace: 2.5e14", "grace: true", "budget.grace: Input should be a valid number, not True"),
        ("trials: 4", "trials: 20", "budget.share: 4e+15 FLOPs for 20 trials are 2e+14 FLOPs each, which is less than "
         "the first rung (grace 2.5e+14); 5e+15 FLOPs would be enough"),
        ("share: 4e15", "shares: 4e15", 'budget.shares: unknown key; did you mean "share"?'),
    ],
)  # fmt: skip
def test_a_mistake_in_a_budget_is_told_with_file_line_and_key(folder, old, new, said):
    folder.change(BOTH, PLAIN, SHARED)
    folder.change(BOTH, old, new)
    with pytest.raises(BadInput) as caught:
        folder.load()
    assert all(line.startswith(str(folder.path / BOTH) + ":13: ") for line in str(caught.value).splitlines())
    assert said in str(caught.value)


def test_lengths_do_not_count_under_a_share_and_are_named_once(folder):
    folder.change(BOTH, PLAIN, SHARED)
    folder.change(BOTH, "  mamp: {", "  amr: {train.epochs: 3}\n  mamp: {")
    plan = folder.load()
    assert "trial.train.clips 640 does not count: the budget gives each trial its length in FLOPs" in plan.dropped
    assert any(text.startswith("overrides.amr.train.epochs 3 does not count") for text in plan.dropped)
    assert "train.clips" not in plan.sweep.trial
    again = folder.path / "sweeps/again.yaml"
    yaml_file.write(again, plan.document())
    assert folder.load("sweeps/again.yaml") == plan


def test_a_share_makes_no_length_necessary(folder):
    folder.change(BOTH, PLAIN, SHARED)
    folder.change(BOTH, "  train: {clips: 640}\n", "")
    folder.change("search_spaces/mamp.yaml", "base: {train: {batch: 64, epochs: 400}}\n", "")
    assert folder.load().each("mamp") == 1e15


def test_a_budget_in_clips_reads_and_writes_as_before(folder):
    plan = folder.load()
    assert plan.document()["budget"] == {"trials": 4, "unit": "clips", "grace": 128, "reduction": 3}
    assert type(plan.sweep.budget.grace) is int
    assert plan.dropped == folder.load().dropped
    assert not [text for text in plan.dropped if "does not count" in text]


def test_what_is_left_is_given_out_in_whole_trials_and_the_last_takes_the_rest():
    shared = Budget(trials=4, unit="seconds", share=400, grace=20)
    assert [shared.portion(left, 100.0) for left in (400.0, 121.0, 119.0, 100.0, 20.0)] == [100, 100, 119, 100, 20]
    assert shared.portion(19.0, 100.0) is None
    assert shared.portion(400 - 3 * 133.4 + 20.2, 133.4) == pytest.approx(20)


def test_a_price_pays_whole_batches_and_never_more():
    price = Price(clip=3.0, fixed=10.0)
    assert price.clips(100.0, 10) == 30
    assert price.clips(99.9, 10) == 20
    assert price.clips(9.0, 10) == 0
    assert price.cost(30) == 100
    assert Price(0.1).clips(0.3, 1) == 3  # whatever the last digit of 0.3 / 0.1 is


def test_a_failure_is_noticed_at_the_next_report():
    train = TrainConfig(clips=105, batch=10, reports=4)  # ten steps; reports after 2, 5, 7 and 10
    assert [budget.noticed(train, 0, clips) for clips in (0, 20, 50, 70, 100)] == [20, 50, 70, 100, 100]
    assert budget.length(train, 0) == 100
    assert budget.length(TrainConfig(epochs=2, batch=10), 25) == 40


def test_a_share_that_pays_no_batch_is_refused_with_the_one_that_would_do():
    poor = Budget(trials=2, unit="flops", share=1e10, grace=1e9)
    found = {"amr": [(10, Price(1e7))], "mamp": [(10, Price(1e9)), (20, Price(1e9))]}
    with pytest.raises(BadInput) as caught:
        budget.refuse_unaffordable(poor, {"amr": 2, "mamp": 2}, found)
    assert str(caught.value) == (
        "budget.share: 5e+09 FLOPs for each trial of mamp pay no batch and no first rung; 2e+10 FLOPs would be enough"
    )
    enough = poor.model_copy(update={"share": 2e10})
    budget.refuse_unaffordable(enough, {"amr": 2, "mamp": 2}, found)

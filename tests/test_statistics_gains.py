"""What training adds: each method against its own encoder before training."""

import numpy as np
import pytest
from made_up_predictions import coins, predictions

from skelray.errors import BadInput
from skelray.statistics.compare import compare
from skelray.statistics.gains import gains

RIGHT = {
    "good": coins(1, 5, 120, 0.9),
    "untrained good": coins(2, 5, 120, 0.5),
    "idle": coins(3, 5, 120, 0.5),
    "untrained idle": coins(4, 5, 120, 0.5),
}
OWN = {"good": "untrained good", "idle": "untrained idle"}


def test_a_gain_is_claimed_where_there_is_one_and_nowhere_else():
    good, idle = gains(predictions(RIGHT), "linear", OWN)
    assert good.startswith("good is better than untrained good by ")
    assert "over 2 pairs" in good
    assert idle.startswith("No significant difference between ")
    assert "untrained idle" in idle


def test_a_loss_is_told_as_one():
    worse = RIGHT | {"idle": coins(5, 5, 120, 0.1)}
    assert gains(predictions(worse), "linear", OWN)[1].startswith("untrained idle is better than idle by ")


def test_one_method_alone_is_what_the_comparison_of_two_says():
    table = predictions({name: RIGHT[name] for name in ("good", "untrained good")}, subjects=np.arange(120) % 20)
    (pair,) = compare(table, "linear", resamples=20).pairs
    assert gains(table, "linear", {"good": "untrained good"}) == [pair.sentence]


def test_one_seed_is_said_to_be_too_few():
    table = predictions({name: each[:1] for name, each in RIGHT.items()})
    assert all(text.startswith("Whether ") for text in gains(table, "linear", OWN))


def test_a_method_without_a_baseline_is_refused():
    with pytest.raises(BadInput, match="there are none of untrained good"):
        gains(predictions({"good": RIGHT["good"]}), "linear", {"good": "untrained good"})

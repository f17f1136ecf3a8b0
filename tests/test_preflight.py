"""What could never be placed is refused with what is asked and what there is; what can be is packed."""

import numpy as np
import pytest
from small_plan import make_plan
from tiny_store import tiny_clips, tiny_store

from skelray.data.loader import Pool
from skelray.errors import BadInput
from skelray.sweep.config import Resources
from skelray.sweep.preflight import (
    Machine,
    for_finals,
    here,
    place,
    protocols,
    refuse_other_bodies,
    refuse_unequal_shares,
)
from skelray.train import TrainConfig

GIB = 1 << 30
SMALL = Machine(cpus=2, gpus=0, memory=16 * GIB)
XVIEW = {"data.store": "nw-ucla", "data.split": "xview"}
LARGE = Machine(cpus=16, gpus=2, memory=128 * GIB)


def placed(machine=SMALL, trials=8, **resources):
    return place(Resources(**resources), trials, machine)


def refused(machine=SMALL, **resources) -> str:
    with pytest.raises(BadInput) as caught:
        placed(machine, **resources)
    return str(caught.value)


@pytest.mark.parametrize(
    ("resources", "launcher"),
    [
        ({}, "inline"),
        ({"launcher": "inline"}, "inline"),
        ({"launcher": "train"}, "train"),
        ({"workers": 2}, "train"),
        ({"gpus": 1}, "inline"),
    ],
)
def test_ray_train_runs_trials_of_several_workers_or_when_asked(resources, launcher):
    assert placed(LARGE, **resources).launcher == launcher


@pytest.mark.parametrize(
    ("resources", "machine", "trials", "concurrent"),
    [
        ({}, SMALL, 8, 2),
        ({"cpus": 2}, SMALL, 8, 1),
        ({"workers": 2}, SMALL, 8, 1),
        ({}, LARGE, 8, 8),  # no more than there are trials
        ({"gpus": 0.25}, LARGE, 20, 8),
        ({"gpus": 0.4}, LARGE, 20, 4),  # two on each: shares of different GPUs do not add up
        ({"gpus": 1, "workers": 2}, LARGE, 20, 1),
        ({"concurrent": 3}, LARGE, 20, 3),
        ({"concurrent": 2}, SMALL, 1, 1),
        ({}, Machine(16, 0, 1 * GIB), 20, 2),  # by memory
    ],
)
def test_as_many_trials_run_at_once_as_fit(resources, machine, trials, concurrent):
    assert placed(machine, trials, **resources).concurrent == concurrent


def test_more_workers_than_cores_are_refused_with_both_numbers():
    told = refused(workers=2, cpus=2)
    assert "2 worker(s) x 2 CPU(s) = 4 CPU(s)" in told
    assert "this machine has 2 CPU(s)" in told


def test_gpus_that_are_not_there_are_refused_with_the_way_out():
    told = refused(gpus=0.5)
    assert "0 GPU(s)" in told
    assert "--set resources.gpus=0" in told
    assert "4 GPU(s)" in refused(LARGE, workers=4, gpus=1)


def test_workers_of_one_trial_cannot_share_a_gpu():
    assert "a whole GPU each" in refused(LARGE, workers=2, gpus=0.5)
    assert "whole number" in refused(LARGE, gpus=1.5)


def test_ray_train_without_a_dashboard_is_refused():
    without = Machine(2, 0, 16 * GIB, dashboard=False)
    assert "dashboard" in refused(without, launcher="train")
    assert "dashboard" in refused(without, workers=2)
    assert placed(without).launcher == "inline"


def test_several_workers_inline_are_refused():
    assert "inline runs one worker" in refused(workers=2, launcher="inline")


def test_a_trial_that_memory_cannot_hold_is_refused():
    told = refused(Machine(2, 0, GIB // 4))
    assert "0.4 GiB" in told
    assert "0.2 GiB free" in told
    assert "1.2 GiB" in refused(Machine(2, 0, GIB), launcher="train")


def test_more_trials_at_once_than_fit_are_refused():
    told = refused(concurrent=3)
    assert "3 trials at once" in told
    assert "at most 2" in told


def test_finals_take_one_process_with_the_cpus_of_a_trial():
    search = placed(workers=2)
    finals = place(for_finals(Resources(workers=2), search), 4, SMALL)
    assert (finals.launcher, finals.workers, finals.cpus, finals.concurrent) == ("inline", 1, 2, 1)
    nested = placed(launcher="train")
    assert place(for_finals(Resources(launcher="train"), nested), 4, SMALL).concurrent == nested.concurrent


def test_this_machine_has_at_least_what_runs_this_test():
    machine = here()
    assert machine.cpus >= 1
    assert machine.memory > 0
    assert machine.dashboard  # ray[default] is among the requirements


@pytest.mark.parametrize(
    ("batch", "accumulate", "workers", "fits"), [(8, 2, 2, True), (6, 2, 2, False), (7, 1, 2, False)]
)
def test_a_batch_must_fall_into_equal_pieces(batch, accumulate, workers, fits):
    train = TrainConfig(clips=64, batch=batch, accumulate=1).model_copy(update={"accumulate": accumulate})
    if fits:
        refuse_unequal_shares(train, workers)
    else:
        with pytest.raises(BadInput, match=f"a multiple of {workers * accumulate} does"):
            refuse_unequal_shares(train, workers)


def test_a_protocol_that_only_some_methods_serve_is_left_out_for_the_others_and_said(tmp_path):
    plan = make_plan(methods=("amr", "macdiff"))
    plan.sweep.final.protocols[:] = ["linear", "generation"]
    plan.sweep.trial.update(XVIEW)
    found, told = protocols(plan, tiny_store(tmp_path / "s.arrow"))
    assert found == {"amr": ["linear"], "macdiff": ["linear", "generation"]}
    assert len(told) == 1
    assert told[0].startswith("final.protocols: generation is left out for amr: ")


def test_a_protocol_that_wants_to_know_the_split_is_asked_with_it(tmp_path):
    plan = make_plan(methods=("mamp",))
    plan.sweep.final.protocols[:] = ["linear", "semi"]
    plan.sweep.trial.update(XVIEW)
    assert protocols(plan, tiny_store(tmp_path / "s.arrow", tiny_clips(repeats=10))) == (
        {"mamp": ["linear", "semi"]},
        [],
    )


def test_before_a_sweep_starts_no_test_clip_is_looked_at(tmp_path, monkeypatch):
    opened = tiny_store(tmp_path / "s.arrow", [clip for clip in reversed(tiny_clips())])  # the first one is a test clip
    plan, looked, view = make_plan(methods=("mamp",)), list[int](), Pool.view
    plan.sweep.trial.update(XVIEW)
    monkeypatch.setattr(
        Pool, "view", lambda self, clips, *rest: (looked.extend(clips.tolist()), view(self, clips, *rest))[1]
    )
    refuse_other_bodies(plan, opened)
    assert looked
    assert not set(looked) & set(np.flatnonzero(opened.camera == 3))

"""Methods of unequal price under equal FLOPs or seconds: used alike, whatever is stopped early or fails. No Ray."""

import json

import pytest
from made_up_search import folder as folder
from made_up_search import make_plan, run, stored
from made_up_search import url as url
from shared_search import SHARE, TWO, FiveTimes, Trials, make_shared, worth

from skelray.sweep import study
from skelray.sweep.search import Studies


def within_five_per_cent(used: dict[str, float]) -> bool:
    return all(abs(value / SHARE - 1) < 0.05 for value in used.values()) and len(used) == 2


@pytest.mark.parametrize(("unit", "prices"), [("flops", FiveTimes()), ("seconds", FiveTimes(fixed=SHARE / 60))])
def test_a_method_five_times_dearer_uses_the_same_share(url, unit, prices):
    played = Trials(Studies(make_shared(unit), url, prices), prices, worth).all()
    assert within_five_per_cent(played.used), played.used
    assert {"complete", "pruned"} == set(played.ends.values())
    assert len(played.ends) > 12  # what was stopped early went to further trials of the same method
    assert played.studies.done


def test_the_dear_method_sees_a_fifth_of_the_clips(url):
    studies = Studies(make_shared(), url, FiveTimes())
    cheap, dear = studies.ask().config.train, studies.ask().config.train
    assert (cheap.clips, dear.clips, cheap.epochs) == (100_000, 20_000, None)


def test_clips_are_whole_batches_and_the_rest_goes_to_the_last_trial(url):
    prices = FiveTimes(clip=1.3e9)  # 76.9 batches of ten clips for each trial of AMR, 15.4 of MAMP
    played = Trials(Studies(make_shared(), url, prices), prices, float).all()
    lengths = {t.key: t.config.train.clips for m in ("amr", "mamp") for t in played.studies.ranked(m)}
    assert all(clips % 10 == 0 for clips in lengths.values())
    assert [lengths[f"mamp-{number:03d}"] for number in range(6)] == [150] * 5 + [170]
    assert all(SHARE - 10 * 5 * 1.3e9 < used <= SHARE for used in played.used.values())


@pytest.mark.parametrize("pace", [0.8, 1.25])
def test_what_a_calibration_missed_is_made_up_for(url, pace):
    prices = FiveTimes(fixed=SHARE / 100)
    played = Trials(Studies(make_shared("seconds"), url, prices), prices, worth, pace=pace).all()
    assert within_five_per_cent(played.used), played.used


def test_the_pace_of_a_running_trial_counts_for_the_next_one(url):
    prices = FiveTimes()
    studies = Studies(make_shared("seconds", searches={"amr": TWO["amr"]}), url, prices)
    first, other = studies.ask(), studies.ask()
    each = SHARE / 6
    for clips in (12_500, 25_000):
        assert not studies.observe(first.key, clips, 0.5, used=3 * each * clips / 100_000)  # three times as slow
    lengths = []
    while ticket := studies.ask():
        lengths.append(ticket.config.train.clips)
    # the first will cost three, the second is not known yet: two are left, of trials a third as long
    assert [other.config.train.clips, *lengths] == [100_000, 33_330, 33_330]


def test_failures_are_charged_and_what_they_leave_is_used(url):
    fails = ("amr-001", "amr-003", "mamp-000", "mamp-004")
    played = Trials(Studies(make_shared(), url, FiveTimes()), FiveTimes(), worth, fails).all()
    assert [played.ends[key] for key in fails] == ["failed"] * 4
    assert within_five_per_cent(played.used), played.used


def test_a_method_that_only_fails_ends(url):
    every = [f"amr-{number:03d}" for number in range(100)]
    played = Trials(Studies(make_shared(), url, FiveTimes()), FiveTimes(), worth, every).all()
    assert sum(key.startswith("amr") for key in played.ends) == 6
    assert played.used["amr"] == pytest.approx(SHARE / 8)
    assert played.used["mamp"] == pytest.approx(SHARE, rel=0.05)
    assert played.studies.done


def test_a_rung_stands_at_the_same_cost_for_every_method(url):
    values = {0: 0.9}
    played = Trials(Studies(make_shared(), url, FiveTimes()), FiveTimes(), lambda number: values.get(number, 0.1)).all()
    first = {played.stopped_at[key] for key in ("amr-001", "amr-002", "mamp-001", "mamp-002")}
    assert first == {0.25}  # grace is a quarter of what a trial gets; reports come at eighths


def test_a_trial_whose_rest_nobody_could_use_is_not_stopped(url):
    studies = Studies(make_shared(trials=2, grace=0.7 * SHARE / 2), url, FiveTimes())
    played = Trials(studies, FiveTimes(), lambda number: 0.9 - 0.1 * number).all()
    assert played.ends["amr-001"] == "complete"  # stopped at 6/8 it would leave 2/8, less than a first rung
    assert played.used["amr"] == pytest.approx(SHARE)


def test_trials_at_once_reserve_what_they_get_and_the_search_waits_for_what_they_leave(url):
    studies = Studies(make_shared(), url, FiveTimes())
    played = Trials(studies, FiveTimes(), worth)
    out = []
    while ticket := studies.ask():
        out.append(ticket)
    assert len(out) == 12
    assert studies.waits
    while out:
        played.play(out.pop(0))
        while ticket := studies.ask():
            out.append(ticket)
    assert not studies.waits
    assert studies.done
    assert within_five_per_cent(played.used), played.used


def test_a_killed_search_gives_the_same_trials_the_same_clips(folder):
    def played(file, kills):
        studies = Studies(make_shared(), f"sqlite:///{folder}/{file}.db", FiveTimes())
        play, lengths = Trials(studies, FiveTimes(), worth), []
        while ticket := play.studies.ask():
            if kills and not ticket.resumed:
                play.studies = Studies(make_shared(), f"sqlite:///{folder}/{file}.db", FiveTimes())
                continue  # it comes back
            lengths.append((ticket.key, ticket.config.train.clips))
            play.play(ticket)
        return lengths

    assert played("whole", False) == played("killed", True)


def test_finals_cost_what_one_whole_trial_gets(url):
    played = Trials(Studies(make_shared(), url, FiveTimes()), FiveTimes(), worth).all()
    for method, clips in (("amr", 100_000), ("mamp", 20_000)):
        assert {played.studies.final(ticket).train.clips for ticket in played.studies.ranked(method)} == {clips}


def test_a_config_that_a_trial_s_cost_pays_no_batch_of_is_drawn_again(url):
    class Sometimes(FiveTimes):
        def price(self, cfg):
            return super().price(cfg) if cfg.method.mask_ratio > 0.83 else FiveTimes(clip=1e12).price(cfg)

    played = Trials(Studies(make_shared(), url, Sometimes()), Sometimes(), worth).all()
    assert within_five_per_cent(played.used)
    refused = [t.user_attrs["rejected"] for t in stored(url).get_trials() if "rejected" in t.user_attrs]
    assert any(text == "1e+12 FLOPs pay no batch of it (1e+12 FLOPs a clip)" for text in refused)


def test_listed_points_share_equally_and_leave_what_they_leave(url):
    points = [{}, {"method.mask_ratio": 0.85}]
    plan = make_shared(points=points)
    plan = plan.model_copy(update={"sweep": plan.sweep.model_copy(update={"only_points": True})})
    played = Trials(Studies(plan, url, FiveTimes()), FiveTimes(), worth).all()
    assert played.ends == dict.fromkeys(["amr-000", "mamp-000", "amr-001", "mamp-001"], "complete")
    assert within_five_per_cent(played.used)


def test_what_pays_a_first_rung_and_no_batch_is_left_without_asking_for_more(url):
    prices = FiveTimes(clip=0.9e11 / 5)  # a batch of ten clips of MAMP costs 0.9 of what a trial gets
    played = Trials(Studies(make_shared(), url, prices), prices, worth).all()
    assert sum(key.startswith("mamp") for key in played.ends) == 6
    assert played.studies.notes == []
    assert len(stored(url, "mamp").get_trials()) == 6


def test_a_search_in_clips_is_what_it_was(url):
    plan = make_plan(2)
    studies = Studies(plan, url)
    for value in (0.5, 0.1):
        run(studies, studies.ask(), value)
    assert studies.ask() is None
    assert not studies.waits
    assert studies.final(studies.best("amr")) == studies.best("amr").config
    known = {key for trial in stored(url).get_trials() for key in trial.user_attrs}
    assert known <= {"key", "config", "hash", "baseline", "stop"}
    landed = plan.sweep.budget.model_dump(exclude={"trials", "share"})
    assert json.dumps(landed) == '{"unit": "clips", "grace": 100, "reduction": 3}'
    assert plan.sweep.budget.identity() == landed
    assert study.fingerprint(plan, "amr") == LANDED


LANDED = "e9cd8fae735a73709320885bb06a32bfbefdfbbb345aeac867e7f25f0a317638"  # of the same plan before there were shares

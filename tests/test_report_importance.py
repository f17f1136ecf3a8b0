"""Which hyperparameters mattered: the trials come again from the tables, two evaluators judge, disagreement is told."""

import json
import random

import made_up_report as full
import made_up_sweep as made_up
import optuna
import pytest

from skelray.events import Ended, Reported, Started
from skelray.report import blocks, importance, influence, parallel
from skelray.report.blocks import Picture, Table, Warn
from skelray.results import Results


def searched(path, worth, trials: int = 40, search=full.SEARCH, mode: str = "max", state: str = "complete") -> Results:
    """Trials of one method whose objective is `worth(config's method part)`."""
    draw, results = random.Random(11), Results(path)
    sweep = full.SWEEP | {"spaces": [{"method": "amr", "points": [{}], "search": search}]}
    results.create(sweep | {"objective": {"metric": "val/linear", "mode": mode}}, made_up.ENVIRONMENT)
    events = []
    for number in range(trials):
        name, config = f"amr-{number:03d}", full.drawn(draw, "amr")
        events.append(Started(trial=name, method="amr", seed=0, config=config, time=1.0))
        events.append(Reported(trial=name, clips=10, metrics={"val/linear": worth(config["method"])}, time=2.0))
        events.append(Ended(trial=name, state=state, time=3.0, seconds=1.0))
    results.write(events, "val/linear")
    return results


def test_the_dimension_that_decides_is_first_by_both_and_nobody_is_warned(tmp_path):
    (found,) = importance.importances(searched(tmp_path, lambda own: own["depth"] / 10 + own["k"] / 1e4))
    assert found.trials == 40
    assert found.best == 5
    assert next(iter(found.fanova)) == next(iter(found.ped)) == "method.depth"
    assert found.fanova["method.depth"] > 0.9
    assert sum(found.fanova.values()) == pytest.approx(1)
    assert sum(found.ped.values()) == pytest.approx(1)
    assert not [each for each in found.warnings if "first" in each]


def test_they_are_optunas_own_figures_for_a_study_of_the_same_trials(tmp_path):
    search = {name: full.SEARCH[name] for name in ("method.k", "method.depth")}
    results = searched(tmp_path, lambda own: own["k"] - own["depth"] / 20, search=search)
    study = optuna.create_study(direction="maximize")
    for config, value in results.trials()[["config", "value"]].itertuples(index=False):
        own = json.loads(config)["method"]
        ranges = {"method.k": optuna.distributions.FloatDistribution(0.001, 1.0, log=True),
                  "method.depth": optuna.distributions.IntDistribution(2, 6)}  # fmt: skip
        params = {"method.k": own["k"], "method.depth": own["depth"]}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=ranges, value=value))
    (found,) = importance.importances(results)
    forest = optuna.importance.FanovaImportanceEvaluator(seed=0)
    assert found.fanova == pytest.approx(optuna.importance.get_param_importances(study, evaluator=forest))
    parzen = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=5 / 40)
    assert found.ped == pytest.approx(optuna.importance.get_param_importances(study, evaluator=parzen))


def test_a_conditional_dimension_is_known_to_ped_anova_alone(tmp_path):
    (found,) = importance.importances(searched(tmp_path, lambda own: own["depth"] / 10))
    assert "method.tau" not in found.fanova
    assert set(found.ped) == set(full.SEARCH)


def test_a_conditional_dimension_that_leads_is_told_to_be_beyond_fanova(tmp_path):
    def worth(own):
        return -((own["tau"] - 1.9) ** 2) if own["masking"] == "motion" else -2 + own["k"] / 1e3

    search = {name: full.SEARCH[name] for name in ("method.k", "method.masking", "method.tau")}
    (found,) = importance.importances(searched(tmp_path, worth, search=search))
    assert next(iter(found.ped)) == "method.tau"
    assert any("method.tau first" in each and "cannot judge" in each for each in found.warnings)


def test_evaluators_that_disagree_are_warned_of():
    one, other = {"a": 0.7, "b": 0.2, "c": 0.1}, {"c": 0.8, "b": 0.15, "a": 0.05}
    told = list(importance._warnings(one, other, importance._rho(one, other)))
    assert told[0] == "fANOVA puts a first, PED-ANOVA c: neither is to be built on."
    assert "rank correlation -1.00" in told[1]
    assert not list(importance._warnings(one, one, importance._rho(one, one)))
    assert importance._rho({"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}) is None  # two orders of two are no correlation


@pytest.mark.parametrize(("trials", "state", "count"), [(9, "complete", 9), (1, "complete", 1), (30, "pruned", 0)])
def test_too_few_complete_trials_say_nothing_of_importance_and_the_report_says_so(tmp_path, trials, state, count):
    results = searched(tmp_path, lambda own: own["k"], trials, state=state)
    (found,) = importance.importances(results)
    assert found.fanova is None
    assert found.trials == count
    assert "fewer than 10 say nothing" in found.why
    assert found.why in blocks.markdown([influence.part(results)])


def test_trials_of_one_value_and_values_outside_their_range_are_said(tmp_path):
    (found,) = importance.importances(searched(tmp_path / "a", lambda own: 0.5))
    assert "one value" in found.why
    narrow = full.SEARCH | {"method.k": full.SEARCH["method.k"] | {"high": 0.3}}
    results = searched(tmp_path / "b", lambda own: own["k"], search=narrow)
    (found,) = importance.importances(results)
    outside = sum(json.loads(config)["method"]["k"] > 0.3 for config in results.trials()["config"])
    assert found.left == outside > 0
    assert found.trials == 40 - outside
    assert f"{outside} trials outside of the search space" in " ".join(
        each for each in influence.part(results).blocks if isinstance(each, str)
    )


def test_less_is_better_where_the_sweep_says_so(tmp_path):
    worth = lambda own: abs(own["depth"] - 2)  # noqa: E731
    (least,) = importance.importances(searched(tmp_path / "min", worth, mode="min"))
    (most,) = importance.importances(searched(tmp_path / "max", worth, mode="max"))
    assert least.ped["method.depth"] != most.ped["method.depth"]


def test_optuna_says_no_word_and_keeps_its_level(tmp_path, capfd):
    before = optuna.logging.get_verbosity()
    importance.importances(searched(tmp_path, lambda own: own["k"]))
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_the_report_shows_both_and_the_lines_of_the_trials(tmp_path):
    results = searched(tmp_path, lambda own: own["depth"] / 10)
    told = influence.part(results).blocks
    (table,) = (each for each in told if isinstance(each, Table))
    (found,) = importance.importances(results)
    assert [row[0] for row in table.rows] == list(found.ped)
    assert table.rows[0][1:] == [f"{found.fanova['method.depth']:.2f}", f"{found.ped['method.depth']:.2f}"]
    assert [row[1] for row in table.rows if row[0] == "method.tau"] == ["-"]
    assert len([each for each in told if isinstance(each, Warn)]) == len(found.warnings)
    assert any(isinstance(each, Picture) for each in told)


def test_a_line_passes_each_dimension_at_its_value():
    at = parallel._height
    assert at(full.SEARCH["method.k"], 0.001) == 0
    assert at(full.SEARCH["method.k"], 1.0) == 1
    assert at(full.SEARCH["method.k"], 10**-1.5) == pytest.approx(0.5)
    assert at(full.SEARCH["method.depth"], 3) == 0.25
    assert [at(full.SEARCH["method.windows"], each) for each in ([4], [4, 8], [4, 8, 12])] == [0, 0.5, 1]
    assert at(full.SEARCH["method.windows"], [16]) == parallel.ABSENT
    assert at({"kind": "float", "low": 1.0, "high": 1.0}, 1.0) == 0.5


def test_the_picture_of_trials_names_the_best_and_where_it_lies(tmp_path):
    results = searched(tmp_path, lambda own: own["depth"] / 10 + own["k"] / 1e4)
    drawn = parallel.coordinates(results, "amr", 0)
    trials = results.trials()
    best = trials.loc[trials["value"].idxmax()]
    assert f"The best, {best['trial']}, has method.k {json.loads(best['config'])['method']['k']:.4g}" in drawn
    assert "40 complete trials" in drawn
    assert parallel.coordinates(results, "no such method", 0) is None

"""The papers' own questions and their experiments at full size: they load, they build, and say what to expect."""

import json
from pathlib import Path

import pytest
from conftest import REPOSITORY

from skelray import methods
from skelray.data.locate import READERS
from skelray.skeletons import layout
from skelray.sweep import config

PAPERS = sorted((REPOSITORY / "sweeps" / "papers").glob("*.yaml"))
WHOLE = [REPOSITORY / "sweeps" / f"{name}.yaml" for name in
         ("ntu60_xsub", "ntu60_xview", "ntu120_xsub", "ntu120_xset", "pkummd2_xsub")]  # fmt: skip
QUICK = REPOSITORY / "sweeps" / "quick.yaml"
ASKED = {  # question -> how many values at full size and at quick scale
    "macdiff_mask_ratio": (5, 5), "macdiff_schedules": (6, 6), "macdiff_condition": (4, 4), "macdiff_tradeoff": (6, 6),
    "amr_ratio": (16, 8), "amr_windows": (8, 8), "gfp_levels": (5, 5), "gfp_target": (6, 6), "umd_ratios": (9, 9),
    "sjepa_ema": (5, 5), "slim_masks": (9, 9), "methods": (8, 8),
}  # fmt: skip


def points(plan: config.Plan) -> list[tuple[str, str]]:
    """Every trial of a listed question, as JSON of its method."""
    return [
        (name, plan.trial(name, point).method.model_dump_json())
        for name, space in plan.spaces.items()
        for point in space.points
    ]


@pytest.mark.parametrize("file", [*PAPERS, *WHOLE], ids=lambda file: file.stem)
def test_question_price_and_expectation_stand_on_top(file):
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert [line.partition(":")[0] for line in lines if line[:1].strip()][:3] == ["question", "price", "expected"]


def test_every_question_of_the_papers_is_asked():
    assert {file.stem for file in PAPERS} == set(ASKED)


@pytest.mark.parametrize(("under", "column"), [(None, 0), (QUICK, 1)], ids=["whole", "quick"])
@pytest.mark.parametrize("file", PAPERS, ids=lambda file: file.stem)
def test_each_value_is_tried_exactly_once(file, under, column):
    plan = config.load(file, under)
    trials = points(plan)
    assert len(trials) == len(set(trials)) == ASKED[file.stem][column]
    assert sum(plan.trials(name) for name in plan.spaces) == len(trials)
    assert plan.sweep.trial["data.store"] == ("synthetic" if under else "ntu60")


@pytest.mark.parametrize("file", PAPERS, ids=lambda file: file.stem)
def test_recipes_are_those_of_the_search_spaces(file):
    """An inline space repeats its method's recipe: it may add to it, never differ."""
    plan = config.load(file)
    for name, space in plan.spaces.items():
        (own,) = config.load(REPOSITORY / "search_spaces" / f"{name}.yaml").spaces.values()
        settings = {key: value for key, value in own.base.items() if not key.startswith("method.")}
        assert settings == {key: space.base[key] for key in settings}
        same = {key: value for key, value in space.base.items() if key.startswith("method.")}
        assert same.items() <= own.base.items()


def test_the_first_point_is_the_recipe():
    for file in PAPERS:
        plan = config.load(file)
        for name, space in plan.spaces.items():
            own = config.load(REPOSITORY / "search_spaces" / f"{name}.yaml", under=WHOLE[-1])  # without overrides
            assert plan.trial(name, space.points[0]).method == own.trial(name, {}).method, (file.stem, name)


def test_the_trade_off_records_both_aims_at_either_scale():
    for under in (None, QUICK):
        plan = config.load(REPOSITORY / "sweeps/papers/macdiff_tradeoff.yaml", under)
        assert {"val/linear", "val/reconstruction"} <= set(plan.trial("macdiff", {}).evaluate.reported)


@pytest.mark.parametrize("file", WHOLE, ids=lambda file: file.stem)
def test_a_full_size_experiment_is_every_paper_as_published(file):
    plan = config.load(file)
    assert list(plan.spaces) == methods.available()
    assert plan.dropped == []
    assert plan.sweep.resources.gpus == 1
    published = json.loads((REPOSITORY / "skelray" / "cost.json").read_text())
    for name in plan.spaces:
        assert plan.trials(name) == 1
        trial = plan.trial(name, {})
        assert trial.data.store in READERS
        assert f"{trial.data.store}_" in file.name
        size = trial.method.encoder
        assert (size.frames, size.patch) == ((64, 8) if name == "slim" else (120, 4))
        assert (size.width, size.depth, size.heads) == (256, 8, 8)
        length = trial.train.clips if name == "slim" else trial.train.epochs
        assert length == published[name].get("clips", published[name].get("epochs"))
        assert trial.optim.lr == (1.7321e-4 if name == "slim" else 1e-3)


@pytest.mark.parametrize("name", methods.available())
def test_the_full_size_methods_build(name):
    trial = config.load(WHOLE[0]).trial(name, {})
    method = methods.load(name)(trial.method, layout("kinect25"))
    assert method.encoder.tokens == (200 if name == "slim" else 750)


def test_protocols_have_their_own_settings():
    def method(protocol: str, name: str):
        return config.load(REPOSITORY / "sweeps" / f"{protocol}.yaml").trial(name, {}).method

    assert [method(each, "mamp").tau for each in ("ntu60_xsub", "ntu120_xsub", "pkummd2_xsub")] == [0.8, 0.75, 0.8]
    assert [method(each, "mamp").decoder_depth for each in ("ntu60_xview", "ntu120_xset")] == [3, 5]
    assert method("ntu120_xset", "macdiff").layer_mask == 0.15
    assert [method(each, "macdiff").masking for each in ("ntu60_xsub", "ntu60_xview")] == ["uniform", "motion"]


def test_no_file_of_the_papers_names_a_machine():
    assert not [file for file in PAPERS if str(Path.home()) in file.read_text()]

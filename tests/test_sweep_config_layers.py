"""A sweep file becomes a plan: layers, and what is dropped."""

from pathlib import Path

import pytest
from sweep_folder import SPACE
from sweep_folder import folder as folder

from skelray import yaml_file
from skelray.sweep.config import load

REPOSITORY = Path(__file__).parents[1]


def test_a_later_layer_wins(folder):
    plan = folder.load()
    amr, mamp = plan.trial("amr", {}), plan.trial("mamp", {})
    assert amr.method.mask_ratio == 0.9  # the library's
    assert (amr.method.k, amr.optim.lr, amr.train.batch) == (0.02, 2e-3, 64)  # the space's base
    assert amr.method.encoder.frames == mamp.method.encoder.frames == 48  # the sweep's trial
    assert mamp.optim.lr == 3e-3  # the override
    assert plan.trial("mamp", {"optim.lr": 4e-3, "method.tau": 0.0}).optim.lr == 4e-3  # drawn
    assert amr.seed == mamp.seed == 5


def test_a_later_length_replaces_an_earlier_one(folder):
    for method in ("amr", "mamp"):
        train = folder.load().trial(method, {}).train
        assert (train.clips, train.epochs) == (640, None)
    folder.change("sweeps/both.yaml", "{optim.lr: 3e-3}", "{train.epochs: 3}")
    train = folder.load().trial("mamp", {}).train
    assert (train.clips, train.epochs) == (None, 3)
    for method in ("amr", "mamp"):
        assert folder.load("sweeps/both.yaml", None, "train.clips=99").trial(method, {}).train.clips == 99


def test_choices_that_the_frames_cannot_serve_are_dropped_and_named(folder):
    plan = folder.load()
    assert plan.spaces["amr"].search["method.coarse"].values == [2, 6]
    assert plan.dropped == ["amr: method.coarse 10: coarse 10 does not divide 12; the nearest that does is 12"]
    folder.change("search_spaces/amr.yaml", "{method.k: 0.5}", "{method.coarse: 10}")
    plan = folder.load()
    assert len(plan.spaces["amr"].points) == 1
    assert plan.dropped[1] == "amr: points.1 needs method.coarse 10"


def test_a_point_is_filled_up_with_the_settings_and_given_once(folder):
    folder.change("search_spaces/amr.yaml", "[{}, {method.k: 0.5}]", "[{}, {method.k: 0.02}, {method.masking: motion}]")
    default = {
        "method.mask_ratio": 0.9,
        "method.coarse": 6,
        "method.windows": [4, 8, 12],
        "method.k": 0.02,
        "method.masking": "uniform",
    }
    moving = {**default, "method.masking": "motion", "method.tau": 0.8}
    assert folder.load().spaces["amr"].points == [default, moving]
    assert folder.load().trial("amr", default) == folder.load().trial("amr", {})


def test_set_fixes_a_field_and_takes_it_out_of_the_search(folder):
    plan = folder.load("sweeps/both.yaml", None, "method.mask_ratio=0.5", "budget.trials=2", "seed=7", "optim.lr=1e-4")
    assert all("method.mask_ratio" not in space.search for space in plan.spaces.values())
    assert plan.trial("amr", {}).method.mask_ratio == plan.trial("mamp", {}).method.mask_ratio == 0.5
    assert plan.trial("mamp", {}).optim.lr == 1e-4  # over the override as well
    assert (plan.sweep.budget.trials, plan.sweep.seed, plan.trial("amr", {}).seed) == (2, 7, 7)
    assert all("method.mask_ratio" not in point for point in plan.spaces["amr"].points)


def test_set_for_one_method_leaves_the_others_alone(folder):
    plan = folder.load("sweeps/both.yaml", None, "overrides.amr.method.tau=1.5", "trial.train.reports=3")
    assert "method.tau" not in plan.spaces["amr"].search
    assert "method.tau" in plan.spaces["mamp"].search
    assert plan.trial("amr", {}).method.tau == 1.5
    assert plan.trial("mamp", {}).train.reports == 3


@pytest.mark.parametrize(("masking", "searched"), [("motion", True), ("uniform", False)])
def test_set_decides_conditions_for_good(folder, masking, searched):
    plan = folder.load("sweeps/both.yaml", None, f"overrides.amr.method.masking={masking}")
    space = plan.spaces["amr"]
    assert ("method.tau" in space.search) == searched
    assert not any(dimension.when for dimension in space.search.values())
    said = "amr: method.tau is not searched, since method.masking is 'uniform'"
    assert (said in plan.dropped) == (not searched)


def test_a_space_alone_runs_under_the_quick_sweep(folder):
    plan = folder.load("search_spaces/amr.yaml")
    assert (plan.name, list(plan.spaces), plan.sweep.budget.trials) == ("amr", ["amr"], 8)
    assert plan.sweep.overrides == {}  # those of methods that do not take part
    assert folder.load("search_spaces/amr.yaml", "sweeps/both.yaml").sweep.budget.trials == 4


def test_a_sweep_under_another_keeps_its_question_spaces_and_objective(folder):
    quick = "sweeps/quick.yaml"
    folder.change("sweeps/both.yaml", "val/linear", "val/knn")
    folder.change(quick, "clips: 640", "clips: 128")
    folder.change(quick, "question: which?", "question: quick?")
    folder.change(quick, "seeds: 2", "seeds: 1")
    plan = folder.load("sweeps/both.yaml", quick)
    assert (plan.name, list(plan.spaces)) == ("both", ["amr", "mamp"])
    assert (plan.sweep.question, plan.sweep.objective.metric) == ("which?", "val/knn")
    assert (plan.trial("amr", {}).train.clips, plan.sweep.budget.trials, plan.sweep.final.seeds) == (128, 8, 1)


@pytest.mark.parametrize("sets", [(), ("overrides.amr.method.masking=uniform", "train.epochs=2", "budget.trials=3")])
def test_the_sweep_as_run_reads_back_to_the_same_plan(folder, tmp_path, sets):
    for name in ("sweeps/both.yaml", "search_spaces/amr.yaml"):
        plan = folder.load(name, None, *sets)
        yaml_file.write(tmp_path / "sweep.yaml", plan.document())
        (again := tmp_path / "elsewhere").mkdir(exist_ok=True)
        (again / "sweep.yaml").write_text((tmp_path / "sweep.yaml").read_text())
        assert load(again / "sweep.yaml") == plan
        assert load(again / "sweep.yaml").dropped == plan.dropped != []


def test_paths_and_inline_spaces_may_stand_beside_names(folder):
    (folder.path / "sweeps/wide.yaml").write_text(SPACE)
    folder.change("sweeps/both.yaml", "[amr, mamp]", f"[wide.yaml, {folder.path}/search_spaces/mamp.yaml]")
    assert list(folder.load().spaces) == ["amr", "mamp"]


def test_every_sweep_and_space_of_the_repository_loads(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    for file in sorted([*REPOSITORY.glob("search_spaces/*.yaml"), *REPOSITORY.glob("sweeps/*.yaml")]):
        plan = load(file)
        for method, space in plan.spaces.items():
            assert space.points, f"{file} tries no baseline first"
            assert plan.trial(method, space.points[0]) == plan.trial(method, {})
            full = plan.sweep.trial["data.store"] not in ("synthetic", "nw-ucla", "utd-mhad")
            usual = {"slim": 64}.get(method, 120 if full else 48)  # SLiM's views are 64, 32, 16 and 8 frames
            assert plan.trial(method, {}).method.encoder.frames == usual


def test_reserved_cores_are_used_unless_a_layer_says_otherwise(folder):
    assert folder.load("sweeps/both.yaml", None, "resources.cpus=2").trial("amr", {}).train.threads == 2
    assert (
        folder.load("sweeps/both.yaml", None, "resources.cpus=2", "train.threads=1").trial("amr", {}).train.threads == 1
    )

"""A sweep file becomes a plan: layers, what is dropped, and every mistake told before anything starts."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from skelray import yaml_file
from skelray.errors import BadInput
from skelray.sweep.config import load

SPACE = """\
method: amr
base:
  train: {batch: 64, epochs: 400}
  optim.lr: 2e-3
  method: {k: 0.02}
points: [{}, {method.k: 0.5}]
search:
  method.mask_ratio: {kind: float, low: 0.8, high: 0.95}
  method.coarse: {kind: choice, values: [2, 6, 10]}
  method.windows: {kind: choice, values: [[4], [4, 8, 12]]}
  method.k: {kind: float, low: 1e-3, high: 1, log: true}
  method.masking: {kind: choice, values: [uniform, motion]}
  method.tau: {kind: float, low: 0.5, high: 2, when: {method.masking: [motion]}}
"""
MAMP = """\
method: mamp
base: {train: {batch: 64, epochs: 400}}
search:
  method.tau: {kind: float, low: 0, high: 2}
"""
SWEEP = """\
question: which?
price: minutes
expected: amr
spaces: [amr, mamp]
trial:
  data: {store: synthetic}
  train: {clips: 640}
  method:
    encoder: {frames: 48, width: 32, depth: 1, heads: 2}
overrides:
  mamp: {optim.lr: 3e-3}
objective: {metric: val/linear, mode: max}
budget: {trials: 4, unit: clips, grace: 128, reduction: 3}
resources: {workers: 1}
final: {top: 1, seeds: 2, protocols: [linear]}
seed: 5
"""


REPOSITORY = Path(__file__).parents[1]


@dataclass
class Folder:
    """Two spaces and a sweep over both."""

    path: Path

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.path / name).read_text()
        assert text.count(old) == 1, f"{old!r} must occur once in {name}"
        (self.path / name).write_text(text.replace(old, new))

    def load(self, name="sweeps/both.yaml", under=None, *sets):
        return load(self.path / name, under and self.path / under, sets)


@pytest.fixture
def folder(tmp_path):
    texts = {"search_spaces/amr.yaml": SPACE, "search_spaces/mamp.yaml": MAMP, "sweeps/both.yaml": SWEEP}
    texts["sweeps/quick.yaml"] = SWEEP.replace("trials: 4", "trials: 8").replace("[amr, mamp]", "[mamp]")
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return Folder(tmp_path)


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


BOTH, AMR = "sweeps/both.yaml", "search_spaces/amr.yaml"
MISTAKES = [
    (BOTH, "budget: {trials", "budgt: {trials", 'unknown key; did you mean "budget"?'),
    (BOTH, "reduction: 3", "reducton: 3", 'both.yaml:13: budget.reducton: unknown key; did you mean "reduction"?'),
    (BOTH, "trials: 4", "trials: four", "both.yaml:13: budget.trials: Input should be a valid integer, not 'four'"),
    (BOTH, "trials: 4", "trials: 0", "both.yaml:13: budget.trials: Input should be greater than or equal to 1"),
    (BOTH, "grace: 128", "grace: 1.5", "both.yaml:13: budget.grace: Input should be a valid integer"),
    (BOTH, "workers: 1", "workers: two", "both.yaml:14: resources.workers: Input should be a valid integer"),
    (BOTH, "val/linear", "train/loss", "both.yaml:12: objective.metric: 'train/loss' is not made on validation"),
    (BOTH, "val/linear", "test/linear", "both.yaml:12: objective.metric: 'test/linear' is not made on validation"),
    (BOTH, "[linear]", "[linaer]", "both.yaml:15: final.protocols.0: Input should be 'linear' or 'knn', not 'linaer'"),
    (BOTH, "question: which?\n", "", "question: Field required"),
    (BOTH, "[amr, mamp]", "[amr, mmap]", "both.yaml:4: spaces.1: no search space 'mmap'; did you mean \"mamp\"?"),
    (BOTH, "[amr, mamp]", "[amr, amr]", "both.yaml:4: spaces.1: two spaces for the method amr"),
    (BOTH, "[amr, mamp]", "[./absent.yaml]", "both.yaml:4: spaces.0: no search space './absent.yaml'"),
    (BOTH, "mamp: {optim", "mapm: {optim", 'both.yaml:11: overrides.mapm: no space is for this method; did you mean'),
    (BOTH, "clips: 640", "clisp: 640", 'both.yaml:7: trial.train.clisp: unknown key; did you mean "clips"?'),
    (BOTH, "clips: 640", "clips: many", "both.yaml:7: trial.train.clips: Input should be a valid integer"),
    (BOTH, "clips: 640", "clips: true", "both.yaml:7: trial.train.clips: Input should be a valid integer"),
    (BOTH, "clips: 640", "clips: 640, epochs: 3", "both.yaml:7: trial.train.epochs: give exactly one of"),
    (BOTH, "depth: 1", "depth: 1, joints: 25", "both.yaml:9: trial.method.encoder.joints: joints come from the data"),
    (BOTH, "depth: 1", "dpeth: 1", 'trial.method.encoder.dpeth: unknown key of amr; did you mean "depth"?'),
    (BOTH, "heads: 2", "heads: 5", "both.yaml:9: trial.method.encoder.heads: heads 5 does not divide 32; the nearest"),
    (BOTH, "frames: 48", "frames: 50", "both.yaml:9: trial.method.encoder"),
    (BOTH, "  method:\n", "  seed: 3\n  method:\n", "both.yaml:8: trial.seed: the seed of every trial is the sweep's"),
    (BOTH, "  method:\n", "  method:\n    name: amr\n", "both.yaml:9: trial.method.name: the method is named by"),
    (BOTH, "  mamp: {", "  amr: {method.coarse: 5}\n  mamp: {", "overrides.amr.method.coarse: coarse 5 does not"),
    (BOTH, "  mamp: {", "  amr: {method.windows: [5]}\n  mamp: {", "overrides.amr.method.windows: window 5 does"),
    (BOTH, "optim.lr: 3e-3", "optim.lr: fast", "both.yaml:11: overrides.mamp.optim.lr: Input should be a valid number"),
    (BOTH, "optim.lr: 3e-3", "method.k: 1", "both.yaml:11: overrides.mamp.method.k: unknown key"),
    (AMR, "method: amr", "method: arm", "amr.yaml:1: method: no method 'arm'; did you mean \"amr\"?"),
    (AMR, "optim.lr: 2e-3", "optim.lrr: 2e-3", 'amr.yaml:4: base.optim.lrr: unknown key; did you mean "lr"?'),
    (AMR, "method: {k: 0.02}", "method: {k: -1}", "amr.yaml:5: base.method.k: Input should be greater than or"),
    (AMR, "high: 0.95", "high: 1.5", "amr.yaml:8: search.method.mask_ratio.high: method.mask_ratio = 1.5 cannot"),
    (AMR, "low: 0.5, high: 2", "low: -1, high: 2", "amr.yaml:13: search.method.tau.low: method.tau = -1.0 cannot"),
    (AMR, "method.coarse: {", "method.coarce: {", 'search.method.coarce.values.0: method.coarce = 2 cannot be built'),
    (AMR, "[2, 6, 10]", "[2, 6, 7]", "amr.yaml:9: search.method.coarse.values.2: method.coarse = 7 cannot be built"),
    (AMR, "[2, 6, 10]", "[5, 10]", "amr.yaml:9: search.method.coarse.values: none of the values can be built"),
    (AMR, "low: 0.8, high: 0.95", "low: 0.5, high: 0.8", "amr.yaml:6: points.0: the default 0.9 of method.mask"),
    (AMR, "{method.k: 0.5}", "{method.k: 5}", "amr.yaml:6: points.1.method.k: 5 lies outside the search (0.001..1.0)"),
    (AMR, "{method.k: 0.5}", "{method.kk: 5}", 'points.1.method.kk: is not a dimension of this space; did you mean'),
    (AMR, "{method.k: 0.5}", "{method.tau: 1}", "amr.yaml:6: points.1.method.tau: does not exist there"),
    (AMR, "kind: float, low: 0.8,", "kind: [float], low: 0.8,", "amr.yaml:8: search.method.mask_ratio.kind: ['float']"),
    (AMR, "  method.coarse: {", "  data.val_seed: {kind: int, low: 0, high: 9}\n  method.coarse: {",
     "amr.yaml:9: search.data.val_seed: is not searched"),
    (AMR, "  method.coarse: {", "  train.clips: {kind: int, low: 64, high: 6400}\n  method.coarse: {",
     "amr.yaml:9: search.train.clips: is not searched: all trials of a sweep have the same length"),
    (AMR, "  method.coarse: {", "  evaluate.linear.epochs: {kind: int, low: 1, high: 9}\n  method.coarse: {",
     "amr.yaml:9: search.evaluate.linear.epochs: is not searched: all trials of a sweep are measured alike"),
    (AMR, "{k: 0.02}", "{nmae: 1}", 'amr.yaml:5: base.method.nmae: unknown key of amr; did you mean "name"?'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "said"), MISTAKES)
def test_a_mistake_in_a_file_is_told_with_file_line_and_key(folder, name, old, new, said):
    folder.change(name, old, new)
    with pytest.raises(BadInput) as caught:
        folder.load()
    (message,) = str(caught.value).splitlines()
    assert said in message
    assert message.startswith(str(folder.path / name))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train.clips", "--set train.clips: dotted.key=value is due"),
        ("=3", "--set =3: dotted.key=value is due"),
        ("train..clips=3", "--set train..clips=3: dotted.key=value is due"),
        ("overrides.amr.=3", "--set overrides.amr.=3: dotted.key=value is due"),
        ("train={batch: 3, batch.x: 4}", "batch.x: 4}: batch is given as one value and as a section"),
        ("optm.lr=3", '--set optm.lr=3: unknown key optm; did you mean "optim"?'),
        ("method.coarse=", "--set: trial.method.coarse: Input should be a valid integer, not None"),
        ("method.k=1", "--set: trial.method.k: unknown key of mamp"),
        ("name=a/b", "--set: name: String should match pattern"),
        ("objective.metric=val/knm", "no trial of amr reports 'val/knm'; did you mean \"val/knn\"?"),
        ("evaluate.protocols=[knn]", "objective.metric: no trial of amr reports 'val/linear'"),
        ("train.clisp=3", '--set: trial.train.clisp: unknown key; did you mean "clips"?'),
        ("budget.trails=3", '--set: budget.trails: unknown key; did you mean "trials"?'),
        ("budget.trials=many", "--set: budget.trials: Input should be a valid integer, not 'many'"),
        ("train.clips=many", "--set: trial.train.clips: Input should be a valid integer"),
        ("train.clips=[1", "--set train.clips=[1:1: not valid YAML"),
        ("overrides.arm.method.k=1", '--set: overrides.arm.method.k: no space is for this method; did you mean "amr"?'),
        ("overrides.amr.method.coarse=5", "--set: overrides.amr.method.coarse: coarse 5 does not"),
        ("method.encoder.frames=64", "trial.method.coarse: coarse 6 does not divide 16; the nearest that does is 4"),
    ],
)
def test_a_mistake_in_a_set_is_told_as_such(folder, text, said):
    with pytest.raises(BadInput) as caught:
        folder.load("sweeps/both.yaml", None, text)
    (message,) = str(caught.value).splitlines()
    assert said in message


def test_a_file_that_is_neither_or_has_no_quick_sweep_is_refused(folder, tmp_path_factory, monkeypatch):
    (folder.path / "odd.yaml").write_text("x: 1\n")
    with pytest.raises(BadInput, match=r"odd\.yaml:1: neither a search space .* nor a sweep"):
        folder.load("odd.yaml")
    (folder.path / "sweeps/quick.yaml").unlink()
    monkeypatch.chdir(folder.path / "sweeps")
    with pytest.raises(BadInput, match=r"runs under sweeps/quick\.yaml, which is neither beside it nor here"):
        folder.load("search_spaces/amr.yaml")


def test_a_search_space_cannot_be_lent(folder):
    for file in ("search_spaces/mamp.yaml", "sweeps/both.yaml"):
        with pytest.raises(BadInput, match=r"amr\.yaml:1: a search space lends nothing; --under wants a sweep"):
            folder.load(file, "search_spaces/amr.yaml")


def test_a_file_of_nearly_that_name_is_offered(folder):
    with pytest.raises(
        BadInput, match=r'arm\.yaml: cannot be read: No such file or directory; did you mean "amr.yaml"'
    ):
        folder.load("search_spaces/arm.yaml")


def test_every_sweep_and_space_of_the_repository_loads(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    for file in sorted([*REPOSITORY.glob("search_spaces/*.yaml"), *REPOSITORY.glob("sweeps/*.yaml")]):
        plan = load(file)
        for method, space in plan.spaces.items():
            assert space.points, f"{file} tries no baseline first"
            assert plan.trial(method, space.points[0]) == plan.trial(method, {})
            assert plan.trial(method, {}).method.encoder.frames == 48


def test_reserved_cores_are_used_unless_a_layer_says_otherwise(folder):
    assert folder.load("sweeps/both.yaml", None, "resources.cpus=2").trial("amr", {}).train.threads == 2
    assert (
        folder.load("sweeps/both.yaml", None, "resources.cpus=2", "train.threads=1").trial("amr", {}).train.threads == 1
    )

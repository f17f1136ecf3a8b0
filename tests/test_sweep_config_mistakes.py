"""Every mistake in a sweep, a space or a --set is told before anything starts."""

import pytest
from sweep_folder import folder as folder

from skelray.errors import BadInput

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
    (BOTH, "[linear]", "[linaer]", "both.yaml:15: final.protocols: no protocol 'linaer'; did you mean \"linear\"?"),
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

"""UTD-MHAD from the command line alone: the real files are imported, and the sweep written for them runs, made tiny."""

import json
import os
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from shell import skelray

from skelray.data import splits, store
from skelray.results import Results
from skelray.sweep import config

SWEEP = REPOSITORY / "sweeps/utd_mhad_quick.yaml"
TINY = {
    "spaces": "[skeletonmae]",
    "trial.train.clips": 192,
    "trial.train.batch": 16,
    "trial.train.reports": 2,
    "trial.evaluate.linear.epochs": 3,
    "trial.evaluate.linear.lr": "[0.1]",
    "trial.method.encoder.width": 16,
    "trial.method.encoder.depth": 1,
    "trial.method.decoder_depth": 1,
    "budget.trials": 1,
    "budget.grace": 192,
    "final.seeds": 1,
    "resources.concurrent": 1,
    "resources.launcher": "inline",
}


@pytest.fixture(scope="module")
def imported(shared_data, tmp_path_factory):
    made = tmp_path_factory.mktemp("stores") / "utd-mhad.arrow"
    assert skelray("data", "import", "utd_mhad", shared_data / "utd-mhad", made) == 0
    return made


def test_the_command_imports_every_real_clip(imported):
    opened = store.open(imported)
    opened.verify()
    assert splits.sizes(opened, "xsub") == (431, 430)
    assert (opened.about["reader"], opened.about["units"], opened.about["frame_rate"]) == ("utd_mhad", "metres", 30)
    assert "ask for a citation" in opened.about["licence"]
    assert len(opened.transforms) == 2
    report = json.loads(imported.with_suffix(".import.json").read_text())
    assert (report["clips"], report["dropped"], report["skipped"]) == (861, [], [])


def test_the_sweep_is_small_and_holds_out_two_of_the_four_people_that_train(imported):
    plan = config.load(SWEEP)
    assert set(plan.spaces) == {"amr", "mamp", "skeletonmae"}
    selection = splits.select(store.open(imported), "xsub", 2, seed=0)
    assert len(selection.everything) == 431
    assert len(selection.train) >= 3 * 64  # some batches of an epoch


@pytest.mark.ray
@pytest.mark.slow
def test_the_sweep_runs_from_the_command_line_alone(imported, tmp_path):
    words = [f"--set=trial.data.store={imported}", *(f"--set={key}={value}" for key, value in TINY.items())]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        [sys.executable, "-m", "skelray.sweep", str(SWEEP), *words, "--name", "utd", "--tracking-uri", "none"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    results = Results(tmp_path / "results/utd")
    trials = results.trials()
    assert list(trials["state"]) == ["complete"]
    right = trials["value"].iloc[0] * len(splits.select(store.open(imported), "xsub", 2, seed=0).val)
    assert right == pytest.approx(round(right), abs=1e-3)  # of the clips of the two people that were held out
    assert right > 0
    assert "skeletonmae" in (results.folder / "report.md").read_text()

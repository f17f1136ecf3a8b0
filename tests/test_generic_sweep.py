"""From a folder of one's own to a leaderboard, by the commands that the page gives."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY
from made_up_gestures import CLASSES, PAGE, gestures
from shell import skelray

from skelray.data import readers, splits, store
from skelray.results import Results

TINY = {
    "question": "does a set of one's own run?",
    "price": "a minute",
    "expected": "a leaderboard",
    "spaces": ["skeletonmae"],
    "trial": {
        "data": {"split": "xsub", "val_subjects": 1},
        "train": {"clips": 192, "batch": 16, "reports": 2},
        "evaluate": {"linear": {"epochs": 3, "lr": [0.1]}},
        "method": {
            "crop_minimum": 8,
            "decoder_depth": 1,
            "encoder": {"frames": 24, "patch": 4, "width": 16, "depth": 1, "heads": 2},
        },
    },
    "budget": {"trials": 1, "grace": 192, "reduction": 2},
    "final": {"seeds": 1},
    "resources": {"concurrent": 1, "launcher": "inline"},
}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The page's example, imported by its command into a folder of stores."""
    root = tmp_path_factory.mktemp("own")
    source = gestures(root / "gestures")
    made = root / "gestures.arrow"
    assert skelray("data", "import", "generic", source, made) == 0
    return made


def test_the_example_of_the_page_imports(imported):
    opened = store.open(imported)
    assert (opened.name, opened.classes, opened.clips) == ("gestures", CLASSES, 72)
    assert (set(opened.subject), set(opened.camera)) == (set(range(1, 7)), {1, 2})
    assert {"xsub", "xview"} <= set(splits.available(opened))
    assert splits.sizes(opened, "xsub") == (48, 24)
    assert splits.sizes(opened, "xview") == (36, 36)
    assert opened.about["frame_rate"] == 30
    assert opened.about["licence"].startswith("Recorded by us")
    said = "; ".join(opened.transforms)
    for what in ("millimetres, times 0.001", "up: z", "hip centre", "yaw"):
        assert what in said
    report = json.loads(imported.with_suffix(".import.json").read_text())
    assert report["counts"]["missing values interpolated over time"] == 72


def test_people_stand_upright_in_metres_and_do_what_they_do(imported):
    opened = store.open(imported)
    joint = {name: number for number, name in enumerate(opened.skeleton.joints)}
    reach = {what: [] for what in CLASSES}
    for clip in range(opened.clips):
        body = opened.joints(clip)[0]
        assert 0.5 < (body[:, joint["head"], 1] - body[:, joint["pelvis"], 1]).mean() < 0.9
        np.testing.assert_allclose(body[0, [joint["hip_left"], joint["hip_right"]]].mean(0), 0, atol=1e-5)
        reach[CLASSES[opened.label[clip]]].append(
            np.ptp(body[:, [joint[n] for n in ("hand_right", "head", "foot_right")]], 0)
        )
    for place, (what, axis) in enumerate((("wave", 0), ("squat", 1), ("kick", 1))):
        spread = np.median(reach[what], 0)[place]
        assert spread[axis] > 0.25
        others = [np.median(reach[other], 0)[place][axis] for other in CLASSES if other != what]
        assert spread[axis] > 2 * min(others)


def test_every_split_that_the_page_shows_is_one(tmp_path):
    source = gestures(tmp_path / "gestures", subjects=4, repeats=1)
    told = yaml.safe_load((source / "skeletons.yaml").read_text())
    shown = yaml.safe_load(PAGE.read_text().split("```yaml splits\n")[1].split("```")[0])
    shown["xsub"]["train"].remove(4)
    names = sorted(path.stem for path in source.glob("*.csv"))
    rows = [f"{name},{('train', 'val', 'test')[number % 3]}" for number, name in enumerate(names)]
    (source / "clips.csv").write_text("\n".join(["file,fold", *rows]))
    told |= {"splits": shown, "from_table": {"path": "clips.csv"}}
    (source / "skeletons.yaml").write_text(yaml.safe_dump(told))
    clips = list(readers.load("generic").read(source).clips)
    for split in shown:
        assert {clip.sides[split] for clip in clips} == {0, 1}


@pytest.mark.ray
@pytest.mark.slow
def test_a_sweep_runs_from_the_command_line_alone(imported, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    space = REPOSITORY / "search_spaces/skeletonmae.yaml"
    words = ["--under", str(tmp_path / "tiny.yaml"), "--set", f"data.store={imported}", "--name", "own"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        [sys.executable, "-m", "skelray.sweep", str(space), *words, "--tracking-uri", "none"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    results = Results(tmp_path / "results/own")
    trials = results.trials()
    assert list(trials["state"]) == ["complete"]
    assert 0 <= trials["value"].iloc[0] <= 1
    finals = results.finals()
    assert set(finals["clips"]) == {0, 192}  # the finalist, and the same encoder untrained
    board = (tmp_path / "results/own/report.md").read_text().split("## Leaderboard")[1].splitlines()
    assert any(line.startswith("| skeletonmae | 1 | 192 |") for line in board)
    assert any(line.startswith("| untrained skeletonmae | 1 | 0 |") for line in board)

"""A small data set of made-up motions, written as the example of docs/data/your_own.md describes it."""

from pathlib import Path

import numpy as np
import yaml
from conftest import REPOSITORY
from written_generic import csv_text

PAGE = REPOSITORY / "docs/data/your_own.md"
STANDING = {  # joint -> x, y, z in millimetres: z is up, and the person looks along -y
    "pelvis": (0, 0, 950), "neck": (0, 0, 1450), "head": (0, 0, 1650),
    "shoulder_left": (-180, 0, 1400), "elbow_left": (-220, 0, 1130), "hand_left": (-230, 0, 880),
    "shoulder_right": (180, 0, 1400), "elbow_right": (220, 0, 1130), "hand_right": (230, 0, 880),
    "hip_left": (-100, 0, 930), "foot_left": (-110, -60, 60), "hip_right": (100, 0, 930), "foot_right": (110, -60, 60),
}  # fmt: skip
CLASSES = ("wave", "squat", "kick")
UPPER = ("pelvis", "neck", "head", "shoulder_left", "elbow_left", "hand_left", "shoulder_right", "elbow_right")
UPPER += ("hand_right", "hip_left", "hip_right")


def example() -> str:
    """The description that the page shows."""
    return PAGE.read_text().split("```yaml skeletons.yaml\n")[1].split("```")[0]


def motion(what: str, random: np.random.Generator, frames: int) -> np.ndarray:
    """(1, T, V, 3) of one person who waves, squats or kicks, in millimetres."""
    names = list(STANDING)
    body = np.tile(np.array(list(STANDING.values()), float), (frames, 1, 1))
    phase = np.sin(np.linspace(0, random.uniform(1.5, 2.5) * np.pi, frames) ** 2 / np.pi) ** 2
    if what == "wave":
        body[:, names.index("elbow_right")] += np.array([60, -40, 330])
        body[:, names.index("hand_right")] += np.array([0, -60, 850])
        body[:, names.index("hand_right"), 0] += 350 * phase
    elif what == "squat":
        body[:, [names.index(name) for name in UPPER], 2] -= 450 * phase[:, None]
    else:
        body[:, names.index("foot_right"), 1] -= 700 * phase
        body[:, names.index("foot_right"), 2] += 500 * phase
    angle = random.uniform(-0.5, 0.5)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    place = np.array([random.uniform(-500, 500), random.uniform(2000, 3000), 0])
    return ((random.uniform(0.9, 1.1) * body + random.normal(0, 8, body.shape)) @ turn.T + place)[None]


def gestures(folder: Path, subjects: int = 6, repeats: int = 2) -> Path:
    """The folder with every subject's clips of every class, seen by two cameras, and the page's description."""
    folder.mkdir(parents=True)
    (folder / "skeletons.yaml").write_text(example())
    form = yaml.safe_load(example())["csv"]
    for subject in range(1, subjects + 1):
        for number, what in enumerate(CLASSES):
            for camera in (1, 2):
                for repeat in range(1, repeats + 1):
                    random = np.random.default_rng([subject, number, camera, repeat])
                    joints = motion(what, random, int(random.integers(30, 50)))
                    joints[0, 7, 2, 0] = np.nan  # an empty cell
                    text = csv_text(
                        joints, list(STANDING), frame=form["frame"], body=form["body"], time=form["timestamp"],
                        rate=0.03,
                    )  # fmt: skip
                    (folder / f"person{subject:02}_{what}_cam{camera}_{repeat}.csv").write_text(text)
    return folder

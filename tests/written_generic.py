"""Data sets of one's own for tests: clips written as .npz, .npy or .csv in any form, and a description beside them."""

import io
from pathlib import Path

import numpy as np
import yaml

FIVE = ("hip", "chest", "hand_left", "hand_right", "head")
BODY = {
    "joints": list(FIVE),
    "bones": [["chest", "hip"], ["hand_left", "chest"], ["hand_right", "chest"], ["head", "chest"]],
    "mirror": [["hand_left", "hand_right"]],
    "parts": {"trunk": ["hip", "chest", "head"], "arm_left": ["hand_left"], "arm_right": ["hand_right"]},
}
NAMED = {"pattern": r"s(?P<subject>\d+)_(?P<label>[a-z]+)_(?P<replication>\d+)"}
AXES = "xyz"


def described(**changes):
    """A whole description of five-joint clips in metres, with these keys changed; None takes a key out."""
    whole = {"name": "mine", "files": "*.npy", **BODY, "units": "metres", "classes": ["wave", "clap"]}
    whole |= {"from_names": NAMED, **changes}
    return {key: value for key, value in whole.items() if value is not None}


def described_in(folder: Path, **changes) -> Path:
    """The folder with that description in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "skeletons.yaml").write_text(yaml.safe_dump(described(**changes), sort_keys=False, allow_unicode=True))
    return folder


def walk(frames=6, joints=5, channels=3, bodies=1, seed=0):
    """Bodies that wander, (M, T, V, C), in metres; no coordinate is zero."""
    drawn = np.random.default_rng(seed).uniform(0.1, 2.0, (bodies, frames, joints, channels))
    return drawn.astype(np.float32)


NAMES = ("s01_wave_1", "s01_clap_1", "s02_wave_1", "s02_clap_1", "s03_wave_1", "s03_clap_1")


def three_people(folder: Path, ending=".npy", **changes) -> dict[str, np.ndarray]:
    """Three people who wave and clap, one body each: the clips by name, written with a description that fits."""
    described_in(folder, files=f"*{ending}", **changes)
    clips = {name: walk(5 + number, seed=number) for number, name in enumerate(NAMES)}
    for name, joints in clips.items():
        write(folder / f"{name}{ending}", joints)
    return clips


def write(path: Path, joints: np.ndarray) -> None:
    """One clip in the plainest form of its ending: T V C, without body and frame columns."""
    if path.suffix == ".csv":
        path.write_text(csv_text(joints))
    else:
        path.write_bytes(array_bytes(joints[0], path.suffix))


def array_bytes(array: np.ndarray, ending=".npy", key="joints") -> bytes:
    """The contents of an .npy or .npz file."""
    file = io.BytesIO()
    np.save(file, array) if ending == ".npy" else np.savez_compressed(file, **{key: array})
    return file.getvalue()


def arranged(joints: np.ndarray, axes: str) -> np.ndarray:
    """(M, T, V, C) in another order of axes, some of them merged: "T MVC"."""
    letters = axes.replace(" ", "")
    sizes = dict(zip("MTVC", joints.shape, strict=True)) | {"1": 1}
    present = "".join(letter for letter in "MTVC" if letter in letters)
    plain = joints if "M" in letters else joints[0]
    plain = plain.transpose([present.index(letter) for letter in letters if letter != "1"])
    lengths = [int(np.prod([sizes[letter] for letter in axis])) for axis in axes.split()]
    return plain.reshape(lengths)


def csv_text(
    joints, names=FIVE, columns="{joint}_{axis}", header=True, frame="", body="", time="", separator=",", rate=30
):
    """A clip as lines; a body that is all zeros in a frame has no line there; a value that is nan is an empty cell."""
    bodies, frames, count, channels = joints.shape
    special = [name for name in (frame, body, time) if name]
    heads = [
        columns.replace("{joint}", names[joint]).replace("{number}", str(joint)).replace("{axis}", AXES[axis])
        for joint in range(count)
        for axis in range(channels)
    ]
    lines = [separator.join([*special, *heads])] if header else []
    for moment in range(frames):
        for one in range(bodies):
            row = joints[one, moment].reshape(-1)
            if not row.any() and bodies > 1:
                continue
            before = (
                [str(moment)] * bool(frame) + [f"person {one}"] * bool(body) + [f"{moment / rate:.6f}"] * bool(time)
            )
            lines.append(separator.join([*before, *("" if np.isnan(value) else repr(float(value)) for value in row)]))
    return "\n".join(lines) + "\n"

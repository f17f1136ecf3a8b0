"""Writes NTU-style .npz files: random ones with known facts, and any clips a test has."""

import numpy as np

FRAMES = 9


def bodies(clips=4, frames=FRAMES, classes=60, seed=0, dtype=np.float32):
    """x and y of one side: clip i has i + 3 frames; even clips have one body."""
    random = np.random.default_rng(seed)
    x = np.zeros((clips, frames, 150), dtype)
    for number in range(clips):
        x[number, : number + 3] = random.normal(0, 1, (number + 3, 150))
        if number % 2 == 0:
            x[number, :, 75:] = 0
    return x, np.eye(classes, dtype=np.float64)[random.integers(0, classes, clips)]


def npz(path, save=np.savez, **arrays):
    """A file of four training clips and three test clips; `arrays` replaces some of it."""
    x_train, y_train = bodies()
    x_test, y_test = bodies(3, seed=1)
    save(path, **{"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test, **arrays})
    return path


def ctrgcn(x):
    """(N, T, 150) as (N, 3, T, 25, 2)."""
    return np.ascontiguousarray(x.reshape(*x.shape[:2], 2, 25, 3).transpose(0, 4, 1, 3, 2))


def write(path, clips, classes=60, frames=FRAMES, five=False, whole_labels=False, save=np.savez):
    """Clips of up to two bodies and `frames` frames, as (side, joints, label) of the sides "train" and "test"."""
    arrays = {}
    for side in ("train", "test"):
        chosen = [(joints, label) for where, joints, label in clips if where == side]
        x = np.zeros((len(chosen), frames, 2, 25, 3), np.float32)
        for number, (joints, _) in enumerate(chosen):
            x[number, : joints.shape[1], : len(joints)] = joints.transpose(1, 0, 2, 3)
        label = np.array([label for _, label in chosen], np.int64)
        flat = x.reshape(len(chosen), frames, 150)
        arrays |= {f"x_{side}": ctrgcn(flat) if five else flat}
        arrays |= {f"y_{side}": label if whole_labels else np.eye(classes)[label]}
    save(path, **arrays)
    return path

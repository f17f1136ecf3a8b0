"""Writes a copy of PKU-MMD: skeleton texts, label files and split lists, in the folders that people use."""

import numpy as np


def skeleton_text(joints):
    """One line a frame, a blank before its first number as in the real files; joints (M, T, 25, 3), M up to 2."""
    both = np.zeros((2, *joints.shape[1:]), np.float32)
    both[: len(joints)] = joints
    rows = both.transpose(1, 0, 2, 3).reshape(joints.shape[1], 150)
    return "".join(" " + " ".join(repr(float(number)) for number in row) + "\n" for row in rows)


def label_text(segments, confidence=2):
    """Lines of action, start and end."""
    return "".join(f"{action},{start},{end},{confidence}\n" for action, start, end in segments)


def split_text(train, test=None):
    """As the real lists are: headings, and names separated by a comma and a blank."""
    text = f"Training videos:\n{', '.join(train)}"
    return text + "\n" if test is None else f"{text}\nValidataion videos:\n{', '.join(test)}\n"


def walking(frames=30, bodies=1, seed=0):
    """Joints (bodies, frames, 25, 3) of somebody in front of the camera."""
    random = np.random.default_rng(seed)
    return (random.normal(0, 0.05, (bodies, frames, 25, 3)).cumsum(1) + np.array([0, 0, 3])).astype(np.float32)


def pku_folder(folder, videos, labels=True, train=None, test=None, ending=""):
    """`videos`: name -> (joints, segments). Returns the folder."""
    for place in ("skeleton", "label"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for video, (joints, segments) in videos.items():
        (folder / "skeleton" / f"{video}.txt").write_text(skeleton_text(joints))
        if labels:
            (folder / "label" / f"{video}.txt").write_text(label_text(segments))
    if train is not None:
        (folder / f"cross_subject{ending}.txt").write_text(split_text(train, test))
    return folder

"""Writes raw NTU `.skeleton` files: frames of bodies as a test gives them, in the form of the real ones."""

import numpy as np

FIRST = 72057594037931101  # a body's number as real files have it; the next ones differ beyond a float's digits


def person(frames=1, seed=0, x=0.0, width=0.3, height=1.7, sway=0.05):
    """A standing body: (frames, 25, 3) metres around `x`, exactly so wide and high, that sways as a whole."""
    random = np.random.default_rng(seed)
    joints = random.uniform(-0.5, 0.5, (25, 3)) * (width, height, 0.2)
    joints[:2, :2] = np.array([[-0.5, -0.5], [0.5, 0.5]]) * (width, height)  # the corners of the extent
    moved = joints + random.normal(0, sway, (frames, 1, 3)) + (x, 0, 3)
    return moved.astype(np.float32)


def text(frames, newline="\n", blank="", end=None, unseen="0"):
    """The file's content; `frames` lists, per frame, (body number, joints (25, 3)).

    `blank` stands at the end of each line, `end` at the end of the file; `unseen` fills the fields after x, y, z.
    """
    lines = [f"{len(frames)}"]
    for bodies in frames:
        lines.append(f"{len(bodies)}")
        for number, joints in bodies:
            lines += [f"{number} 0 1 1 1 1 0 0.02764709 -0.05745083 2", f"{len(joints)}"]
            lines += [" ".join([*(f"{axis:.9g}" for axis in joint), *[unseen] * 8, "2"]) for joint in joints]
    whole = (blank + newline).join(lines) + blank + (newline if end is None else end)
    return whole.encode()


def tracks(length, **bodies):
    """Frames for `text`: each body is given as name=(frame numbers, joints), and is there in these frames."""
    frames = [[] for _ in range(length)]
    for number, (at, joints) in enumerate(bodies.values()):
        for frame, pose in zip(at, joints, strict=True):
            frames[frame].append((FIRST + number, pose))
    return frames


def write(folder, name, frames, **how):
    """One file named `name` in `folder`."""
    path = folder / f"{name}.skeleton"
    path.write_bytes(text(frames, **how))
    return path

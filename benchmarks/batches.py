"""The batch path against a loader that crops, resizes and rotates clip by clip, as the authors' code does.

python benchmarks/batches.py [--clips 2000] [--rounds 5]
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

sys.path.insert(0, str(Path(__file__).parent))
from clock import best_of

from skelray.batch import View
from skelray.data import store
from skelray.data.clip import Clip
from skelray.data.loader import Loader, Pool
from skelray.skeletons import layout

SIZE = 128


def clip_by_clip(clips: list[torch.Tensor], chance: np.random.Generator) -> torch.Tensor:
    """One batch of two-body clips of 120 frames, each cropped, resized and rotated by itself."""
    out = []
    for x in clips:
        frames = x.shape[1]
        length = min(max(int(frames * chance.uniform(0.5, 1)), 64), frames)
        start = chance.integers(frames - length + 1)
        cut = x[:, start : start + length].permute(0, 2, 3, 1).flatten(0, 2)[None]
        cut = interpolate(cut, size=120, mode="linear", align_corners=False)[0].unflatten(0, (2, 25, 3))
        a, b, c = chance.uniform(-0.3, 0.3, 3)
        turn_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        turn_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        turn_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        turn = torch.from_numpy(turn_z @ turn_y @ turn_x).float()
        out.append(cut.permute(0, 3, 1, 2) @ turn.T)
    return torch.stack(out)


def main() -> None:
    """Print clips/s and batches/s of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    chance = np.random.default_rng(0)
    lengths = chance.integers(40, 200, asked.clips)
    raw = [chance.standard_normal((2, n, 25, 3), dtype=np.float32) for n in lengths]
    clips = (Clip(clip_name=f"c{i}", joints=x, label=0, subject=i % 10) for i, x in enumerate(raw))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.arrow"
        store.write(path, clips, layout("kinect25"), "benchmark", ("any",))
        pool = Pool(store.open(path))
        loader = Loader(pool, np.arange(asked.clips), (View(),), seed=0)
        tensors = [torch.from_numpy(x) for x in raw]
        print(f"batches of {SIZE} two-body clips, 120 frames, {asked.clips} clips in the store")
        for threads in (1, 2):
            torch.set_num_threads(threads)
            step = iter(range(10**6))
            seconds = best_of(
                {
                    "skelray": lambda step=step: loader.batch(next(step), SIZE),
                    "clip by clip": lambda: clip_by_clip(
                        [tensors[i] for i in chance.integers(asked.clips, size=SIZE)], chance
                    ),
                },
                asked.rounds,
            )
            for name, s in seconds.items():
                ratio = seconds["clip by clip"] / s
                print(
                    f"{threads} threads  {name:13} {1 / s:7.1f} batches/s {SIZE / s:9.0f} clips/s   ratio {ratio:5.1f}"
                )


if __name__ == "__main__":
    main()

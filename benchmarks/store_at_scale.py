"""A store of the size of NTU RGB+D 120: what importing, opening and batches cost.

python benchmarks/store_at_scale.py [--clips 113945] [--jobs 2] [--rounds 5] [--half]

Clips of two bodies are made up behind the reader (about 70 frames each, as NTU-120's eight million frames over its
clips), so the import's rate is that of everything but parsing; benchmarks/parse_ntu.py measures parsing. Memory is what
the importing process and its readers hold for themselves (RssAnon), without the mapped file.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from threading import Event, Thread

import numpy as np
import psutil
import torch

sys.path.insert(0, str(Path(__file__).parent))
from batches import SIZE, clip_by_clip
from clock import best_of

from skelray.batch import View
from skelray.data import importing, store
from skelray.data.clip import Clip
from skelray.data.loader import Loader, Pool
from skelray.data.source import DataSet, Loaded
from skelray.skeletons import layout

PART = 64  # clips
OPENING = """
import time
from pathlib import Path
from skelray.data import store
began = time.perf_counter()
opened = store.open(Path({path!r}))
print(time.perf_counter() - began)
"""


@cache
def noise() -> np.ndarray:
    """Wandering bodies to cut clips from."""
    steps = np.random.default_rng(0).normal(0, 0.005, (4000, 25, 3)).astype(np.float32)
    return steps.cumsum(0, dtype=np.float32)


def made_up(clips: int, parts: Sequence[str]) -> Iterator[Loaded]:
    """The clips of some parts; a part's name is its first clip's number."""
    for part in parts:
        chance = np.random.default_rng(int(part))
        found = []
        for number in range(int(part), min(int(part) + PART, clips)):
            frames = int(np.clip(chance.lognormal(np.log(64), 0.42), 10, 300))
            starts = chance.integers(0, len(noise()) - frames, 2)
            joints = np.stack([noise()[start : start + frames] for start in starts])
            setup, label = 1 + number % 32, number % 120
            name = f"S{setup:03}C{1 + number % 3:03}P{1 + number % 106:03}R{number:06}A{label + 1:03}"
            found.append(Clip(name, joints, label, 1 + number % 106, 1 + number % 3, setup))
        yield Loaded(found)


class Peak:
    """The most memory that this process and its children held for themselves, in MiB, while the block ran."""

    def __enter__(self) -> "Peak":
        self.most, self._over = 0.0, Event()
        self._watcher = Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.05):
            self.most = max(self.most, sum(map(anonymous, [me, *me.children(recursive=True)])))


def anonymous(process: psutil.Process) -> float:
    """MiB of a process that lie in no file; 0 for one that has just ended."""
    try:
        with open(f"/proc/{process.pid}/status") as status:
            return next((int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon")), 0.0)
    except OSError:
        return 0.0


def main() -> None:
    """Print what each of import, opening and batches cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=113_945)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--folder", help="where the store is to lie for a while; by default the temporary folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        path = Path(folder) / "scale.arrow"
        before = anonymous(psutil.Process())
        with Peak() as peak:
            seconds = build(path, asked.clips, asked.jobs, asked.half)
        opened = store.open(path)
        print(
            f"import   {asked.clips:,} clips, {opened.rows.nbytes / 2**30:.2f} GiB of coordinates ({opened.rows.dtype})"
        )
        print(f"         {seconds:.0f} s, {asked.clips / seconds:,.0f} clips/s with {asked.jobs} jobs")
        print(f"         most memory beside the file: {peak.most:,.0f} MiB, {before:,.0f} MiB of it before it began")
        code = [sys.executable, "-c", OPENING.format(path=str(path))]
        times = [float(subprocess.run(code, capture_output=True, text=True, check=True).stdout) for _ in range(5)]
        print(f"opening  {min(times):.3f} to {max(times):.3f} s in five fresh processes")
        batches(opened, asked.rounds)


def build(path: Path, clips: int, jobs: int, half: bool) -> float:
    """Seconds that the import takes."""
    parts = [str(first) for first in range(0, clips, PART)]
    classes = tuple(f"A{number:03}" for number in range(1, 121))
    found = DataSet("scale", layout("kinect25"), classes, parts, partial(made_up, clips))
    began = time.perf_counter()
    importing.run(found, path, source="made up", about={}, jobs=jobs, half=half)
    return time.perf_counter() - began


def batches(opened: store.Store, rounds: int) -> None:
    """Random batches of 128 two-body clips, 120 frames, against clips cropped, resized and turned one by one."""
    loader = Loader(Pool(opened), np.arange(opened.clips), (View(),), seed=0)
    chance = np.random.default_rng(0)
    torch.set_num_threads(2)
    opened.rows.max()  # as after the first epoch: what fits into memory lies there
    step = iter(range(10**6))

    def one_by_one() -> torch.Tensor:
        numbers = chance.integers(opened.clips, size=SIZE)
        return clip_by_clip([torch.from_numpy(opened.joints(i).astype(np.float32)) for i in numbers], chance)

    seconds = best_of({"skelray": lambda: loader.batch(next(step), SIZE), "clip by clip": one_by_one}, rounds)
    for name, s in seconds.items():
        print(
            f"batches  {name:13} {1 / s:6.1f} a second of {SIZE} clips on 2 threads, {seconds['clip by clip'] / s:.1f}x"
        )


if __name__ == "__main__":
    main()

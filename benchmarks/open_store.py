"""Opening a store of 1 GiB from four trials at once: seconds, and memory that each trial has for itself.

python benchmarks/open_store.py [--gib 1.0] [--trials 4]
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np

from skelray.data import store
from skelray.data.clip import Clip
from skelray.skeletons import layout


def private() -> float:
    """Memory that this process holds for itself, MiB: anonymous pages, without the mapped file."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("RssAnon:")[1].split()[0]) / 2**10


def trial(path: str, results: multiprocessing.Queue) -> None:
    """Open the store and read every coordinate once, as a first epoch does."""
    before = private()
    start = time.perf_counter()
    opened = store.open(Path(path))
    seconds = time.perf_counter() - start
    total = float(np.add.reduce(opened.rows, axis=None))
    results.put((seconds, private() - before, total))


def main() -> None:
    """Print one line a trial, and a copy of the same array for comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=1.0)
    parser.add_argument("--trials", type=int, default=4)
    asked = parser.parse_args()
    clip = np.random.default_rng(0).standard_normal((2, 300, 25, 3), dtype=np.float32)
    count = int(asked.gib * 2**30 / clip.nbytes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.arrow"
        clips = (Clip(clip_name=f"c{i}", joints=clip + np.float32(i), label=0) for i in range(count))
        start = time.perf_counter()
        store.write(path, clips, layout("kinect25"), "large", ("any",))
        print(f"{path.stat().st_size / 2**30:.2f} GiB, {count} clips, written in {time.perf_counter() - start:.1f} s")
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        processes = [context.Process(target=trial, args=(str(path), results)) for _ in range(asked.trials)]
        for process in processes:
            process.start()
        for number in range(asked.trials):
            seconds, memory, _ = results.get()
            print(f"trial {number}: opened in {seconds:.3f} s; {memory:.0f} MiB of its own after reading every clip")
        for process in processes:
            process.join()
        before, start = private(), time.perf_counter()
        copy = np.array(store.open(path).rows)
        seconds, memory = time.perf_counter() - start, private() - before
        print(f"a private copy instead: {seconds:.1f} s and {memory:.0f} MiB for {copy.shape}")


if __name__ == "__main__":
    main()

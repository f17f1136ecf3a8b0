"""How fast raw NTU files become clips, on one core: written here in the form of the real ones, then read.

python benchmarks/parse_ntu.py [--files 2000]

Lengths are drawn as NTU RGB+D has them (mean about 84 frames), 18 % of the files hold two bodies, and a few bodies are
lost and come back. Fifty contents are written again and again under other names: writing is not what is measured.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from skelray.data.ntu import names
from skelray.data.ntu.parse import exactly, parse, quickly
from skelray.data.ntu.prepare import Rules, prepare
from skelray.data.readers.ntu_skeleton import read

CONTENTS = 50


def content(random: np.random.Generator) -> bytes:
    """One raw file."""
    frames = int(np.clip(random.gamma(6, 14), 20, 300))
    bodies = 1 + (random.random() < 0.18)
    lost = random.random() < 0.05
    lines = [str(frames)]
    joints = random.uniform((-0.3, -0.9, 2.5), (0.3, 0.9, 3.5), (bodies, 25, 3))
    for frame in range(frames):
        seen = [body for body in range(bodies) if not (lost and body and frame % 20 > 15)]
        lines.append(str(len(seen)))
        joints = joints + random.normal(0, 0.01, joints.shape)
        for body in seen:
            lines += [f"{72057594037931101 + body} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
            pixels, turns = random.uniform(100, 1000, (25, 4)), random.uniform(-1, 1, (25, 4))
            for row in np.hstack([joints[body], pixels, turns]):
                lines.append(" ".join(f"{number:.7g}" for number in row) + " 2")
    return ("\r\n".join(lines) + "\r\n").encode()


def rate(what: str, job: Callable[[bytes], object], contents: Sequence[bytes]) -> None:
    """Print files and megabytes a second of the processor's own time, so that other loads weigh little."""
    job(contents[0])
    start, files, size = time.process_time(), 0, 0
    for each in contents:
        job(each)
        files, size = files + 1, size + len(each)
    told(what, files, size, time.process_time() - start)


def told(what: str, files: int, size: int, seconds: float) -> None:
    """One line of the table."""
    print(f"{what:58}{files / seconds:8.0f} files/s {size / seconds / 1e6:8.1f} MB/s")


def main() -> None:
    """Write, read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    asked = parser.parse_args()
    random = np.random.default_rng(0)
    contents = [content(random) for _ in range(min(CONTENTS, asked.files))]
    many = [contents[number % len(contents)] for number in range(asked.files)]
    chosen = sorted(names.expected("ntu60"))[: asked.files]
    print(f"{asked.files} files, {np.mean([len(each) for each in contents]) / 1e3:.0f} kB each")
    rate("text, line by line (what damaged files need)", lambda each: exactly(each, "a"), many[:: len(many) // 40 or 1])
    rate("text, the quick way", quickly, many)
    rate("text and preparation", lambda each: prepare(parse(each, "a"), Rules(), "a", False), many)
    with tempfile.TemporaryDirectory() as folder:
        for name, each in zip(chosen, many, strict=True):
            (Path(folder) / f"{name}.skeleton").write_bytes(each)
        found = read(Path(folder))
        start = time.process_time()
        clips = sum(len(loaded.clips) for loaded in found.read(found.parts))
        told("files to finished clips", clips, sum(map(len, many)), time.process_time() - start)


if __name__ == "__main__":
    main()

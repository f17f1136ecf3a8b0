"""A folder with two search spaces and a sweep over both, to change and to load."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from skelray.sweep.config import load

SPACE = """\
method: amr
base:
  train: {batch: 64, epochs: 400}
  optim.lr: 2e-3
  method: {k: 0.02}
points: [{}, {method.k: 0.5}]
search:
  method.mask_ratio: {kind: float, low: 0.8, high: 0.95}
  method.coarse: {kind: choice, values: [2, 6, 10]}
  method.windows: {kind: choice, values: [[4], [4, 8, 12]]}
  method.k: {kind: float, low: 1e-3, high: 1, log: true}
  method.masking: {kind: choice, values: [uniform, motion]}
  method.tau: {kind: float, low: 0.5, high: 2, when: {method.masking: [motion]}}
"""
MAMP = """\
method: mamp
base: {train: {batch: 64, epochs: 400}}
search:
  method.tau: {kind: float, low: 0, high: 2}
"""
SWEEP = """\
question: which?
price: minutes
expected: amr
spaces: [amr, mamp]
trial:
  data: {store: synthetic}
  train: {clips: 640}
  method:
    encoder: {frames: 48, width: 32, depth: 1, heads: 2}
overrides:
  mamp: {optim.lr: 3e-3}
objective: {metric: val/linear, mode: max}
budget: {trials: 4, unit: clips, grace: 128, reduction: 3}
resources: {workers: 1}
final: {top: 1, seeds: 2, protocols: [linear]}
seed: 5
"""


@dataclass
class Folder:
    """Two spaces and a sweep over both."""

    path: Path

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.path / name).read_text()
        assert text.count(old) == 1, f"{old!r} must occur once in {name}"
        (self.path / name).write_text(text.replace(old, new))

    def load(self, name="sweeps/both.yaml", under=None, *sets):
        return load(self.path / name, under and self.path / under, sets)


@pytest.fixture
def folder(tmp_path):
    texts = {"search_spaces/amr.yaml": SPACE, "search_spaces/mamp.yaml": MAMP, "sweeps/both.yaml": SWEEP}
    texts["sweeps/quick.yaml"] = SWEEP.replace("trials: 4", "trials: 8").replace("[amr, mamp]", "[mamp]")
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return Folder(tmp_path)

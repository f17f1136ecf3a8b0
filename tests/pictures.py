"""What the tests of pictures share: a store of two small bodies, and a reading of a drawn page."""

import base64
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
import pytest
import shell
import torch

from skelray import checkpoint, methods
from skelray.data import store
from skelray.data.clip import Clip
from skelray.data.store import Store
from skelray.skeletons import Skeleton
from skelray.trial_config import TrialConfig

ENCODER = {"frames": 12, "patch": 3, "width": 8, "depth": 1, "heads": 2}
SIZES = {
    "skeletonmae": {"decoder_depth": 1, "mask_ratio": 0.5},
    "mamp": {"decoder_depth": 1, "mask_ratio": 0.5},
    "amr": {"decoder_depth": 1, "mask_ratio": 0.5, "coarse": 2, "windows": [4]},
    "macdiff": {"decoder_depth": 1, "mask_ratio": 0.5},
    "umd": {"decoder_depth": 1},
}


def standing(frames: int, seed: int) -> np.ndarray:
    """One five-joint body, hip to head along y, its left hand at -x as a sensor sees it, swaying a little."""
    rest = np.array([[0, 0, 0], [0, 0.5, 0], [-0.4, 0.3, 0], [0.4, 0.3, 0], [0, 0.8, 0]])
    sway = np.random.default_rng(seed).normal(0, 0.02, (frames, 5, 3)).cumsum(0)
    return (rest + sway).astype(np.float32)


@pytest.fixture(scope="module")
def clips(five_joints: Skeleton, tmp_path_factory) -> Store:
    """Six clips of two classes; clip 1 has two bodies."""
    path = tmp_path_factory.mktemp("stores") / "five.arrow"
    made = []
    for number in range(6):
        bodies = [standing(9 + number, number)] + [standing(9 + number, 99) + np.float32(1)] * (number == 1)
        made.append(Clip(f"clip<{number}>", np.stack(bodies), number % 2, subject=number % 3, sides={"given": 0}))
    store.write(path, made, five_joints, "five & more", ("wave", "pick_up"))
    return store.open(path)


def trained(name: str, clips: Store, folder):
    """A folder like that of a trial, with weights nobody trained."""
    cfg = {
        "data": {"store": str(clips.path), "split": "given"},
        "method": {"name": name, "encoder": ENCODER, **SIZES[name]},
    }
    config = TrialConfig.model_validate({**cfg, "train": {"clips": 8, "batch": 4}})
    torch.manual_seed(0)
    method = methods.load(name)(config.method, clips.skeleton)
    identity = {"trial": config.model_dump_json(), "store": clips.fingerprint, "side": "train"}
    state = {"step": 2, "model": method.state_dict(), "identity": identity, "clips": 8, "metrics": {"train/loss": 1.0}}
    checkpoint.save(folder, state)
    return folder


def skelray(*words: object) -> int:
    """The exit code of `skelray show`."""
    return shell.skelray("show", *words)


@dataclass
class Drawn:
    """One panel of a page: lines and circles as attributes, and what the script is told."""

    told: str
    lines: list[dict] = field(default_factory=list)
    ghosts: list[dict] = field(default_factory=list)
    circles: list[dict] = field(default_factory=list)
    data: dict = field(default_factory=dict)

    @property
    def hidden(self) -> np.ndarray:
        return np.frombuffer(base64.b64decode(self.data["hidden"]), np.uint8).astype(bool)

    @property
    def places(self) -> np.ndarray:
        """Metres."""
        return np.frombuffer(base64.b64decode(self.data["places"]), "<i2").reshape(-1, 3) / 1000


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.panels: list[Drawn] = []
        self.group = ""

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "svg" and "data-panel" in found:
            assert int(found["data-panel"]) == len(self.panels)
            self.panels.append(Drawn(found["aria-label"]))
        elif tag == "g":
            self.group = found.get("class", "")
        elif tag == "circle":
            self.panels[-1].circles.append(found)
        elif tag == "line":
            (self.panels[-1].ghosts if self.group == "ghosts" else self.panels[-1].lines).append(found)


def read(text: str) -> list[Drawn]:
    """The panels of a page."""
    reader = _Reader()
    reader.feed(text)
    (told,) = re.findall(r'<script type="application/json" id="scene">(.*?)</script>', text, re.DOTALL)
    for panel, data in zip(reader.panels, json.loads(told)["panels"], strict=True):
        panel.data = data
    return reader.panels

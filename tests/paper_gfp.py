"""GFP with the paper's 120 frames, 25 joints and levels over a small network, and a clip for it."""

from typing import Any

import torch
from chance import draw

from skelray.batch import Batch
from skelray.methods.gfp import GFP, GFPConfig
from skelray.rng import generator
from skelray.skeletons import layout

KINECT = layout("kinect25")
SMALL = {"local_hidden": 8, "local_width": 8, "global_hidden": 8, "global_width": 8}


def paper(**settings: Any) -> GFP:
    """The same weights every time."""
    torch.manual_seed(0)
    return GFP(GFPConfig(encoder={"width": 8, "depth": 1, "heads": 2}, **{**SMALL, **settings}), KINECT)


def one_clip() -> Batch:
    """Two bodies that move."""
    present, label = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, dtype=torch.long)
    return Batch([draw(1, 2, 120, 25, 3)], present, label, generator(0, "loss"))

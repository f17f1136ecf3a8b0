"""Every method at toy size, one row each, for the conformance suite and the tests of what serves all methods."""

from typing import Any, NamedTuple

import torch
from conftest import tiny_batch

from skelray import methods
from skelray.batch import Batch
from skelray.method import Method
from skelray.skeletons import Skeleton

ENCODER = {"frames": 8, "patch": 2, "width": 16, "depth": 2, "heads": 2}


class Case(NamedTuple):
    """One method at toy size; `settings` go over ENCODER. All bodies count, so the tiny batch holds 7 of 8."""

    first_loss: float  # at seed 0 on the tiny batch; changes only when the method's mathematics changes
    settings: dict[str, Any]
    encoded: int = 7  # bodies that pass the encoder in one loss, all passes together
    visible: int = 5  # tokens of a body that enter the encoder's body, in its first pass


CASES = {
    "amr": Case(2.101491, {"mask_ratio": 0.75, "coarse": 2, "windows": (2, 4), "decoder_depth": 1}),
    "gfp": Case(
        7.924976,
        {
            "mask_ratio": 0.75,
            "kernels": (2, 4),
            "local_hidden": 32,
            "global_hidden": 32,
            "local_width": 16,
            "global_width": 16,
        },
    ),
    "macdiff": Case(2.067922, {"mask_ratio": 0.75, "decoder_depth": 1}),
    "mamp": Case(2.200316, {"mask_ratio": 0.75, "decoder_depth": 1}),
    "sjepa": Case(17.367290, {"mask_ratio": 0.75, "decoder_depth": 1}),
    "skeletonmae": Case(2.179238, {"mask_ratio": 0.75, "decoder_depth": 1}),
    "slim": Case(
        9.421366,
        {
            "local": ((4, 0.3, 0.7, 1), (2, 0.1, 0.4, 1)),
            "tube_minimum": 2.0,
            "prototypes": 32,
            "head_width": 32,
            "bottleneck": 16,
        },
        encoded=6 * 7,  # two globals and four locals
        visible=1 + 4 + 20,  # class token, registers, and every token: hidden ones are replaced
    ),
    "umd": Case(1.481210, {"mask_ratio": 0.75, "decoder_depth": 1}, visible=4 + 11),  # registers, of noised bodies
}


def build(name: str, skeleton: Skeleton, **more: Any) -> Method:
    """The method of that row, the same weights every time."""
    torch.manual_seed(0)
    method_class = methods.load(name)
    settings = {"encoder": ENCODER, "bodies": "all", **CASES[name].settings, **more}
    return method_class(method_class.Config(**settings), skeleton)


def batch_for(method: Method, seed: int = 0) -> Batch:
    """The tiny batch in the views that a method wants."""
    return tiny_batch(seed, frames=[view.frames for view in method.cfg.views])

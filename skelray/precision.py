"""Where float32 is kept whatever a training's precision is."""

import torch
from torch import Tensor


def exact(like: Tensor) -> torch.autocast:
    """Inside, products on the device of `like` are not rounded to bfloat16, which turns metres into millimetres.

    A tensor on the meta device, which only has a size, has no autocast of its own and takes the CPU's.
    """
    return torch.autocast("cpu" if like.is_meta else like.device.type, enabled=False)

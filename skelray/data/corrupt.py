"""What may happen to clips between a sensor and an encoder, as pure functions of joints and of drawn numbers.

Each takes and gives joints (N M T V C); the least level changes nothing, bit for bit, and absent bodies stay zeros.
Frames are those after resampling. Chance comes in as numbers, one share for each clip, so that what happens to a clip
depends on that clip alone; more of the same corruption is drawn from the same numbers.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from skelray.data.loader import evenly
from skelray.geometry import rotations, turned

Held = Literal["zeros", "held"]


def without_frames(
    x: Float[Tensor, "N M T V C"], share: float, order: Float[Tensor, "N T"]
) -> Float[Tensor, "N M T V C"]:
    """A share (0..1) of the frames lost, those lowest in `order`, the rest stretched evenly over all T.

    At least one frame is left. Nobody knows that frames were lost: what is left plays at another pace.
    """
    frames = x.shape[2]
    lost = min(round(share * frames), frames - 1)
    if not lost:
        return x
    left = order.argsort(1)[:, lost:].sort(1).values.to(x.device)  # frames that are left, in order
    place = evenly(torch.tensor([left.shape[1]], device=x.device), frames)[0]
    return _between(x, left, place)


def every(x: Float[Tensor, "N M T V C"], nth: int) -> Float[Tensor, "N M T V C"]:
    """Every nth frame alone, as a slower sensor sees it; between them the straight way, after the last one rest."""
    if nth == 1:
        return x
    frames = torch.arange(x.shape[2], device=x.device)
    return _between(x, frames[::nth].expand(len(x), -1), frames / nth)


def without_joints(x: Float[Tensor, "N M T V C"], joints: Sequence[int], how: Held) -> Float[Tensor, "N M T V C"]:
    """Some joints not seen: at the origin, or held where they were in the first frame."""
    if not joints:
        return x
    found = x.clone()
    found[..., list(joints), :] = 0 if how == "zeros" else x[:, :, :1, list(joints)]
    return found


def noisy(
    x: Float[Tensor, "N M T V C"], metres: float, normal: Float[Tensor, "N M T V C"]
) -> Float[Tensor, "N M T V C"]:
    """Every coordinate of every joint off by normal noise of that standard deviation in metres."""
    if not metres:
        return x
    here = x.flatten(2).any(2)[:, :, None, None, None]
    return x + metres * normal.to(x) * here


def seen_from(x: Float[Tensor, "N M T V C"], degrees: float) -> Float[Tensor, "N M T V C"]:
    """Turned about the vertical axis through the origin, y of a Kinect, as if the camera stood elsewhere.

    Raises ValueError for flat clips.
    """
    if x.shape[-1] != 3:
        raise ValueError(f"clips of {x.shape[-1]} coordinates cannot be seen from elsewhere")
    if not degrees:
        return x
    angles = torch.tensor([[0.0, degrees, 0.0]], dtype=torch.float64).deg2rad()
    return turned(x, rotations(angles).to(x).expand(len(x), -1, -1))


def _between(x: Float[Tensor, "N M T V C"], left: Tensor, place: Float[Tensor, " T"]) -> Float[Tensor, "N M T V C"]:
    """Clips read at `place`, counted in the frames that are left (N K), by the straight way between two of them."""
    before = place.long()
    after = (before + 1).clamp(max=left.shape[1] - 1)
    weight = (place - before).to(x.dtype).clamp(max=1)[:, None, None]
    first, second = (
        x.gather(2, left[:, each][:, None, :, None, None].expand_as(x))
        for each in (before.clamp(max=left.shape[1] - 1), after)
    )
    return torch.lerp(first, second, weight)

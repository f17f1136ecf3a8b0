"""What of a body a method looks at: its joints, its bones, or its motion. Pure functions of batches in metres.

A stream is made last of all, of the clip as it is cropped, stretched and augmented, in training and in evaluation
alike. Equations as in MAMP's loader. An absent body stays zeros; the motion of one that comes or goes is a jump.
"""

from jaxtyping import Float
from torch import Tensor

from skelray.data.config import Stream
from skelray.layers.patch import motion
from skelray.skeletons import Skeleton

TOLD: dict[Stream, str] = {
    "joint": "where each joint is",
    "bone": "each joint minus its parent",
    "motion": "where each joint is one frame later minus where it is",
}


def of(x: Float[Tensor, "N M T V C"], stream: Stream, skeleton: Skeleton) -> Float[Tensor, "N M T V C"]:
    """The stream of joints x. The root's bone and the motion of the last frame are zero."""
    match stream:
        case "joint":
            return x
        case "bone":
            return x - x[..., list(skeleton.parents), :]
        case "motion":
            return motion(x.flatten(0, 1)).view_as(x)

"""What a masked method answers, in metres: for people who want to see it, not for its loss."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from skelray.layers.patch import patchify, unpatchify
from skelray.masking import Mask

Normalise = Literal["cell", "axis", "none"]  # targets: within a cell, each axis within a clip, or left in metres


class Reconstruction(NamedTuple):
    """A method's answer for every joint and frame of some bodies."""

    mask: Mask  # what the encoder saw
    predicted: Float[Tensor, "B T V C"]  # metres: coordinates, or how far a joint moves in `stride` frames
    nothing: Float[Tensor, "B T V C"]  # the same when the network answers zero: what the truth's own statistics give
    stride: int  # 0: coordinates; otherwise motion over so many frames
    cell: int  # frames in one predicted cell


def reconstruction(
    mask: Mask,
    predicted: Float[Tensor, "B Q F"],
    truth: Float[Tensor, "B T V C"],
    cell: int,
    normalise: Normalise,
    stride: int = 0,
) -> Reconstruction:
    """Predicted cells of `cell` frames in metres: what standardising took from the truth (mean, spread) is put back."""
    joints = truth.shape[2]
    mean, spread = statistics(truth, cell, normalise)
    predicted, nothing = (
        unpatchify(each.float(), joints, cell) * spread + mean for each in (predicted, torch.zeros_like(predicted))
    )
    return Reconstruction(mask, predicted, nothing, stride, cell)


def statistics(
    truth: Float[Tensor, "B T V C"], cell: int, normalise: Normalise
) -> tuple[Float[Tensor, "B #T #V #C"], Float[Tensor, "B #T #V #C"]]:
    """The mean and spread that a target was standardised with: y = (truth - mean) / spread."""
    truth = truth.float()
    if normalise == "none":
        return torch.zeros_like(truth[:, :1, :1]), torch.ones_like(truth[:, :1, :1])
    if normalise == "axis":
        return truth.mean((1, 2), keepdim=True), (truth.var((1, 2), keepdim=True) + 1e-6).sqrt()
    cells = patchify(truth, cell)
    found = cells.mean(-1, keepdim=True), (cells.var(-1, keepdim=True) + 1e-6).sqrt()
    mean, spread = (unpatchify(each.expand_as(cells), truth.shape[2], cell) for each in found)
    return mean, spread

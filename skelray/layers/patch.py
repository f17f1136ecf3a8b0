"""Skeleton sequence <-> tokens. A token is one joint over a few frames; tokens are numbered time first."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skelray.precision import exact


def patchify(x: Float[Tensor, "B T V C"], frames: int) -> Float[Tensor, "B P F"]:
    """Cut a sequence into cells of one joint x `frames` frames: P = T / frames * V and F = frames * C, frame first."""
    return x.unflatten(1, (-1, frames)).transpose(2, 3).flatten(3).flatten(1, 2)


def unpatchify(cells: Float[Tensor, "B P F"], joints: int, frames: int) -> Float[Tensor, "B T V C"]:
    """The inverse of patchify."""
    return cells.unflatten(1, (-1, joints)).unflatten(3, (frames, -1)).transpose(2, 3).flatten(1, 2)


def motion(x: Float[Tensor, "B T V C"], stride: int = 1) -> Float[Tensor, "B T V C"]:
    """x[t + stride] - x[t] in metres; zero for the last `stride` frames."""
    return torch.cat([x[:, stride:] - x[:, :-stride], torch.zeros_like(x[:, :stride])], dim=1)


def standardise(cells: Float[Tensor, "B P F"]) -> Float[Tensor, "B P F"]:
    """Zero mean and unit variance within each cell: (y - mean) / sqrt(var + 1e-6), var divided by F - 1 (MAE).

    The 1e-6 is in square metres: motion of less than about a millimetre a frame is damped on purpose.
    """
    cells = cells.float()
    return (cells - cells.mean(-1, keepdim=True)) / (cells.var(-1, keepdim=True) + 1e-6).sqrt()


def table(*shape: int) -> nn.Parameter:
    """A learned lookup table, started from a normal of standard deviation 0.02, cut off at -2 and 2."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(*shape), std=0.02))


class Positions(nn.Module):
    """One learned vector per time step plus one per joint."""

    def __init__(self, steps: int, joints: int, width: int):
        super().__init__()
        self.time, self.joint = table(steps, 1, width), table(1, joints, width)

    def forward(self) -> Float[Tensor, "P D"]:
        return (self.time + self.joint).flatten(0, 1)


class PatchEmbedding(nn.Module):
    """Linear embedding of each cell plus its position."""

    def __init__(self, steps: int, joints: int, frames: int, channels: int, width: int):
        super().__init__()
        self.frames = frames
        self.project = nn.Linear(frames * channels, width)  # keeps torch's own start, as the authors' convolution does
        self.positions = Positions(steps, joints, width)

    def forward(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B P D"]:
        with exact(x):
            return self.project(patchify(x, self.frames)) + self.positions()

"""How predictions are compared with their targets."""

from jaxtyping import Bool, Float
from torch import Tensor


def mean_of(error: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """The mean, and zero for a batch in which nobody is present."""
    return error.sum() / max(1, error.numel())


def hidden_error(
    predicted: Float[Tensor, "B P F"], target: Float[Tensor, "B P F"], hidden: Bool[Tensor, "B P"]
) -> Float[Tensor, ""]:
    """Mean squared error over the F numbers of each hidden token (He et al., CVPR 2022)."""
    error = (predicted.float() - target).square().mean(-1)
    return (error * hidden).sum() / hidden.sum().clamp_min(1)

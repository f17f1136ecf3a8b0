"""How predictions are compared with their targets: which tokens count, and how their errors are averaged."""

from jaxtyping import Bool, Float
from torch import Tensor


def counted_bodies(present: Bool[Tensor, "N M"], count_absent: bool) -> Bool[Tensor, " B"]:
    """The bodies that enter a loss: those that are there, or all of them as the authors' code has it."""
    return present.flatten() | count_absent


def mean_over(error: Float[Tensor, "*shape"], counted: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Mean of the counted errors over the whole batch; zero when none counts."""
    weight = counted.to(error.dtype)
    return (error * weight).sum() / weight.sum().clamp_min(1)


def hidden_error(
    predicted: Float[Tensor, "B P F"],
    target: Float[Tensor, "B P F"],
    hidden: Bool[Tensor, "B P"],
    counted: Bool[Tensor, " B"],
) -> Float[Tensor, ""]:
    """Mean squared error over the F numbers of each hidden token of each counted body (He et al., CVPR 2022)."""
    error = (predicted.float() - target).square().mean(-1)
    return mean_over(error, hidden & counted[:, None])

"""Statistics over the rows of the whole batch, on whatever workers they lie.

Gradients through everywhere() are those of one process with the whole batch, once DDP has averaged over the workers.
"""

import torch
from jaxtyping import Float
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather

from skelray.precision import exact


def workers() -> int:
    """How many workers share the batch."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def everywhere(rows: Float[Tensor, "_ D"]) -> Float[Tensor, "_ D"]:
    """The rows of all workers in the order of their ranks, whose numbers of rows may differ."""
    if workers() == 1:
        return rows
    counts = [torch.zeros(1, dtype=torch.long, device=rows.device) for _ in range(workers())]
    distributed.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    longest = max(int(count) for count in counts)
    padded = torch.cat([rows, rows.new_zeros(longest - len(rows), rows.shape[1])])
    return torch.cat([part[: int(count)] for part, count in zip(all_gather(padded), counts, strict=True)])


def mean_row(rows: Float[Tensor, "_ D"]) -> Float[Tensor, " D"]:
    """The mean over the rows of all workers, without gradient; zero when there are none."""
    total = torch.cat([rows.detach().float().sum(0), rows.new_tensor([len(rows)]).float()])
    if workers() > 1:
        distributed.all_reduce(total)
    return total[:-1] / total[-1].clamp_min(1)


def variance_hinge(rows: Float[Tensor, "_ D"], spread: float = 1.0, eps: float = 1e-4) -> Float[Tensor, ""]:
    """mean over channels of max(0, spread - sqrt(var + eps)), var over rows (VICReg, ICLR 2022, Eq. 1).

    0 for fewer than two rows, which have no variance.
    """
    rows = everywhere(rows.float())
    if len(rows) < 2:
        return rows.sum() * 0
    return (spread - (rows.var(0) + eps).sqrt()).clamp_min(0).mean()


def covariance_penalty(rows: Float[Tensor, "_ D"]) -> Float[Tensor, ""]:
    """sum of the squared off-diagonal covariances, divided by the channels (VICReg, ICLR 2022, Eq. 3-4)."""
    rows = everywhere(rows.float())
    if len(rows) < 2:
        return rows.sum() * 0
    rows = rows - rows.mean(0)
    with exact(rows):  # small differences of large numbers
        covariance = rows.mT @ rows / (len(rows) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / rows.shape[1]


@torch.no_grad()
def sinkhorn(logits: Float[Tensor, "R K"], iterations: int = 3) -> Float[Tensor, "R K"]:
    """Rows of logits (already divided by a temperature) -> rows that sum to 1 and use all K columns alike.

    Sinkhorn-Knopp over the rows of all workers (Caron et al., NeurIPS 2020, as DINOv2 has it). Float32 throughout;
    the largest logit is taken off first, so that no exponential overflows.
    """
    logits = logits.float()
    count, peak = (
        logits.new_tensor([len(logits)]),
        logits.amax().reshape(1) if len(logits) else logits.new_full((1,), -torch.inf),
    )
    if workers() > 1:
        distributed.all_reduce(count)
        distributed.all_reduce(peak, distributed.ReduceOp.MAX)
    share = (logits - peak).exp()
    for _ in range(iterations):
        columns = share.sum(0)
        if workers() > 1:
            distributed.all_reduce(columns)
        share = share / (columns.clamp_min(1e-30) * logits.shape[1])
        share = share / (share.sum(1, keepdim=True).clamp_min(1e-30) * count)
    return share * count


def koleo(rows: Float[Tensor, "R D"], eps: float = 1e-8) -> Float[Tensor, ""]:
    """-mean log of the distance to the nearest other row, rows of length 1 (Sablayrolles et al., ICLR 2019).

    Of this worker's rows alone, as DINOv2 has it; 0 for fewer than two rows.
    """
    if len(rows) < 2:
        return rows.sum() * 0
    rows = torch.nn.functional.normalize(rows.float(), dim=1, eps=eps)
    with torch.no_grad(), exact(rows):  # in bfloat16 all neighbours are alike
        nearest = (rows @ rows.mT).fill_diagonal_(-1).argmax(1)
    return -((rows - rows[nearest]).norm(dim=1) + eps).log().mean()

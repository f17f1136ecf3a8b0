"""What frozen features and tokens tell without any label: how many directions they use, how alike they are.

RankMe      Garrido et al., ICML 2023, https://arxiv.org/abs/2210.02885: exp of the entropy of the shares
            p_k = sigma_k / sum of sigma + 1e-7 of the singular values of the features, which are not centred.
            At most the smaller of clips and width.
spread      Chen and He, CVPR 2021, https://arxiv.org/abs/2011.10566: standard deviation over clips of each number of
            the features of length 1, its mean times the root of the width. 1 pointing everywhere, 0 collapsed.
token       mean cosine between different tokens of a body (over-smoothing: 0 where they are independent), and its
cosine      square over all pairs, a token with itself included, as MacDiff's code penalises it (1 / tokens at least).

Tokens are those of complete bodies, as evaluation takes them, not the few that are visible in training.
"""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

from skelray.data.splits import Indices
from skelray.evaluate.case import Case, Outcome, some
from skelray.evaluate.features import mean_of_present
from skelray.precision import exact
from skelray.schema import Strict
from skelray.train import Diverged

EPSILON = 1e-7  # of RankMe, for features in float32


class Config(Strict):
    """Which clips are looked at."""

    clips: Literal["held_out", "training"] = "held_out"  # held out: validation's; of a final, the test side's
    most: int = Field(2048, ge=2)  # clips, spread evenly over those that there are


def names(cfg: Config) -> list[str]:
    """The metrics."""
    return [f"signals_{name}" for name in ("rankme", "spread", "token_cosine", "token_cosine_squared", "clips")]


def measure(case: Case, cfg: Config) -> Outcome:
    """The signals, each under `signals_`; those of tokens are left out where a body has one token. Raises Diverged."""
    if cfg.clips == "training":
        features, similar = look(case, some(case.training, cfg.most))
    else:
        with case.scored() as clips:
            features, similar = look(case, some(clips, cfg.most))
    found = {"rankme": rankme(features), "spread": spread(features), "clips": float(len(features))}
    if similar is not None:
        found |= zip(("token_cosine", "token_cosine_squared"), similar.double().mean(1).tolist(), strict=True)
    return Outcome({f"signals_{name}": value for name, value in found.items()})


@torch.no_grad()
def look(case: Case, clips: Indices) -> tuple[Float[Tensor, "N D"], Float[Tensor, "2 B"] | None]:
    """A feature a clip, and of each body that is there how alike its tokens are. Raises Diverged."""
    features: list[Tensor] = []
    similar: list[Tensor] = []
    with case.evaluating():
        for batch in case.batches(clips):
            tokens = case.method.pretrained(batch.counted()).float()
            features.append(mean_of_present(tokens.mean(1), batch.present))
            if tokens.shape[1] > 1:
                similar.append(torch.stack(token_similarity(tokens)))
    found = torch.cat(features)
    if not found.isfinite().all():
        raise Diverged("the encoder's features are not finite")
    return found, torch.cat(similar, 1) if similar else None


def rankme(features: Float[Tensor, "N D"]) -> float:
    """How many directions the features use: 1 for features that are all alike, at most min(N, D)."""
    sigma = torch.linalg.svdvals(features.double())
    share = sigma / sigma.sum() + EPSILON
    return float(torch.exp(-(share * share.log()).sum()))


def spread(features: Float[Tensor, "N D"]) -> float:
    """How far features of length 1 spread over clips: about 1 for directions without preference, 0 for one point."""
    unit = normalize(features.double(), dim=1)
    return float(unit.std(0, correction=0).mean() * unit.shape[1] ** 0.5)


def token_similarity(tokens: Float[Tensor, "B P D"]) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """Of each body the mean cosine between two different tokens, and the mean squared cosine over all P^2 pairs.

    Both without the P x P cosines: their sum is the squared length of the sum of the unit tokens, the sum of their
    squares that of either product of the unit tokens with themselves.
    """
    with exact(tokens):
        unit = normalize(tokens.float(), dim=-1)
        count = unit.shape[1]
        total = unit.sum(1).square().sum(-1)
        square = unit.mT @ unit if count > unit.shape[2] else unit @ unit.mT
    own = unit.square().sum((1, 2))  # P, but for tokens that are zero
    return (total - own) / (count * (count - 1)), square.square().sum((1, 2)) / count**2

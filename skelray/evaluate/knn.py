"""Retrieval: a clip takes the class of its nearest labelled neighbours by cosine similarity (k = 1 in the papers).

Exact: every query meets every labelled clip, in chunks of queries. Nothing is fitted, centred or normalised over clips.
"""

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from skelray.evaluate.features import Labelled
from skelray.schema import Strict

CHUNK = 1024  # queries compared at once: bounds the memory, moves no number


class KnnConfig(Strict):
    """How many neighbours vote."""

    k: int = Field(1, ge=1)


def choose(train: Labelled, val: Labelled, cfg: KnnConfig, *, seed: int) -> tuple[dict[str, float], KnnConfig]:
    """Accuracy on validation clips, a share of 1; there is nothing to choose."""
    return {"knn": (predict(train, val.features, cfg, seed=seed) == val.label).double().mean().item()}, cfg


def predict(train: Labelled, query: Float[Tensor, "Q D"], cfg: KnnConfig, *, seed: int) -> Int[Tensor, " Q"]:
    """The class of each query. Of equally similar neighbours the first counts; of equal votes the nearest one's."""
    known = normalize(train.features)
    return torch.cat([_vote(normalize(part) @ known.T, train.label, cfg.k) for part in query.split(CHUNK)])


def _vote(similarity: Float[Tensor, "Q N"], label: Int[Tensor, " N"], k: int) -> Int[Tensor, " Q"]:
    if k == 1:
        return label[similarity.argmax(1)]  # argmax takes the first of equals; topk promises nothing
    nearest = label[similarity.argsort(stable=True, dim=1, descending=True)[:, :k]]
    votes = one_hot(nearest, int(label.max()) + 1).sum(1)
    most = votes.gather(1, nearest)  # how many neighbours agree with each neighbour, nearest first
    return nearest.gather(1, most.argmax(1, keepdim=True)).squeeze(1)

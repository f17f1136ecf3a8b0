"""Retrieval: a clip takes the class of its nearest labelled neighbours by cosine similarity (k = 1 in the papers).

Exact: every query meets every labelled clip, in chunks of queries. Nothing is fitted, centred or normalised over clips.
All k are counted in one pass; "knn" is k = 1, the others are knn_5, knn_10, ...
"""

import warnings
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from skelray.data.splits import Indices
from skelray.evaluate.case import Case, Outcome, Predictions
from skelray.evaluate.features import Labelled
from skelray.schema import Strict

CHUNK = 1024  # queries compared at once: bounds the memory, moves no number
RANKED = 128  # of these, how many are put in order at once


class KnnConfig(Strict):
    """How many neighbours vote."""

    k: tuple[int, ...] = Field((1, 5, 10, 20), min_length=1)  # rising; 1 is always among them

    @field_validator("k", mode="before")
    @classmethod
    def one_number_is_a_list(cls, k: object) -> object:
        if isinstance(k, int):
            return (k,)  # as older configs have it
        return tuple(k) if isinstance(k, list) else k  # strict JSON knows no other way to a tuple from here

    @field_validator("k")
    @classmethod
    def they_rise_from_one(cls, k: tuple[int, ...]) -> tuple[int, ...]:
        if k[0] != 1 or any(more <= less for less, more in pairwise(k)):
            raise ValueError(f"k {list(k)} must rise from 1, which the papers report, as [1, 5, 10, 20] does")
        return k


def names(cfg: KnnConfig) -> list[str]:
    """The metrics that are asked for."""
    return [_name(k) for k in cfg.k]


def measure(case: Case, cfg: KnnConfig) -> Outcome:
    """Accuracy for each k; a k above the number of labelled clips is left out with a warning."""
    known = case.features(case.training)
    if beyond := [k for k in cfg.k if k > len(known)]:
        left = ", ".join(map(str, beyond))
        warnings.warn(f"knn: k {left} left out: there are {len(known)} labelled clips", stacklevel=2)
    seen: dict[bytes, Int[Tensor, "Q K"]] = {}

    def answer(clips: Indices, k: int) -> Int[Tensor, " Q"]:
        if (key := clips.tobytes()) not in seen:
            most = max(each for each in cfg.k if each <= len(known))
            seen[key] = neighbours(known, case.features(clips).features, most)
        return vote(seen[key][:, :k])

    metrics, told = dict[str, float](), dict[str, Predictions]()
    for k in cfg.k:
        if k <= len(known):
            found = case.score(_name(k), lambda clips, k=k: answer(clips, k))  # type: ignore[misc]
            metrics |= found.metrics
            told |= found.predictions
    return Outcome(metrics, told)


def neighbours(train: Labelled, query: Float[Tensor, "Q D"], most: int) -> Int[Tensor, "Q {most}"]:
    """The classes of the nearest clips, nearest first; of equally similar ones the first comes first."""
    known = normalize(train.features)
    near = [
        train.label[_nearest(some, most)]
        for part in query.split(CHUNK)
        for some in (normalize(part) @ known.T).split(RANKED)
    ]
    return torch.cat(near) if near else train.label.new_empty(0, most)


def vote(nearest: Int[Tensor, "Q K"]) -> Int[Tensor, " Q"]:
    """The most frequent class; of equally frequent ones the nearest clip's."""
    votes = one_hot(nearest, int(nearest.max()) + 1).sum(1)
    most = votes.gather(1, nearest)  # how many neighbours agree with each neighbour, nearest first
    return nearest.gather(1, most.argmax(1, keepdim=True)).squeeze(1)


def _nearest(similarity: Float[Tensor, "Q N"], most: int) -> Int[Tensor, "Q {most}"]:
    """Places of the largest numbers of each row, of equal ones the first: topk alone promises no order of equals.

    Each number becomes an integer that sorts alike (a float's bits do, but for the sign), followed by its place.
    """
    bits = (similarity.float() + 0.0).view(torch.int32)  # + 0: -0 and 0 are equal
    rising = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    place = torch.arange(similarity.shape[1], device=similarity.device)
    return ((rising << 32) - place).topk(most, dim=1).indices


def _name(k: int) -> str:
    return "knn" if k == 1 else f"knn_{k}"

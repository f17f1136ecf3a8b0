"""Frozen features of whole clips: what every protocol starts from, computed once and cached.

Departures from the authors: absent bodies are left out of the mean (their code averages the zeros of an absent second
body in), and features are those of un-augmented test views, so that one pass of the encoder serves all epochs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skelray.batch import Batch
from skelray.train import Diverged

Encode = Callable[[Tensor], Tensor]  # B T V C in metres -> B P D; a method's `pretrained`


@dataclass(frozen=True, slots=True)
class Labelled:
    """Clips as a protocol sees them: one feature and one label each, in the order they were asked for."""

    features: Float[Tensor, "N D"]  # float32, on the device of the encoder
    label: Int[Tensor, " N"]

    def __len__(self) -> int:
        return len(self.label)

    def where(self, chosen: np.ndarray) -> "Labelled":
        """The clips for which a boolean array is true."""
        mask = torch.from_numpy(chosen).to(self.label.device)
        return Labelled(self.features[mask], self.label[mask])


def extract(encode: Encode, batches: Iterable[Batch], joints: int | None = None) -> Labelled:
    """One feature a clip, in the order of the batches; draws no random number and keeps no gradient.

    `joints`: how many there are, where each keeps its own numbers. Raises Diverged when a feature is not finite: such
    an encoder has no accuracy.
    """
    features, label = [], []
    with torch.no_grad():
        for batch in batches:
            features.append(of_clips(encode, batch, joints))
            label.append(batch.label)
    known = Labelled(torch.cat(features), torch.cat(label))
    if not known.features.isfinite().all():
        raise Diverged("the encoder's features are not finite")
    return known


def of_clips(encode: Encode, batch: Batch, joints: int | None = None) -> Float[Tensor, "N F"]:
    """Mean over the tokens of a body, then over the bodies that are present; absent bodies are not even encoded."""
    present = batch.present
    return mean_of_present(pooled(encode(batch.bodies()[present.flatten()]).float(), joints), present)


def pooled(tokens: Float[Tensor, "K P D"], joints: int | None) -> Float[Tensor, "K F"]:
    """The mean over all tokens (F = D), or over time alone with the V = `joints` joints side by side (F = V * D)."""
    return tokens.mean(1) if joints is None else tokens.unflatten(1, (-1, joints)).mean(1).flatten(1)


def mean_of_present(bodies: Float[Tensor, "K D"], present: Bool[Tensor, "N M"]) -> Float[Tensor, "N D"]:
    """Average the features of the K present bodies, listed clip by clip, over each clip."""
    spread = bodies.new_zeros(present.numel(), bodies.shape[1])
    spread[present.flatten()] = bodies
    return spread.unflatten(0, present.shape).sum(1) / present.sum(1, keepdim=True)

"""How the coordinates of a clip differ from those of another, by how little explains it: the same bits; float16
rounding; another origin; an origin and a heading; a size too; a mirror. What a preparation did becomes visible so."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from skelray.data import tracks

WAYS = {  # how coordinates of a clip differ -> in words, from the least to the most
    "equal": "equal to the last bit",
    "float16": "equal up to float16",
    "close": "equal within the tolerance",
    "moved": "another origin",
    "turned": "another origin and heading",
    "scaled": "another origin, heading and size",
    "mirrored": "a mirror image",
    "other": "different in another way",
    "frames": "another number of frames",
    "bodies": "another number of bodies",
    "unseen": "bodies seen in other frames",
    "layout": "no joint of the same name",
}
FAR = 65504.0  # as far as float16 reaches


class Difference(NamedTuple):
    """One of WAYS, and the numbers that go with it."""

    way: str
    left: float = 0.0  # the largest distance of a joint that this way leaves open
    size: float = 1.0  # how many times as large the second clip is


def difference(
    one: Float32[np.ndarray, "M T V C"], other: Float32[np.ndarray, "M T V C"], tolerance: float
) -> Difference:
    """The least of WAYS that brings one clip to within `tolerance` of the other, in their units."""
    if np.array_equal(one, other):
        return Difference("equal")
    if max(np.abs(one).max(), np.abs(other).max()) < FAR and np.array_equal(one.astype("f2"), other.astype("f2")):
        return Difference("float16")
    unseen = ~tracks.nonzero(one).any(-1)
    if not np.array_equal(unseen, ~tracks.nonzero(other).any(-1)):
        return Difference("unseen")
    # A single joint at zero stays in: it may be an origin.
    ways = explained(*(each[~unseen].reshape(-1, each.shape[-1]).astype(np.float64) for each in (one, other)))
    fitting = (each for each in ways if each.left <= tolerance)
    return next(fitting, Difference("other", min(each.left for each in ways)))


def explained(one: Float64[np.ndarray, "N C"], other: Float64[np.ndarray, "N C"]) -> list[Difference]:
    """Every way to bring `one` to `other`, each done as closely as can be, from the least to the most.

    Least squares after Kabsch and Umeyama: the best turn comes from the singular vectors of the covariance.
    """
    a, b = one - one.mean(0), other - other.mean(0)
    left, strength, right = np.linalg.svd(a.T @ b)
    hand = np.ones(len(strength))
    hand[-1] = np.sign(np.linalg.det(left @ right)) or 1.0  # a turn keeps left and right apart, a mirror does not
    turn, mirror = (left * hand) @ right, (left * np.append(hand[:-1], -hand[-1])) @ right
    size = float((strength * hand).sum() / max((a**2).sum(), 1e-30))
    tried = {"close": (one, other), "moved": (a, b), "turned": (a @ turn, b)}
    tried |= {"scaled": (size * a @ turn, b), "mirrored": (a @ mirror, b)}
    return [
        Difference(way, float(np.linalg.norm(x - y, axis=-1).max()), size if way == "scaled" else 1.0)
        for way, (x, y) in tried.items()
    ]

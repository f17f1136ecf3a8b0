"""What a generative method makes, held against clips that it has not seen.

mpjpe       mean distance of a joint to where it is in a sample that is conditioned on the clip, in millimetres
frechet     ||m - m'||^2 + tr(S + S' - 2 (S S')^(1/2)) between Gaussians through the features of made and of held-out
            bodies (Heusel et al., NeurIPS 2017, https://arxiv.org/abs/1706.08500). `frechet_training` is the same of as
            many training bodies: where a perfect method would stand, for other subjects also move otherwise
bones       how much a bone's length varies over time, as a share of it, and the mean length made over real

The features are those of no trained network: mean place, standard deviation over time and length of path of each joint,
at 32 frames, each as a deviation from the training bodies in their standard deviations. What hardly varies there (a hip
that every frame is centred on) is divided by a tenth of the middle deviation of its kind: its noise is not everything.
The features are the same for every method on a store, hence comparable between methods; not between stores, nor with
figures that are published.
Frechet distances fall with the number of bodies: compare them at equal `clips`.

Bodies are made from noise alone, and once more from what the method sees of each held-out one where it can do that
(`_conditional`, mpjpe). One unit is a body.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from skelray.batch import Batch
from skelray.data import facts
from skelray.data.loader import Pool
from skelray.errors import BadInput
from skelray.evaluate.case import Case, Outcome, some
from skelray.method import Method
from skelray.rng import generator
from skelray.schema import Strict
from skelray.skeletons import Skeleton
from skelray.train import Diverged

FRAMES = 32  # at which bodies are described, whatever a method's number
NO_BONE = 1e-6  # metres: joints that lie on each other are not joined by a bone
LEAST = 0.1  # of the middle standard deviation of a kind: what hardly varies is not divided by less


class Config(Strict):
    """How many bodies are made, and with how much care."""

    clips: int = Field(128, ge=2)  # held-out clips, spread evenly; as many bodies are made as they show
    steps: int = Field(25, ge=1)  # of sampling


def names(cfg: Config) -> list[str]:
    """The metrics that every generative method has."""
    told = ("frechet", "frechet_training", "bone_variation", "bone_variation_real", "bone_ratio")
    return [f"generation_{name}" for name in told]


def measure(case: Case, cfg: Config) -> Outcome:
    """The figures, each under `generation_`. Raises BadInput for a method that generates nothing, Diverged."""
    refuse(case.method, case.pool, cfg)
    skeleton, method = case.pool.skeleton, case.method
    with case.evaluating():
        training = torch.cat([batch.counted().cpu() for batch in case.batches(some(case.training, cfg.clips))])
        with case.scored() as clips:
            chosen = some(clips, cfg.clips)
            real = torch.cat([batch.counted().cpu() for batch in case.batches(chosen)])
            made = {"": freely(method, real, case.size, draw_of(case, "freely"), steps=cfg.steps)}
            if conditional(method, case.pool):
                pairs = again(method, case.batches(chosen), draw_of(case, "again"), steps=cfg.steps)
                made["_conditional"] = torch.cat([one.cpu() for _, one in pairs])
    if not all(each.isfinite().all() for each in made.values()):
        raise Diverged("the clips that are generated are not finite")
    scale = Scale(training)
    found: dict[str, float] = {}
    for kind, each in made.items():
        variation, ratio = bones(each, real, skeleton)
        told = {"frechet": frechet(scale(each), scale(real)), "bone_variation": variation, "bone_ratio": ratio}
        found |= {name + kind: value for name, value in told.items()}
    alike = training[some(np.arange(len(training)), len(real))]
    found["frechet_training"] = frechet(scale(alike), scale(real))
    found["bone_variation_real"] = bones(real, real, skeleton)[0]
    if "_conditional" in made and facts.aside(case.pool.store)["units"] == "metres":
        found["mpjpe_mm"] = millimetres(made["_conditional"], real).double().mean().item()
    return Outcome({f"generation_{name}": value for name, value in found.items()})


def refuse(method: Method, pool: Pool, cfg: Config) -> None:
    """Raise BadInput for a method that generates nothing, and for a stream that has no joints."""
    if pool.stream != "joint":
        raise BadInput(f"generation: the stream {pool.stream} has no joints that could be compared; it needs joint")
    sampler(method)


def draw_of(case: Case, what: str) -> torch.Generator:
    """The noise of one kind of samples."""
    return generator(case.seed, "generation", what, device=case.pool.device)


def sampler(method: Method) -> Any:
    """The `generate` of a method. Raises BadInput where it has none."""
    found: Any = getattr(method, "generate", None)
    if found is None:
        raise BadInput(f"{method.cfg.name} generates no clips, so none can be compared with held-out ones")
    return found


def conditional(method: Method, pool: Pool) -> bool:
    """Whether a method can generate a clip again from what it sees of it: it is asked for a body in one step."""
    try:
        try_again(method, pool)
    except BadInput:
        return False
    return True


@torch.no_grad()
def try_again(method: Method, pool: Pool) -> None:
    """Let a method generate a body again, in one step. Raises BadInput, in its words, where it cannot."""
    x = torch.zeros(1, method.cfg.encoder.frames, len(pool.skeleton.joints), pool.skeleton.channels, device=pool.device)
    sampler(method)(x, 1, generator(0, "reconstruction", device=pool.device), steps=1)


@torch.no_grad()
def again(
    method: Method, batches: Iterable[Batch], draw: torch.Generator, **settings: int
) -> Iterator[tuple[Float[Tensor, "B T V C"], Float[Tensor, "B T V C"]]]:
    """The bodies of each batch that are there, and each as it is generated from what the method sees of it."""
    for batch in batches:
        x = batch.counted()
        yield x, sampler(method)(x, len(x), draw, **settings)


@torch.no_grad()
def freely(
    method: Method, like: Float[Tensor, "B T V C"], size: int, draw: torch.Generator, **settings: int
) -> Float[Tensor, "B T V C"]:
    """As many bodies made of noise, `size` at once."""
    return torch.cat([sampler(method)(None, len(part), draw, **settings).cpu() for part in like.split(size)])


def millimetres(made: Float[Tensor, "B T V C"], real: Float[Tensor, "B T V C"]) -> Float[Tensor, " B"]:
    """Mean distance of a joint to where it is, of each body."""
    return 1000 * (made - real).norm(dim=-1).mean((1, 2))


def kinematics(x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B F"]:
    """Of each joint its mean place, its standard deviation over time and the length of its path; in metres, double."""
    course = interpolate(x.double().flatten(2).mT, FRAMES, mode="linear").unflatten(1, x.shape[2:])  # B V C T
    path = course.diff(dim=-1).norm(dim=2).sum(-1)
    return torch.cat([course.mean(-1).flatten(1), course.std(-1, correction=0).flatten(1), path], 1)


class Scale:
    """Kinematics as deviations from those of some bodies, in their standard deviations."""

    def __init__(self, bodies: Float[Tensor, "B T V C"]):
        known = kinematics(bodies)
        self.mean, deviation = known.mean(0), known.std(0, correction=0)
        places = bodies.shape[2] * bodies.shape[3]
        kinds = deviation.split([places, places, bodies.shape[2]])
        self.deviation = torch.cat([each.clamp_min(max(1e-9, LEAST * each.median().item())) for each in kinds])

    def __call__(self, bodies: Float[Tensor, "B T V C"]) -> Float[np.ndarray, "B F"]:
        found: NDArray[np.float64] = ((kinematics(bodies) - self.mean) / self.deviation).numpy()
        return found


def frechet(one: Float[np.ndarray, "N F"], other: Float[np.ndarray, "M F"]) -> float:
    """The Frechet distance between Gaussians with the means and covariances of two sets of features.

    The root's trace is that of the symmetric S^(1/2) S' S^(1/2), which has the same eigenvalues as S S'.
    """
    apart = ((one.mean(0) - other.mean(0)) ** 2).sum()
    first, second = (np.atleast_2d(np.cov(each, rowvar=False, ddof=1)) for each in (one, other))
    values, axes = np.linalg.eigh(first)
    root = (axes * np.sqrt(values.clip(min=0))) @ axes.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(min=0)).sum()
    return max(0.0, float(apart + np.trace(first) + np.trace(second) - 2 * shared))


def bones(made: Float[Tensor, "B T V C"], real: Float[Tensor, "B T V C"], skeleton: Skeleton) -> tuple[float, float]:
    """How much the length of a bone varies over a made clip, as a share of it; and its mean length, made over real.

    Both are means over bones, joints that lie on each other in the real clips left out; nan where no bone is left.
    """
    joint, parent = torch.tensor(skeleton.bones).view(-1, 2).T
    length, truth = ((x[:, :, joint] - x[:, :, parent]).double().norm(dim=-1) for x in (made, real))
    mean = truth.mean((0, 1))
    kept = mean > NO_BONE
    varies = length.std(1, correction=0) / length.mean(1).clamp_min(NO_BONE)
    return varies[:, kept].mean().item(), (length.mean((0, 1)) / mean)[kept].mean().item()

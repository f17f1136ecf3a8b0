"""What is left of the linear probe's accuracy when the clips to be scored are corrupted; it was fitted on clean ones.

One curve a corruption: [{level, accuracy}, ...], the clean clips first. A metric is the mean over the other levels
(as Hendrycks and Dietterich, ICLR 2019, https://arxiv.org/abs/1903.12261, take it over severities), `robustness` the
mean over curves. What happens to a clip depends on the seed and on that clip, and a higher level is more of the same.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pydantic import field_validator
from torch import Tensor

from skelray.data import corrupt, facts
from skelray.data.corrupt import Held
from skelray.data.loader import Change, Pool
from skelray.data.splits import Indices
from skelray.errors import BadInput
from skelray.evaluate import frozen, linear
from skelray.evaluate.case import Case, Outcome, Point
from skelray.evaluate.features import Labelled, extract
from skelray.evaluate.linear import Recipe
from skelray.method import Method
from skelray.rng import generator
from skelray.schema import Strict

CLEAN = {"dropped_frames": 0, "frame_rate_divisor": 1, "joint_noise_metres": 0, "view_degrees": 0}
Levels = dict[Any, Change | None]  # level -> what is done to the clips; None: nothing


class Config(Strict):
    """The levels of each corruption, the clean one first; () leaves a corruption out."""

    dropped_frames: tuple[float, ...] = (0, 0.2, 0.4, 0.6, 0.8)  # share; the rest is stretched over the clip
    frame_rate_divisor: tuple[int, ...] = (1, 2, 4, 8)  # of the clip as it is resampled
    occluded: tuple[Held, ...] = ("zeros", "held")  # one body part after the other; at the origin, or held still
    joint_noise_metres: tuple[float, ...] = (0, 0.01, 0.02, 0.05, 0.1)  # standard deviation of each coordinate
    view_degrees: tuple[float, ...] = (0, 15, 30, 45, 60, 75, 90)  # about the vertical
    linear: Recipe = Recipe()  # in its fast form

    @field_validator(*CLEAN)
    @classmethod
    def levels_begin_clean_and_rise(cls, levels: tuple[float | int, ...], info: Any) -> tuple[float | int, ...]:
        clean, told = CLEAN[info.field_name], list(levels)
        if levels and levels[0] != clean:
            raise ValueError(f"{told} must begin with {clean}, the clean clips")
        if len(levels) == 1:
            raise ValueError(f"{told} has nothing beyond the clean clips; [] leaves it out")
        if list(levels) != sorted(set(levels)):
            raise ValueError(f"{told} must rise")
        if info.field_name == "dropped_frames" and levels and levels[-1] >= 1:
            raise ValueError(f"{told} must stay below 1: a clip keeps a frame")
        return levels


def names(cfg: Config) -> list[str]:
    """The metrics, where the data serve every corruption."""
    curves = [*(name for name in CLEAN if getattr(cfg, name)), *(f"occluded_{how}" for how in cfg.occluded)]
    return ["robustness", *(f"robustness_{name}" for name in curves)]


def refuse(method: Method, pool: Pool, cfg: Config) -> None:
    """Raise BadInput where nothing that is asked for can be done to the clips."""
    with warnings.catch_warnings(record=True) as told:  # what is left out is told when the rest is measured
        asked = corruptions(pool, 0, cfg)
    if not asked:
        for each in told:
            warnings.warn(each.message, stacklevel=2)
        raise BadInput(f"robustness: nothing that is asked for can be done to the clips of {pool.store.name}")


def fewest(case: Case) -> Indices:
    """The clips that the probe's learning rate is chosen with."""
    return linear.fewest(case)


def measure(case: Case, cfg: Config) -> Outcome:
    """A curve for each corruption that the data can serve. Raises BadInput where that is none of them, Diverged."""
    refuse(case.method, case.pool, cfg)
    asked = corruptions(case.pool, case.seed, cfg)
    known, settled = frozen.settled(linear, case, cfg.linear)
    heads = linear.fit(known, settled, seed=case.seed)
    with case.scored() as clips, case.evaluating():
        label = case.pool.label[torch.as_tensor(clips)].to(known.label.device)

        def accuracy(change: Change | None) -> float:
            told = case.features(clips) if change is None else seen_through(case, clips, change)
            return float((heads.classes(told.features)[0] == label).double().mean())

        curves: dict[str, list[Point]] = {
            name: [{"level": level, "accuracy": accuracy(change)} for level, change in levels.items()]
            for name, levels in asked.items()
        }
    means = {name: sum(point["accuracy"] for point in curve[1:]) / (len(curve) - 1) for name, curve in curves.items()}
    metrics = {"robustness": sum(means.values()) / len(means)}
    return Outcome(metrics | {f"robustness_{name}": mean for name, mean in means.items()}, curves=curves)


def corruptions(pool: Pool, seed: int, cfg: Config) -> dict[str, Levels]:
    """What is done to the clips, by curve and level. What the data cannot serve is left out with a warning."""
    skeleton = pool.skeleton
    metres, parts = facts.aside(pool.store)["units"] == "metres", skeleton.parts
    found: dict[str, Levels] = {
        "dropped_frames": {share: lost(seed, share) for share in cfg.dropped_frames},
        "frame_rate_divisor": {nth: slower(nth) for nth in cfg.frame_rate_divisor},
        "joint_noise_metres": {deviation: noise(seed, deviation) for deviation in cfg.joint_noise_metres},
        "view_degrees": {angle: elsewhere(angle) for angle in cfg.view_degrees},
    }
    for how in cfg.occluded:
        found[f"occluded_{how}"] = {"none": None, **{name: hidden(part, how) for name, part in parts.items()}}
    for name, clean in CLEAN.items():
        found[name] = {level: None if level == clean else change for level, change in found[name].items()}
    lacking = {"view_degrees": f"its joints have {skeleton.channels} coordinates"} if skeleton.channels != 3 else {}
    lacking |= {} if metres else {"joint_noise_metres": "its joints are not in metres"}
    lacking |= {} if parts else {f"occluded_{how}": "its layout names no body parts" for how in cfg.occluded}
    for name, why in lacking.items():
        if found.pop(name):
            warnings.warn(f"robustness: {name} is left out: {pool.store.name} cannot serve it, {why}", stacklevel=3)
    return {name: levels for name, levels in found.items() if levels}


def lost(seed: int, share: float) -> Change:
    """A share of the frames lost."""
    return lambda x, which: corrupt.without_frames(x, share, drawn(torch.rand, x.shape[2:3], seed, "frames", which))


def noise(seed: int, metres: float) -> Change:
    """Every joint off by so much."""
    return lambda x, which: corrupt.noisy(x, metres, drawn(torch.randn, x.shape[1:], seed, "noise", which))


def slower(nth: int) -> Change:
    """Every nth frame alone."""
    return lambda x, _: corrupt.every(x, nth)


def elsewhere(degrees: float) -> Change:
    """Seen from elsewhere."""
    return lambda x, _: corrupt.seen_from(x, degrees)


def hidden(part: Sequence[int], how: Held) -> Change:
    """A body part not seen."""
    return lambda x, _: corrupt.without_joints(x, part, how)


def drawn(kind: Callable[..., Tensor], shape: torch.Size, seed: int, what: str, which: Tensor) -> Tensor:
    """Numbers for each of the clips, each clip's own whatever the batch."""
    return torch.stack([kind(shape, generator=generator(seed, "robustness", what, clip)) for clip in which.tolist()])


def seen_through(case: Case, clips: Indices, change: Change) -> Labelled:
    """Frozen features of changed clips."""
    return extract(case.method.pretrained, case.batches(clips, change))

"""Does every end of a search train? One step of the real loop on made-up bodies at each, at the sweep's own size."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from skelray import methods
from skelray.batch import Batch, View
from skelray.data import locate, store
from skelray.errors import BadInput
from skelray.rng import generator
from skelray.skeletons import Skeleton, layout
from skelray.sweep.config import Plan
from skelray.train import Diverged, TrainConfig, train
from skelray.trial_config import TrialConfig

CLIPS, BODIES = 2, 2  # the second body of each clip is absent
FALLBACK = "kinect25"


@dataclass(frozen=True, slots=True)
class End:
    """What became of one end of one dimension; `dimension` is "" for the settings alone."""

    method: str
    dimension: str
    key: str  # of the end, as the file has it: low, high, values.0
    value: Any
    seconds: float
    fault: str  # "" when it trains


class Walks:
    """Made-up bodies that wander about 2 cm a frame; implements `batch.Source`."""

    clips = CLIPS

    def __init__(self, views: tuple[View, ...], skeleton: Skeleton):
        self.views, self.skeleton = views, skeleton

    def batch(self, step: int, size: int) -> Batch:
        draw = generator(0, "check", step)
        present = torch.tensor([[True, *[False] * (BODIES - 1)]]).expand(size, -1)
        looks = []
        for view in self.views:
            shape = size, BODIES, view.frames, len(self.skeleton.joints), self.skeleton.channels
            walk = torch.randn((*shape[:2], 1, *shape[3:]), generator=draw) / 2
            walk = walk + 0.02 * torch.randn(shape, generator=draw).cumsum(2)
            looks.append(walk * present[:, :, None, None, None])
        return Batch(looks, present, torch.zeros(size, dtype=torch.long), generator(0, "loss", step))


def skeleton_of(plan: Plan) -> tuple[Skeleton, str]:
    """The joints of the sweep's store, and a sentence that says where they come from."""
    name = next(plan.trial(method, {}).data.store for method in plan.spaces)
    try:
        opened = store.open(locate.find(name))
    except BadInput:
        return layout(FALLBACK), f"the store {name} is not here: with the {FALLBACK} layout"
    return opened.skeleton, f"with the joints of {name} ({opened.skeleton.name})"


def ends(plan: Plan, skeleton: Skeleton) -> Iterator[End]:
    """Each method at its settings alone and at both ends of every dimension, or at the points of a listed question.

    Equal methods train once.
    """
    for method, space in plan.spaces.items():
        known: dict[str, str] = {}
        wanted: list[tuple[str, str, Any, dict[str, Any]]] = [("", "", None, {})]
        if plan.sweep.only_points:
            wanted = [(f"points.{number}", "", point, point) for number, point in enumerate(space.points)]
        for name in space.search if not plan.sweep.only_points else ():
            around = space.setting(name)
            wanted += [(name, key, value, {**around, name: value}) for key, value in space.search[name].ends.items()]
        for name, key, value, values in wanted:
            begun = time.perf_counter()
            try:
                trial = plan.trial(method, values)
                text = trial.method.model_dump_json()
                if text not in known:
                    known[text] = fault(trial, skeleton)
                said = known[text]
            except BadInput as error:
                said = str(error)
            yield End(method, name, key, value, time.perf_counter() - begun, said)


def fault(trial: TrialConfig, skeleton: Skeleton) -> str:
    """Why the first step of a trial goes wrong, in one line; "" when loss and gradients are finite numbers."""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(trial.seed)
            model = methods.load(trial.method.name)(trial.method, skeleton)
            length = TrainConfig(clips=CLIPS, batch=CLIPS, reports=1)
            # a rate above 0 from the first step on: a gradient that is none spoils the weights
            optim = trial.optim.model_copy(update={"warmup": 0.0})
            train(model, Walks(trial.method.views, skeleton), length, optim, seed=trial.seed)
    except (BadInput, Diverged) as error:
        return str(error)
    except Exception as error:  # whatever a method does wrong, the other ends are still worth knowing
        return " ".join(f"{type(error).__name__}: {error}".split())[:400]
    spoilt = [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
    return f"after one step {spoilt[0]} is not finite" if spoilt else ""

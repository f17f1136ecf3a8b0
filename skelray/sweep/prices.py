"""What the training of a trial costs: FLOPs counted as `skelray.cost` counts them, or device-seconds as calibrated.

FLOPs are those of forward and backward together: three forward passes, of a teacher one. One clip costs as much as the
bodies of it that train: one, or the mean over the training clips of those that are there (all with count_absent).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from pydantic import Field

from skelray import cost, methods
from skelray.data.splits import Selection
from skelray.data.store import Store
from skelray.events import Kind, State
from skelray.method import MethodConfig
from skelray.schema import Strict
from skelray.skeletons import Skeleton
from skelray.sweep.budget import Price, noticed
from skelray.sweep.config import Plan
from skelray.sweep.preflight import Placement
from skelray.trial_config import TrialConfig

CLIPS = 2  # counted at once: of their four bodies a quarter is whole, as UMD's share of clean ones may be


class Pace(Strict):
    """How fast a method trains on the device that trains it, measured once; seconds of the whole trial's devices."""

    clip: float = Field(gt=0)  # seconds a clip, of one optimiser step after the first ones
    look: float = Field(ge=0)  # seconds of one validation
    start: float = Field(ge=0)  # seconds before the first step
    flops: float = Field(gt=0)  # of one clip of the trial that was measured
    device: str  # what it ran on


@dataclass(frozen=True, slots=True)
class Spent:
    """What a trial used, in all three units."""

    clips: int
    flops: float
    device_seconds: float


@dataclass
class Meter:
    """Counts what trials on one data set cost; implements `budget.Prices`."""

    skeleton: Skeleton
    bodies: float  # of a training clip, on average
    most_bodies: int  # of any clip
    epoch: int  # training clips
    devices: Mapping[Kind, float]  # of one trial: shares of GPUs, or CPU cores where it has no GPU
    unit: str = "flops"
    paces: dict[str, Pace] = field(default_factory=dict)  # by method; needed for seconds alone
    _known: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan, opened: Store, selection: Selection, placements: tuple[Placement, Placement]) -> "Meter":
        """The meter of a sweep on its store; `placements` of trials and of finals."""
        search, final = (float(place.workers * (place.gpus or place.cpus)) for place in placements)
        return cls(
            skeleton=opened.skeleton,
            bodies=float(opened.bodies[selection.train].mean()),
            most_bodies=int(opened.bodies.max()),
            epoch=len(selection.train),
            devices={"search": search, "final": final, "floor": final},
            unit=plan.sweep.budget.unit,
        )

    def flops(self, cfg: TrialConfig) -> float:
        """Of one clip of pretraining, forward and backward. The same method is counted once."""
        method = cfg.method
        text = method.model_dump_json()
        if text not in self._known:
            self._known[text] = one_body(method, self.skeleton)
        bodies = self.most_bodies if method.count_absent else self.bodies
        return self._known[text] * (bodies if method.bodies == "all" else 1)

    def price(self, cfg: TrialConfig) -> Price:
        """See `budget.Prices`. Seconds of another config than the measured one follow its FLOPs."""
        if self.unit != "seconds":
            return Price(self.flops(cfg))
        pace, devices = self.paces[cfg.method.name], self.devices["search"]
        clip = pace.clip * self.flops(cfg) / pace.flops
        return Price(clip * devices, (pace.start + pace.look * cfg.train.reports) * devices)

    def spent(self, config: dict[str, Any], kind: Kind, state: State, clips: int, seconds: float) -> Spent:
        """What a trial used that last reported after `clips`: one that failed is charged up to the report it missed."""
        cfg = TrialConfig.model_validate(config)
        if state == "failed" and kind != "floor":
            clips = noticed(cfg.train, self.epoch, clips)
        each = self.flops(cfg) if clips else 0.0
        return Spent(clips, each * clips, seconds * self.devices[kind])

    def document(self) -> dict[str, Any]:
        """What is kept with the results: how clips were counted, and every pace."""
        paces = {method: pace.model_dump() for method, pace in self.paces.items()}
        return {"bodies": self.bodies, "clips": self.epoch, "devices": dict(self.devices), "seconds": paces}


def one_body(config: MethodConfig, skeleton: Skeleton) -> float:
    """FLOPs of one body in pretraining, forward and backward, by `cost.Watch`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # there is little to compute
    try:
        with torch.random.fork_rng(devices=[]):
            method = methods.load(config.name)(config.model_copy(update={"bodies": "all"}), skeleton).eval()
            batch = cost.two_bodies(method, len(skeleton.joints), skeleton.channels, CLIPS)
            with cost.Watch(method) as loss:
                method(batch)
    finally:
        torch.set_num_threads(threads)
    return loss.training() * 1e9 / (CLIPS * cost.BODIES)

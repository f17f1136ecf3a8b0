"""The meter of a sweep, made before anything is trained: what clips cost, and whether the budget pays any."""

import os
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from skelray.data import folds, locate, store
from skelray.errors import BadInput
from skelray.results import Results
from skelray.sweep.budget import refuse_unaffordable
from skelray.sweep.config import Plan
from skelray.sweep.preflight import Placement
from skelray.sweep.prices import Meter, Pace
from skelray.trial_config import TrialConfig

Measure = Callable[[dict[str, Any], Placement], dict[str, Any]]  # calibrate.work where trials run


def of(
    plan: Plan, results: Results, placements: tuple[Placement, Placement], measure: Measure, fingerprint: str
) -> Meter:
    """The meter of a plan. For a budget in seconds each method is calibrated once: a sweep that goes on finds its
    paces in its results. Raises BadInput when the budget cannot pay the first rung of a method.
    """
    data = plan.trial(next(iter(plan.spaces)), {}).data
    opened = store.open(locate.find(data.store))
    meter = Meter.of(plan, opened, folds.choose(data, opened), placements)
    listed = {method: _listed(plan, method) for method in plan.spaces}
    if plan.sweep.budget.unit == "seconds":
        known = _kept(results)
        for method, (first, *_) in listed.items():
            meter.paces[method] = known.get(method) or Pace.model_validate(
                _measured(method, first, placements[0], measure, fingerprint, meter)
            )
    if plan.sweep.budget.unit != "clips":
        prices = {m: [(cfg.train.batch, meter.price(cfg)) for cfg in configs] for m, configs in listed.items()}
        refuse_unaffordable(plan.sweep.budget, {method: plan.trials(method) for method in plan.spaces}, prices)
    return meter


def _kept(results: Results) -> dict[str, Pace]:
    """The paces that a sweep which goes on was begun with."""
    try:
        return TypeAdapter(dict[str, Pace]).validate_python(results.costs().get("seconds", {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, ("seconds", *first["loc"])))
        raise BadInput(
            f"{results.folder / 'costs.json'}: {key}: {first['msg']}; trials were shared out by it"
        ) from None


def _listed(plan: Plan, method: str) -> list[TrialConfig]:
    """The trials that are known beforehand, the settings alone where there are none."""
    return [plan.trial(method, point) for point in plan.spaces[method].points] or [plan.trial(method, {})]


def _measured(
    method: str, cfg: TrialConfig, placed: Placement, measure: Measure, fingerprint: str, meter: Meter
) -> dict[str, Any]:
    payload = {
        "config": cfg.model_dump(mode="json"), "directory": os.getcwd(), "fingerprint": fingerprint,
        "gpus": placed.gpus, "workers": placed.workers,
    }  # fmt: skip
    found = measure(payload, placed)
    if why := found.get("failure"):
        raise BadInput(f"budget.unit: how fast {method} trains could not be measured: {why}")
    return {**found, "flops": meter.flops(cfg)}

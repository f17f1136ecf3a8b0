"""The events of one made-up trial: begun, reported, ended."""

from skelray.events import Ended, Reported, Started

BEGUN = Started(trial="amr-000", method="amr", seed=3, config={"method": {"name": "amr"}, "seed": 3}, time=100.5)


def point(clips: int, time: float = 101.0, **metrics: float) -> Reported:
    named = {name.replace("_", "/"): value for name, value in metrics.items()}
    return Reported(trial="amr-000", clips=clips, metrics=named, time=time)


def over(state: str = "complete", time: float = 110.0) -> Ended:
    return Ended.model_validate({"trial": "amr-000", "state": state, "time": time, "seconds": 9.5})

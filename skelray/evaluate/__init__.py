"""Protocols of measurement, one a file: what a frozen encoder is worth. The folder is the registry.

Each is given a Case and its own config and finds an Outcome. A protocol on frozen features alone has
choose(train, val, cfg) -> (accuracies on validation clips, the config with everything chosen) and
predict(train, query, cfg) -> classes, which sees no label of the query; any other has measure(case, cfg) -> Outcome.
names(cfg), where there is one, lists the metrics that it gives: those that a search may select on.
refuse(method, pool, cfg), where there is one, raises BadInput before anything is trained for what it could not measure.
fewest(case), where there is one, gives the clips of its smallest fit; batch norm needs two.
"""

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any

from skelray.errors import BadInput, near

if TYPE_CHECKING:
    from skelray.data.loader import Pool
    from skelray.evaluate.case import Case, Outcome
    from skelray.method import Method

SHARED = {"features", "case", "frozen", "kept", "classifier", "clones", "look"}  # files that are no protocols


def available() -> list[str]:
    """Names of all protocols, in alphabetical order."""
    return sorted(module.name for module in iter_modules(__path__) if module.name not in SHARED)


def load(name: str) -> ModuleType:
    """The protocol of that name. Raises BadInput, with the nearest name, when there is none."""
    if name not in available():
        raise BadInput(f"no protocol {name!r}{near(name, available())} (there are {', '.join(available())})")
    return import_module(f"{__name__}.{name}")


def known(names: Sequence[str]) -> Sequence[str]:
    """The names, if each is a protocol's; raises ValueError otherwise, with the nearest one."""
    for name in names:
        if name not in available():
            raise ValueError(f"no protocol {name!r}{near(name, available())} (there are {', '.join(available())})")
    return names


def names(name: str, cfg: Any) -> list[str]:
    """The numbers that a protocol gives, without val/ or test/: its own name unless it says otherwise."""
    protocol = load(name)
    found: list[str] = protocol.names(cfg) if hasattr(protocol, "names") else [name]
    return found


def refuse(name: str, method: "Method", pool: "Pool", cfg: Any) -> None:
    """Raise BadInput, before anything is trained, when the protocol of that name could not measure the method."""
    protocol = load(name)
    if hasattr(protocol, "refuse"):
        protocol.refuse(method, pool, cfg)


def refuse_few(name: str, case: "Case") -> None:
    """Raise BadInput, before anything is measured, when the protocol of that name has too few clips to be fitted on."""
    protocol = load(name)
    if hasattr(protocol, "fewest") and (count := len(protocol.fewest(case))) < 2:
        where = case.pool.store.name
        raise BadInput(f"{name}: {where} has {count} clip to fit on, without validation; 2 are the least")


def measure(name: str, case: "Case", cfg: Any) -> "Outcome":
    """What the protocol of that name finds of a case. Raises BadInput for a case that it cannot serve, Diverged."""
    from skelray.evaluate import frozen

    protocol = load(name)
    found: Outcome = (
        protocol.measure(case, cfg) if hasattr(protocol, "measure") else frozen.measure(protocol, case, cfg)
    )
    return found

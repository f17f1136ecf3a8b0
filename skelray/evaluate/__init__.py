"""Protocols of measurement, one a file: what a frozen encoder is worth. The folder is the registry.

Each has a config, choose(train, val, cfg) -> (accuracies on validation clips, the config with everything chosen) and
predict(train, query, cfg) -> classes, which sees no label of the query.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from skelray.errors import BadInput, near


def available() -> list[str]:
    """Names of all protocols, in alphabetical order."""
    return sorted(module.name for module in iter_modules(__path__) if module.name != "features")


def load(name: str) -> ModuleType:
    """The protocol of that name. Raises BadInput, with the nearest name, when there is none."""
    if name not in available():
        raise BadInput(f"no protocol {name!r}{near(name, available())} (there are {', '.join(available())})")
    return import_module(f"{__name__}.{name}")

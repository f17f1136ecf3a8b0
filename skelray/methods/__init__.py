"""The folder is the registry: `method: amr` means the one Method subclass that methods/amr.py defines."""

from importlib import import_module
from pkgutil import iter_modules

from skelray.errors import BadInput, near
from skelray.method import Method


def available() -> list[str]:
    """Names of all methods, in alphabetical order."""
    return sorted(module.name for module in iter_modules(__path__))


def load(name: str) -> type[Method]:
    """The method class of that name. Raises BadInput, with the nearest name, when there is none."""
    if name not in available():
        raise BadInput(f"no method {name!r}{near(name, available())} (there are {', '.join(available())})")
    module = import_module(f"{__name__}.{name}")
    (method,) = (
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Method) and each.__module__ == module.__name__
    )
    return method

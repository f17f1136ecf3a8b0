"""The sources that can be imported: the folder is the registry, one format a file, each with `read(source) -> DataSet`.

`read` raises BadInput for a source that is not what it should be, naming the file; the clips are read on demand.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from skelray.errors import BadInput, near


def available() -> list[str]:
    """The names of all readers."""
    return sorted(module.name for module in iter_modules([str(Path(__file__).parent)]))


def load(name: str) -> ModuleType:
    """A reader by name. Raises BadInput for a name nobody knows."""
    if name not in available():
        raise BadInput(f"no reader {name!r}{near(name, available())} (there are {', '.join(available())})")
    return import_module(f"{__name__}.{name}")

"""Facts that are data: the JSON file that lies beside the module that knows what they mean."""

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def facts(module: str, name: str | None = None) -> dict[str, Any]:
    """The JSON object beside the module at `module`, its `__file__`: of the module's own name, or the file `name`.

    Read once in a process and shared by all who ask, so nobody alters it.
    """
    path = Path(module)
    found: dict[str, Any] = json.loads((path.with_name(name) if name else path.with_suffix(".json")).read_bytes())
    return found

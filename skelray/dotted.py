"""A trial's config as flat dotted keys, for tables and axes; and which of its dimensions exist at all."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Conditions = dict[str, dict[str, dict[str, list[Any]]]]  # method -> dotted key -> its `when`


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"method": {"k": 0.1}} -> {"method.k": 0.1}; lists stay values."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return found


def existing(config: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, Any]:
    """The flat config without what does not exist in this trial: None, and dimensions whose `when` does not hold."""
    flat = flatten(config)
    return {
        key: value
        for key, value in flat.items()
        if value is not None and all(flat.get(other) in wanted for other, wanted in conditions.get(key, {}).items())
    }


def conditions(sweep: Mapping[str, Any]) -> Conditions:
    """The `when:` of every dimension in a sweep as run."""
    return {
        space["method"]: {key: each["when"] for key, each in space.get("search", {}).items() if each.get("when")}
        for space in sweep.get("spaces", [])
        if isinstance(space, Mapping)
    }


def text(value: Any) -> str:
    """`4, 8, 12` for a list: one line in a table and one category on an axis; JSON would become a column in MLflow."""
    if isinstance(value, list | tuple):
        return ", ".join(text(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value)

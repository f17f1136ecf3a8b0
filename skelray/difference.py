"""Where two plain documents differ, and how a value of theirs is told."""

from typing import Any


def short(value: Any, most: int = 200) -> str:
    """A value for a message, cut where it would fill the screen."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def difference(before: Any, now: Any, key: str = "") -> tuple[str, Any, Any] | None:
    """The first dotted key at which two plain documents differ, with both values; None when they are equal."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(each for each in now if each not in before)]:
            found = difference(before.get(name), now.get(name), f"{key}.{name}" if key else name)
            if found is not None:
                return found
        return None
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return difference(dict(enumerate(before)), dict(enumerate(now)), key)
    return None if before == now else (key, before, now)

"""What file names tell about clips, by the user's regular expressions, within a bounded time."""

import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from skelray.data.generic.description import FIELDS, Description
from skelray.errors import BadInput, near
from skelray.yaml_file import Document

LONGEST = 1000  # characters of a name
PATIENCE = 20.0  # seconds for all names; a thousand names take milliseconds

Facts = dict[str, str]  # field -> what is written


def facts(document: Document, told: Description, names: Sequence[str]) -> list[Facts]:
    """For each name what the expressions of `from_names` find. Raises BadInput for one that does not fit a name."""
    whole = _compiled(document, "from_names.pattern", told.from_names.pattern) if told.from_names.pattern else None
    single = {field: written for field in FIELDS if (written := getattr(told.from_names, field))}
    compiled = {field: _compiled(document, f"from_names.{field}", written) for field, written in single.items()}
    if whole:
        for group in whole.groupindex:
            if group not in FIELDS:
                hint = near(group, FIELDS)
                raise document.error("from_names.pattern", f"no field {group!r}{hint} (there are {', '.join(FIELDS)})")
            if group in single:
                raise document.error(f"from_names.{group}", "the pattern has this group too; take out one of the two")
        if not whole.groupindex:
            raise document.error("from_names.pattern", "names no field; a named group is written (?P<label>...)")
    for field, pattern in compiled.items():
        if pattern.groups > 1:
            raise document.error(f"from_names.{field}", f"one group is due, not {pattern.groups}; (?:...) is none")
    found: list[Facts] = []
    with _patience(lambda: document.error("from_names", f"the expressions take too long, at {names[len(found)]!r}")):
        for name in names:
            if len(name) > LONGEST:
                raise document.error("from_names", f"the name {name[:80]!r}... is longer than {LONGEST} characters")
            found.append(_of_one(document, name, whole, compiled))
    return found


def _of_one(document: Document, name: str, whole: re.Pattern[str] | None, single: dict[str, re.Pattern[str]]) -> Facts:
    found: Facts = {}
    if whole:
        if not (match := whole.fullmatch(name)):
            raise document.error("from_names.pattern", f"does not fit the whole name {name!r}")
        found = {field: written for field, written in match.groupdict().items() if written is not None}
    for field, pattern in single.items():
        if not (match := pattern.search(name)):
            raise document.error(f"from_names.{field}", f"is not found in the name {name!r}")
        written = match.group(pattern.groups)  # the only group, or all that was found
        if written is not None:
            found[field] = written
    return found


def _compiled(document: Document, key: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise document.error(key, f"not a regular expression: {error}") from None


class _Late(Exception):
    """The time is over."""


@contextmanager
def _patience(late: Callable[[], BadInput]) -> Iterator[None]:
    """Give up after `PATIENCE` seconds of work: an expression with repeats in repeats may take longer than a life.

    Matching looks for signals now and then, and a signal reaches the main thread alone; elsewhere nothing is bounded.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(*_: Any) -> None:
        raise _Late

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        yield
    except _Late:
        raise late() from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)

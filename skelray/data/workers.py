"""Reading a source's parts in several processes, in order and in bounded memory."""

import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from threading import Thread

from skelray.data.source import DataSet, Loaded
from skelray.errors import BadInput

TOGETHER = 16  # parts that are sent to a process at once
AHEAD = 2  # such bundles a process that may wait to be consumed


def read_aside(found: DataSet, parts: Sequence[str], jobs: int) -> Iterator[Loaded]:
    """One Loaded a part, in order. Raises BadInput when a reading process is killed."""
    bundles = (parts[first : first + TOGETHER] for first in range(0, len(parts), TOGETHER))
    # Fresh processes: a fork of one with threads (torch, Arrow) may hang.
    # The source is sent once a process: it may name a hundred thousand parts.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (found,))
    waiting: deque[Future[list[Loaded]]] = deque()
    try:
        for bundle in bundles:
            with _deaf_to_interrupts():
                waiting.append(pool.submit(_read, bundle))
            if len(waiting) > AHEAD * jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise BadInput(
            "a reading process was killed, most likely for want of memory; fewer --jobs need less, and the same "
            "command goes on where this one stopped"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes begun within never hear Ctrl-C, not even while they start; here it waits until the end."""
    resource_tracker.ensure_running()  # its own start would end the deafness
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_source: list[DataSet] = []  # of a reading process


def _begin(found: DataSet) -> None:
    _source[:] = [found]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that writes
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed import leaves no reader behind."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _read(parts: Sequence[str]) -> list[Loaded]:
    return list(_source[0].read(parts))

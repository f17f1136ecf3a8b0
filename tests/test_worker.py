"""What a process that runs one trial after the other keeps between them."""

from threading import Thread

import psutil
import torch

from skelray.sweep.worker import give_back

MIB = 1 << 20


def resident() -> float:
    return psutil.Process().memory_info().rss / MIB


def test_memory_that_a_thread_freed_goes_back_to_the_system():
    kept = []

    def trial() -> None:
        held = [torch.ones(16_000) for _ in range(4_000)]  # 64 kB each, 244 MiB: too small to be mapped alone
        kept.append(torch.ones(16_000))  # lies behind them, so that the C library shortens nothing by itself
        held.clear()

    thread = Thread(target=trial)
    thread.start()
    thread.join()
    before = resident()
    give_back()
    assert before - resident() > 150

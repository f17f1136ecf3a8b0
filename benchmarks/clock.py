"""How all benchmarks measure: alternating runs in one process, the best of several, and the machine's own yardstick."""

import time
from collections.abc import Callable

import torch


def best_of(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each job, the best of `rounds`; the jobs take turns, so that other loads hit all of them alike."""
    for job in jobs.values():
        job()
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, job in jobs.items():
            synchronise()
            start = time.perf_counter()
            job()
            synchronise()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def synchronise() -> None:
    """Wait for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def matrix_product(device: str = "cpu", dtype: torch.dtype = torch.float32, size: int = 2048) -> Callable[[], object]:
    """A square matrix product of 2 size^3 FLOPs: what the machine can do at best."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return lambda: a @ b

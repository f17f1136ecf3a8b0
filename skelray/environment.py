"""What a sweep ran on: commit, package versions, hardware, data, command. Recorded with the results, compared later."""

import os
import platform
import subprocess
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("skelray", "torch", "ray", "optuna", "mlflow", "pyarrow", "pandas", "numpy", "pydantic", "safetensors")
_SOURCE = Path(__file__).parent


def describe(command: str, data: dict[str, Any], gpus: Sequence[str] = ()) -> dict[str, Any]:
    """A JSON document about here and now.

    `command` is what the user typed; `data` names the store and its `fingerprint`; `gpus` are the names of the devices
    (passed in, for this module knows no torch). `id` names this one run of the sweep among others of the same name.
    """
    return {
        "id": uuid.uuid4().hex[:12],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "git": commit(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "hardware": {
            "system": f"{platform.system()} {platform.machine()}",
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "gpus": list(gpus),
        },
        "data": dict(data),
    }


def commit(source: Path = _SOURCE) -> dict[str, Any]:
    """{"commit": sha or None, "dirty": bool or None}: None where the source is not tracked by git.

    Dirty means: what decides numbers (the package, search spaces, sweeps) differs from the commit or is not in it.
    """
    unknown = {"commit": None, "dirty": None}
    if _git(source, "ls-files", "--error-unmatch", "__init__.py") is None:  # e.g. an environment inside another clone
        return unknown
    sha = _git(source, "rev-parse", "HEAD")
    beside = [
        name for name in (source.name, "search_spaces", "sweeps", "pyproject.toml") if (source.parent / name).exists()
    ]
    changed = _git(source.parent, "status", "--porcelain", "--", *beside)
    return {"commit": sha, "dirty": bool(changed)} if sha and changed is not None else unknown


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"

"""Ray itself: its settings, its start and end, and one Tune experiment over a queue of jobs."""

import contextlib
import logging
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.util.state import list_nodes

import skelray
from skelray.errors import BadInput, Stopped
from skelray.sweep import calibrate, worker
from skelray.sweep.preflight import Machine, Placement
from skelray.sweep.tune_search import Bridge, Job, Queue

DRIVER = {  # read in this process, when Ray starts and while Tune runs
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # results are ours
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # the state is in the study and the journal
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours stops at the next step and leaves with 130
    "RAY_AIR_NEW_OUTPUT": "0",
}
WORKER = {  # read in the trial's process: what makes a nested trial start in 13 s instead of 22 s
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_TRAIN_ENABLE_STATE_ACTOR_RECONCILIATION": "0",
}
PASSED_ON = ("SKELRAY_STORES", "SKELRAY_SHARED")


class Cluster:
    """Ray for the time of a `with`: our own on this machine, started when first needed, or the one at `address`."""

    def __init__(self, address: str | None):
        self._address, self._started = address, False

    def __enter__(self) -> "Cluster":
        if self._address is not None:
            self._start(None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            ray.shutdown()

    def machine(self) -> Machine:
        """What the cluster at `address` has."""
        there = ray.cluster_resources()
        try:
            list_nodes(limit=1)  # the same State API that frees the CPUs of a stopped nested trial
            dashboard = True
        except Exception:  # whatever the reason: a dashboard that does not answer us frees nobody's CPUs
            dashboard = False
        where = f"the cluster at {self._address}"
        return Machine(int(there.get("CPU", 0)), int(there.get("GPU", 0)), int(there["memory"]), dashboard, where)

    def fit(self, queue: Queue, placement: Placement, common: dict[str, Any]) -> None:
        """Run every job of the queue. SIGINT or SIGTERM ends it with Stopped; what ran stays as it last reported.

        `common` is what every job's payload carries besides the job; `common["ray"]` is Ray's own folder, deleted.
        """
        self._start(placement)
        resources = {"workers": placement.workers, "cpus": placement.cpus, "gpus": placement.gpus}

        def payload(job: Job) -> dict[str, Any]:
            own = {"key": job.key, "kind": job.kind, "config": job.config, "resources": resources}
            return {**common, **own, "folder": str(Path(common["trials"]) / job.key)}

        bridge, storage = Bridge(queue, placement.concurrent, payload), Path(common["ray"])
        try:
            with stopping() as stopped:
                _tuner(bridge, placement, storage).fit()
        finally:
            shutil.rmtree(storage, ignore_errors=True)
            if bridge.fault is not None:
                raise bridge.fault
        if stopped:
            raise Stopped("stopped; the same command continues from here")

    def measure(self, payload: dict[str, Any], placement: Placement) -> dict[str, Any]:
        """How fast a trial trains on what one of its workers holds, see calibrate.work; alone, before the trials."""
        self._start(placement)
        task = ray.remote(num_cpus=placement.cpus, num_gpus=placement.gpus, max_calls=1)(calibrate.work)
        try:
            found: dict[str, Any] = ray.get(task.remote(payload))
        except ray.exceptions.RayError as error:
            return {"failure": str(error).strip().splitlines()[-1]}
        return found

    def _start(self, placement: Placement | None) -> None:
        if ray.is_initialized():  # this process has a cluster already: it is used, and left as it is
            return
        self._started = True
        if placement is None:
            connect(str(self._address))
        else:
            begin(placement.machine.cpus, placement.machine.gpus, dashboard=placement.launcher == "train")


def begin(cpus: int, gpus: int, dashboard: bool) -> None:
    """Start a Ray of our own. Without its dashboard a nested trial that is stopped keeps its CPUs for ever.

    The process that frees them finds the dashboard by itself only where one Ray runs on the machine: it is told.
    """
    os.environ["RAY_ADDRESS"] = "local"  # never a stale cluster that some file still names
    how: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "include_dashboard": dashboard}
    if not dashboard:
        _init({}, **how)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ["RAY_API_SERVER_ADDRESS"] = page = f"http://127.0.0.1:{port}"
    _init({"RAY_API_SERVER_ADDRESS": page}, dashboard_host="127.0.0.1", dashboard_port=port, **how)
    try:
        list_nodes(limit=1)
    except Exception as error:
        ray.shutdown()
        raise BadInput(f"resources.launcher: Ray's dashboard does not answer at {page} ({error})") from error


def check(address: str) -> None:
    """Raise BadInput within seconds when an address is none or nobody listens there; Ray itself waits for minutes."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "/" in host:
        raise BadInput(f"--address {address}: HOST:PORT is due, as `ray start --head` tells it, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise BadInput(f"--address {address}: no Ray cluster answers there ({error})") from error


def submitted() -> str | None:
    """`auto` inside a job that `ray job submit` started: its cluster is meant; None anywhere else."""
    return "auto" if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ else None


def connect(address: str) -> None:
    """Join the Ray cluster at an address. Raises BadInput when none is there."""
    try:
        _init({"RAY_ADDRESS": address} if address != "auto" else {}, address=address)
    except (ConnectionError, ValueError, RuntimeError) as error:
        hint = "a cluster started with token authentication wants RAY_AUTH_MODE=token here too"
        raise BadInput(f"--address {address}: no Ray cluster takes us there ({error}); {hint}") from error


def _init(more: dict[str, str], **how: Any) -> None:
    """ray.init, quiet, with workers that import the same skelray and read the same stores."""
    variables = {**WORKER, **more, **{name: os.environ[name] for name in PASSED_ON if name in os.environ}}
    package_root, path = str(Path(skelray.__file__).parents[1]), os.environ.get("PYTHONPATH")
    variables["PYTHONPATH"] = os.pathsep.join([package_root, path] if path else [package_root])
    os.environ.update(DRIVER | WORKER)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level=logging.CRITICAL, runtime_env={"env_vars": variables}, **how)
    finally:
        signal.signal(signal.SIGTERM, handler)  # Ray takes it for itself
    for name in ("ray", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _tuner(bridge: Bridge, placement: Placement, storage: Path) -> tune.Tuner:
    if placement.launcher == "train":
        trainable = tune.with_resources(worker.nested, {"cpu": 0, "memory": 1 << 20})  # its group holds the CPUs
    else:
        trainable = tune.with_resources(worker.inline, {"cpu": placement.cpus, "gpu": placement.gpus})
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            num_samples=1_000_000,  # the queue says when it is over
            search_alg=bridge.searcher,
            scheduler=bridge.scheduler,
            reuse_actors=placement.launcher == "inline",  # a stopped nested trial still waits for its group
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(storage),
            callbacks=[bridge.callback],
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=1),  # a dead process: once more, from our checkpoint
        ),
    )


@contextlib.contextmanager
def stopping() -> Iterator[list[int]]:
    """SIGINT and SIGTERM ask Tune to end at its next step; a second one ends at once. The list names what came."""
    came: list[int] = []

    def stop(number: int, frame: Any) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)
        signal.raise_signal(signal.SIGUSR1)  # Tune installs its own handler for this one

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in (*numbers, signal.SIGUSR1)}
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until Tune has installed its handler
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""The folder that a sweep leaves behind: tables, the sweep as run, its environment, the best config."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skelray import atomic, results_read, yaml_file
from skelray.difference import difference, short
from skelray.errors import BadInput
from skelray.event_rows import points_of, row_of
from skelray.events import Ended, Event, Reported, Started, fold

_TIME = pa.timestamp("us", tz="UTC")
_TRIALS = {
    "trial": pa.string(), "method": pa.string(), "kind": pa.string(), "state": pa.string(), "value": pa.float64(),
    "clips": pa.int64(), "seconds": pa.float64(), "seed": pa.int64(), "started": _TIME, "ended": _TIME,
    "reason": pa.string(), "config": pa.string(),
}  # fmt: skip
_COST = {"flops": pa.float64(), "device_seconds": pa.float64()}  # an older version did not write them
_HISTORY = {
    "trial": pa.string(), "clips": pa.int64(), "metric": pa.string(), "value": pa.float64(), "time": _TIME,
}  # fmt: skip
PROSE = {"question", "price", "expected"}  # of a sweep: what may be said better afterwards changes no number
_PREDICTIONS = {
    "trial": pa.string(), "protocol": pa.string(), "clip": pa.string(), "subject": pa.int64(), "label": pa.int64(),
    "predicted": pa.int64(),
}  # fmt: skip


class Results:
    """The folder `results/<name>`: what a sweep leaves behind, small enough to be committed.

    sweep.yaml (as run), environment.json, trials.parquet (one row a search trial that ended), finals.parquet (finalists
    and untrained encoders), history.parquet (every measured point), best.yaml. Readers raise BadInput on a folder that
    is not one or not whole.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def create(self, sweep: dict[str, Any], environment: dict[str, Any]) -> None:
        """Begin the folder, or go on with it. Raises BadInput when it belongs to another sweep or to other data.

        What differs in the environment of a later run is added to `environment.json` under `resumed`.
        """
        self.verify(sweep, environment)
        sweep, environment = json.loads(json.dumps(sweep)), json.loads(json.dumps(environment))
        if (self.folder / "sweep.yaml").exists():
            self._resume(environment)
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write_json("environment.json", environment)
        except OSError as error:
            raise BadInput(f"{self.folder} cannot be written ({error.strerror}); choose another --results") from error
        yaml_file.write(self.folder / "sweep.yaml", sweep)  # last: a folder with sweep.yaml has an environment

    def verify(self, sweep: dict[str, Any], environment: dict[str, Any]) -> None:
        """Raise BadInput when the folder holds another sweep, other data or something else; nothing is written."""
        sweep, environment = json.loads(json.dumps(sweep)), json.loads(json.dumps(environment))
        if (self.folder / "sweep.yaml").exists():
            self._same(sweep, environment)
        elif self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise BadInput(f"{self.folder} holds something other than results; choose another --name or --results")

    def write(self, events: Iterable[Event], objective: str) -> None:
        """Write the three tables from all events so far; trials that have not ended are left out."""
        told = [(trial, ended) for trial in fold(events).values() if (ended := trial.ended)]
        rows = [row_of(trial, ended, objective) for trial, ended in told]
        search = [row for row in rows if row["kind"] == "search"]
        finals = [row for row in rows if row["kind"] != "search"]
        plain = {name: column for name, column in _TRIALS.items() if name != "kind"} | _COST
        self._write_table("trials.parquet", plain, search)
        self._write_table("finals.parquet", _TRIALS | _COST, finals)
        self._write_table("history.parquet", _HISTORY, [point for trial, _ in told for point in points_of(trial)])

    def write_predictions(self, parts: Iterable[Mapping[str, Sequence[Any]]]) -> None:
        """Write predictions.parquet, part by part: what each final took each clip of the test side for, a row each."""
        schema, path = pa.schema(_PREDICTIONS), self.folder / "predictions.parquet"
        with atomic.whole(path) as unfinished, pq.ParquetWriter(unfinished, schema) as writer:
            for columns in parts:
                writer.write_table(pa.table(columns, schema=schema))

    def write_curves(self, curves: Mapping[str, Any]) -> None:
        """Write curves.json: final -> curve -> its points, each a small object with `level` and `accuracy`."""
        self._write_json("curves.json", dict(curves))

    def write_costs(self, costs: dict[str, Any]) -> None:
        """Write costs.json: how clips were counted, and how fast each method trained when that was measured."""
        self._write_json("costs.json", costs)

    def costs(self) -> dict[str, Any]:
        """What write_costs() kept; {} where nothing is kept."""
        return results_read.document(self.folder / "costs.json") if (self.folder / "costs.json").exists() else {}

    def write_best(self, config: dict[str, Any]) -> None:
        """Write best.yaml, a trial config that runs by itself."""
        yaml_file.write(self.folder / "best.yaml", config)

    def trials(self) -> pd.DataFrame:
        """One row a search trial: trial, method, state, value, clips, seconds, ..., config (JSON), and its metrics.

        flops and device_seconds are what it cost; of older folders flops are nan, device_seconds follow from seconds.
        """
        plain = {name: column for name, column in _TRIALS.items() if name != "kind"}
        return self._costed(self._read_table("trials.parquet", plain, "trial"))

    def finals(self) -> pd.DataFrame:
        """The same columns for finalists and untrained encoders, told apart by `kind`."""
        return self._costed(self._read_table("finals.parquet", _TRIALS, "trial"))

    def history(self) -> pd.DataFrame:
        """Every measured point of every ended trial: trial, clips, metric, value, time."""
        return self._read_table("history.parquet", _HISTORY)

    def predictions(self) -> pd.DataFrame:
        """trial, protocol, clip, subject (-1: unknown), label, predicted, and the final's method, kind and seed.

        Empty where an older version wrote the folder.
        """
        if not (self.folder / "predictions.parquet").exists():
            return pd.DataFrame(columns=[*_PREDICTIONS, "method", "kind", "seed"])
        told = self._read_table("predictions.parquet", _PREDICTIONS)
        return told.merge(self.finals()[["trial", "method", "kind", "seed"]], on="trial")

    def curves(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """What `write_curves` wrote; {} where an older version wrote the folder."""
        path = self.folder / "curves.json"
        return results_read.curves(path) if path.exists() else {}

    def sweep(self) -> dict[str, Any]:
        """The sweep as it was run."""
        found = yaml_file.read(self._file("sweep.yaml"))
        found.build(results_read.Sweep, found.data)
        return found.data

    def best(self) -> dict[str, Any]:
        """The best trial's config."""
        return yaml_file.read(self._file("best.yaml")).data

    def environment(self) -> dict[str, Any]:
        """What the sweep ran on, as skelray.environment.describe() made it."""
        return results_read.environment(self._file("environment.json"))

    def events(self) -> list[Event]:
        """The events of every ended trial again, from the tables; one Started a trial, points in order of clips."""
        points: dict[str, dict[tuple[int, pd.Timestamp], dict[str, float]]] = {}
        for trial, clips, metric, value, time in self.history().itertuples(index=False):
            points.setdefault(trial, {}).setdefault((clips, time), {})[metric] = value
        events: list[Event] = []
        for row in [*self.trials().to_dict("records"), *self.finals().to_dict("records")]:
            trial, kind = row["trial"], row.get("kind", "search")
            config, started, ended = json.loads(row["config"]), row["started"].timestamp(), row["ended"].timestamp()
            events.append(
                Started(trial=trial, method=row["method"], kind=kind, seed=row["seed"], config=config, time=started)
            )
            for (clips, time), metrics in sorted(points.get(trial, {}).items()):
                events.append(Reported(trial=trial, clips=clips, metrics=metrics, time=time.timestamp()))
            events.append(
                Ended(
                    trial=trial, state=row["state"], reason=row["reason"], time=ended, seconds=row["seconds"],
                    **{name: None if pd.isna(row[name]) else row[name] for name in _COST},
                )
            )  # fmt: skip
        return events

    def _same(self, sweep: dict[str, Any], environment: dict[str, Any]) -> None:
        there, here = ({key: each[key] for key in each if key not in PROSE} for each in (self.sweep(), sweep))
        other = difference(there, here)
        if other is not None:
            key, before, now = other
            raise BadInput(
                f"{self.folder} holds the results of another sweep: {key} was {short(before)} there and is "
                f"{short(now)} now; choose another --name, or delete the folder and its namesake in runs/"
            )
        known = self.environment()
        before, now = (each.get("data", {}).get("fingerprint") for each in (known, environment))
        if before != now:
            raise BadInput(
                f"{self.folder}: the data changed since this sweep began (fingerprint {before} then, {now} now);"
                " bring the old store back, or choose another --name"
            )

    def _resume(self, environment: dict[str, Any]) -> None:
        known = self.environment()
        last = dict(known)
        for later in known.get("resumed", []):
            last.update(later)
        changed = {
            key: value for key, value in environment.items() if key not in ("id", "created") and last.get(key) != value
        }
        if changed:
            later = {"created": environment.get("created"), **changed}
            self._write_json("environment.json", known | {"resumed": [*known.get("resumed", []), later]})

    def _file(self, name: str) -> Path:
        if not (self.folder / "sweep.yaml").is_file():
            raise BadInput(f"{self.folder} is not a results folder: it has no sweep.yaml")
        path = self.folder / name
        if not path.is_file():
            raise BadInput(f"{self.folder} has no {name}: the sweep was stopped before; the same command continues it")
        return path

    def _costed(self, table: pd.DataFrame) -> pd.DataFrame:
        if "device_seconds" not in table:
            held = self.sweep().get("resources") or {}
            devices = held.get("workers", 1) * (held.get("gpus") or held.get("cpus", 1))
            table = table.assign(device_seconds=table["seconds"] * devices)
        return table if "flops" in table else table.assign(flops=math.nan)

    def _read_table(self, name: str, columns: Mapping[str, Any], single: str | None = None) -> pd.DataFrame:
        filled = set(columns) - {"value", "reason"}
        return results_read.table(self._file(name), columns, filled, single)

    def _write_table(self, name: str, columns: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        metrics = sorted({key for row in rows for key in row if key not in _TRIALS | _COST | _HISTORY})
        schema = pa.schema(columns | {metric: pa.float64() for metric in metrics})
        table = pa.Table.from_pylist(rows, schema=schema)
        with atomic.whole(self.folder / name) as unfinished:
            pq.write_table(table, unfinished)

    def _write_json(self, name: str, data: dict[str, Any]) -> None:
        with atomic.whole(self.folder / name) as unfinished:
            unfinished.write_text(json.dumps(data, indent=2) + "\n")

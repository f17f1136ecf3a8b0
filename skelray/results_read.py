"""The files of a results folder, read and held against what a sweep writes: people copy, cut and edit such folders.

What does not fit is told with its file and column or key, before anything is made of it. Of the sweep and the
environment only what is relied on is looked at: they are documents of their own version.
"""

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from skelray.errors import BadInput
from skelray.schema import problems

Model = TypeVar("Model", bound=BaseModel)
STATES, KINDS = {"complete", "pruned", "failed"}, {"final", "floor"}
AMOUNTS = ("clips", "seconds", "flops", "device_seconds")  # columns of what is counted: finite, not negative


class Part(BaseModel):
    """What is relied on in a document; of the rest nothing is asked."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class Dimension(Part):
    """A searched dimension."""

    kind: Literal["float", "int", "choice"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    values: list[Any] = []
    when: dict[str, list[Any]] = {}

    @model_validator(mode="after")
    def is_a_range_or_choices(self) -> "Dimension":
        if self.kind == "choice":
            if not self.values:
                raise ValueError("values are due")
        elif self.low is None or self.high is None or self.low > self.high or (self.log and self.low <= 0):
            raise ValueError("low and high are due, in this order, and above 0 where log is true")
        return self


class Space(Part):
    """A method and what was searched of it."""

    method: str
    search: dict[str, Dimension]


class Objective(Part):
    """What was selected on."""

    metric: str
    mode: Literal["max", "min"] = "max"


class Budget(Part):
    """What methods were given."""

    unit: str = "clips"
    share: float | None = Field(None, gt=0)


class Final(Part):
    """How finals were measured."""

    protocols: list[str] = []


class Resources(Part):
    """What a trial held."""

    workers: int = 1
    cpus: int = 1
    gpus: float = 0


class Sweep(Part):
    """`sweep.yaml` of a results folder; sections that an older version did not know are absent."""

    spaces: list[Space | str] = []
    objective: Objective | None = None
    budget: Budget | None = None
    final: Final | None = None
    resources: Resources | None = None
    dropped: list[str] = []


class Data(Part):
    """The data that a sweep ran on."""

    classes: list[str] = []


class Hardware(Part):
    """The machine."""

    gpus: list[str] = []


class Environment(Part):
    """`environment.json`."""

    git: dict[str, Any] = {}
    packages: dict[str, Any] = {}
    hardware: Hardware = Hardware()
    data: Data = Data()
    resumed: list[dict[str, Any]] = []


class Point(Part):
    """A point of a curve of finals."""

    level: float | str | None = None  # of a corruption; draws of labels have none
    accuracy: float


Curves = dict[str, dict[str, list[Point]]]  # final -> curve -> points
_CURVES: TypeAdapter[Curves] = TypeAdapter(dict[str, dict[str, list[Point]]])


def document(path: Path) -> dict[str, Any]:
    """A JSON object. Raises BadInput where the file is anything else."""
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not whole JSON ({error})") from error
    if not isinstance(found, dict):
        raise BadInput(f"{path}: a JSON object is due")
    return found


def environment(path: Path) -> dict[str, Any]:
    """`environment.json`, as it was written."""
    found = document(path)
    try:
        Environment.model_validate(found)
    except ValidationError as error:
        key, problem = problems(error, Environment)[0]
        raise BadInput(f"{path}: {key}: {problem}") from None
    return found


def curves(path: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """`curves.json`, as it was written."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = document(path)
    try:
        _CURVES.validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadInput(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return found


def table(path: Path, known: Mapping[str, Any], filled: Collection[str], single: str | None = None) -> pd.DataFrame:
    """A table with at least the columns of `known` (name -> Arrow's type), which in `filled` have a value in every row.

    `single`: a column in which no value occurs twice. Raises BadInput, naming file and column.
    """
    try:
        found = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path}: not a whole Parquet file ({str(error).splitlines()[0]})") from error
    missing = [column for column in known if column not in found.column_names]
    if missing:
        raise BadInput(f"{path}: the column {missing[0]!r} is missing; this is not a table of a sweep")
    metrics = {name: pa.float64() for name in found.column_names if "/" in name}
    for name, kind in {**known, **metrics, **_costs(found)}.items():
        place = found.column_names.index(name)
        try:
            column = found.column(name).cast(kind)
        except pa.ArrowException as error:
            raise BadInput(
                f"{path}: the column {name!r} does not hold {kind} ({str(error).splitlines()[0]})"
            ) from error
        found = found.set_column(place, name, column)
        if name in filled and column.null_count:
            raise BadInput(f"{path}: the column {name!r} lacks {column.null_count} of its {len(column)} values")
    frame: pd.DataFrame = found.to_pandas()
    for column, wrong in _wrong(frame, single):
        raise BadInput(f"{path}: the column {column!r} {wrong}; this is not as a sweep wrote it")
    return frame


def _costs(found: Any) -> dict[str, Any]:
    return {name: pa.float64() for name in ("flops", "device_seconds") if name in found.column_names}


def _wrong(frame: pd.DataFrame, single: str | None) -> list[tuple[str, str]]:
    told = []
    for name, allowed in (("state", STATES), ("kind", KINDS)):
        if name in frame and (other := sorted(set(frame[name]) - allowed)):
            told.append((name, f"holds {other[0]!r}, not one of {', '.join(sorted(allowed))}"))
    for name in filter(_is_amount, map(str, frame.columns)):
        values = frame[name].dropna().to_numpy(float)
        if len(values) and not (values.min() >= 0 and math.isfinite(values.max())):
            told.append((name, "holds a number below 0, or none that is finite"))
    if single and frame[single].duplicated().any():
        told.append((single, f"holds {frame.loc[frame[single].duplicated(), single].iloc[0]!r} twice"))
    if "config" in frame and not all(map(_is_object, frame["config"])):
        told.append(("config", "holds a text that is no JSON object"))
    return told


def _is_amount(name: str) -> bool:
    return name in AMOUNTS or name.startswith("test/clips")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False

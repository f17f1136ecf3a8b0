"""A search space: one method, its paper's recipe, and which config fields are searched, each with its distribution."""

import json
from typing import Annotated, Any, ClassVar, Literal

from optuna.trial import BaseTrial
from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from skelray.errors import near
from skelray.schema import Strict
from skelray.sweep.layers import flatten
from skelray.yaml_file import Document

Scalar = str | int | float | bool | None


class Dimension(Strict):
    """One searched config field."""

    model_config = ConfigDict(strict=True)
    when: dict[str, list[Any]] = {}  # other dimensions and the values at which this one exists at all


class Float(Dimension):
    """A real number, drawn evenly or evenly in its logarithm; both ends belong to it."""

    kind: Literal["float"]
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def is_a_range(self) -> "Float":
        _ordered(self.low, self.high, self.log)
        return self

    @property
    def ends(self) -> dict[str, Any]:
        """The values that must be buildable before anything starts, by the key that names them in the file."""
        return {"low": self.low, "high": self.high}

    def holds(self, value: Any) -> bool:
        """Whether the value could be drawn."""
        return _is_number(value) and self.low <= value <= self.high

    def label(self, value: Any) -> Scalar:
        """The value as Optuna keeps it."""
        return float(value)

    def draw(self, trial: BaseTrial, name: str) -> Any:
        """A value, suggested by Optuna."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


class Int(Dimension):
    """A whole number from low to high, both included, in steps."""

    kind: Literal["int"]
    low: int
    high: int
    step: int = Field(1, ge=1)
    log: bool = False

    @model_validator(mode="after")
    def is_a_range(self) -> "Int":
        _ordered(self.low, self.high, self.log)
        if self.log and self.step != 1:
            raise ValueError("log and step cannot be combined")
        if (self.high - self.low) % self.step:
            reached = self.high - (self.high - self.low) % self.step
            raise ValueError(
                f"high {self.high} is never reached from {self.low} in steps of {self.step}; the last is {reached}"
            )
        return self

    @property
    def ends(self) -> dict[str, Any]:
        """See Float.ends."""
        return {"low": self.low, "high": self.high}

    def holds(self, value: Any) -> bool:
        """Whether the value could be drawn."""
        inside = _is_number(value) and self.low <= value <= self.high
        return inside and value == int(value) and (int(value) - self.low) % self.step == 0

    def label(self, value: Any) -> Scalar:
        """The value as Optuna keeps it."""
        return int(value)

    def draw(self, trial: BaseTrial, name: str) -> Any:
        """A value, suggested by Optuna."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def __str__(self) -> str:
        return f"{self.low}..{self.high}" + (f" in steps of {self.step}" if self.step > 1 else "")


class Choice(Dimension):
    """One of several values; a value may be a list. Optuna sees lists as JSON text, since no database keeps them."""

    kind: Literal["choice"]
    values: list[Any]

    @field_validator("values")
    @classmethod
    def are_different(cls, values: list[Any]) -> list[Any]:
        if not values:
            raise ValueError("there is nothing to choose from; give at least one value")
        texts = [json.dumps(value) for value in values]
        twice = sorted({text for text in texts if texts.count(text) > 1})
        if twice:
            raise ValueError(f"{twice[0]} is given twice")
        return values

    @property
    def ends(self) -> dict[str, Any]:
        """See Float.ends: every value is an end."""
        return {f"values.{i}": value for i, value in enumerate(self.values)}

    @property
    def labels(self) -> list[Scalar]:
        """The values as Optuna keeps them."""
        plain = all(isinstance(value, Scalar) for value in self.values)
        return [value if plain else json.dumps(value) for value in self.values]

    def holds(self, value: Any) -> bool:
        """Whether the value could be drawn."""
        return value in self.values

    def label(self, value: Any) -> Scalar:
        """The value as Optuna keeps it."""
        return self.labels[self.values.index(value)]

    def draw(self, trial: BaseTrial, name: str) -> Any:
        """A value, suggested by Optuna."""
        labels = self.labels
        return self.values[labels.index(trial.suggest_categorical(name, labels))]

    def __str__(self) -> str:
        return "one of " + ", ".join(json.dumps(value) for value in self.values)


class SearchSpace(Strict):
    """`search_spaces/NAME.yaml`."""

    KINDS: ClassVar[dict[str, type[Dimension]]] = {"float": Float, "int": Int, "choice": Choice}

    method: str
    base: Annotated[dict[str, Any], BeforeValidator(flatten)] = {}  # the paper's whole recipe, over library defaults
    points: list[Annotated[dict[str, Any], BeforeValidator(flatten)]] = [{}]  # tried first; {}: nothing but defaults
    search: dict[str, Annotated[Float | Int | Choice, Field(discriminator="kind")]]

    @property
    def order(self) -> list[str]:
        """Dimensions, each after those that its `when` names; a dimension in a circle is left out."""
        found: list[str] = []
        while new := [n for n, d in self.search.items() if n not in found and all(w in found for w in d.when)]:
            found += new
        return found

    def active(self, name: str, values: dict[str, Any]) -> bool:
        """Whether a dimension exists when the dimensions before it have these values."""
        return all(key in values and values[key] in wanted for key, wanted in self.search[name].when.items())

    def setting(self, name: str) -> dict[str, Any]:
        """Values of other dimensions at which this one exists."""
        values: dict[str, Any] = {}
        for key, wanted in self.search[name].when.items():
            value = next((value for value in wanted if self.search[key].holds(value)), None)
            values |= self.setting(key) | {key: value}
        return values

    def draw(self, trial: BaseTrial) -> dict[str, Any]:
        """One point of the space: dotted config field -> value, without the dimensions that do not exist there."""
        values: dict[str, Any] = {}
        for name in self.order:
            if self.active(name, values):
                values[name] = self.search[name].draw(trial, name)
        return values

    def labels(self, values: dict[str, Any]) -> dict[str, Scalar]:
        """A point as Optuna keeps it."""
        return {name: self.search[name].label(value) for name, value in values.items()}


def read(document: Document, raw: Any, under: str = "") -> SearchSpace:
    """The search space that lies below the key `under` of a file. Raises BadInput."""
    dot = f"{under}." if under else ""
    if not isinstance(raw, dict):
        raise document.error(under, f"a search space (method, base, points, search) is due, not {raw!r:.60}")
    parts = dict(raw)
    if isinstance(parts.get("search"), dict):
        parts["search"] = {k: _dimension(document, v, f"{dot}search.{k}") for k, v in parts["search"].items()}
    space = document.build(SearchSpace, parts, under)
    for name, dimension in space.search.items():
        for other, wanted in dimension.when.items():
            key, target = f"{dot}search.{name}.when.{other}", space.search.get(other)
            if target is None:
                raise document.error(key, f"no such dimension{near(other, space.search)}")
            if not isinstance(target, Choice):
                raise document.error(key, f"only a choice can switch another dimension on, not a {target.kind}")
            for value in wanted:
                if not target.holds(value):
                    raise document.error(key, f"{value!r} is never drawn there: {other} is {target}")
        if name not in space.order:
            raise document.error(f"{dot}search.{name}.when", "never holds: conditions wait for one another in a circle")
    return space


def _dimension(document: Document, raw: Any, key: str) -> Dimension:
    if not isinstance(raw, dict) or "kind" not in raw:
        raise document.error(
            key, f"a distribution is due ({{kind: {' | '.join(SearchSpace.KINDS)}, ...}}), not {raw!r:.60}"
        )
    kind = raw["kind"]
    if not isinstance(kind, str) or kind not in SearchSpace.KINDS:
        hint = near(str(kind), SearchSpace.KINDS)
        raise document.error(f"{key}.kind", f"{kind!r} is not one of {', '.join(SearchSpace.KINDS)}{hint}")
    return document.build(SearchSpace.KINDS[kind], raw, key)


def _ordered(low: int | float, high: int | float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low {low} is above high {high}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range must start above 0, not at {low}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

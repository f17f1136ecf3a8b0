"""What of a search space a sweep can serve: fixed fields leave the search, choices the frames cannot serve are
dropped and named, and every end that stays is built once, so that nothing fails in trial 41."""

from dataclasses import dataclass
from typing import Any

from skelray.errors import BadInput, near
from skelray.sweep.layers import Layer, Unbuildable, blame, build, lay, overlap
from skelray.sweep.space import Choice, SearchSpace
from skelray.trial_config import TrialConfig

SHARED = {  # what all trials of a sweep have in common, or their values would not compare
    "data": "all trials of a sweep meet the same clips",
    "evaluate": "all trials of a sweep are measured alike",
    "train.clips": "all trials of a sweep have the same length",
    "train.epochs": "all trials of a sweep have the same length",
    "seed": "the sweep's own seed decides it",
}


@dataclass
class Serving:
    """One space under one sweep. `layers`: base, trial, overrides; `fixed`: keys that --set took out of the search."""

    space: SearchSpace
    layers: list[Layer]
    fixed: list[str]
    seed: int

    def __post_init__(self) -> None:
        self.dropped: list[str] = []  # sentences

    def serve(self) -> SearchSpace:
        """The space as the sweep will search it. Raises BadInput for what cannot be built."""
        for layer in self.layers:
            self._two_lengths(layer)
        self._take_out_fixed()
        try:
            self._config({})
        except Unbuildable as error:
            raise blame(self.layers, error) from None
        for name in self.space.order:
            for shared, reason in SHARED.items():
                if overlap(name, shared):
                    raise self._error(f"search.{name}", f"is not searched: {reason}")
            self._check_ends(name)
        points: list[dict[str, Any]] = []
        for index in range(len(self.space.points)):
            point = self._point(index)
            if point is not None and point not in points:
                points.append(point)
        return self.space.model_copy(update={"points": points})

    def _config(self, values: dict[str, Any], layers: int | None = None) -> TrialConfig:
        fixed = [layer.values for layer in self.layers[:layers]]
        config = build(self.space.method, lay(*fixed, values), self.seed)
        try:
            _ = config.method.views
        except ValueError as error:
            raise Unbuildable("method", str(error)) from None
        return config

    def _two_lengths(self, layer: Layer) -> None:
        if layer.values.get("train.clips") is not None and layer.values.get("train.epochs") is not None:
            raise layer.error("train.epochs", "give exactly one of train.clips and train.epochs")

    def _take_out_fixed(self) -> None:
        """Remove the dimensions that --set decided, and those that it switched off for good."""
        now = lay(*(layer.values for layer in self.layers))
        kept: dict[str, Any] = {}
        for name in self.space.order:
            dimension = self.space.search[name]
            if any(overlap(name, key) for key in self.fixed):
                continue
            gone = {key: wanted for key, wanted in dimension.when.items() if key not in kept}
            off = next((key for key, wanted in gone.items() if now.get(key) not in wanted), None)
            if off:
                self.dropped.append(f"{self.space.method}: {name} is not searched, since {off} is {now.get(off)!r}")
                continue
            when = {key: wanted for key, wanted in dimension.when.items() if key in kept}
            kept[name] = dimension.model_copy(update={"when": when})
        asked = [name for name in self.space.search if name in kept]
        points = [{k: v for k, v in p.items() if k in kept or k not in self.space.search} for p in self.space.points]
        self.space = self.space.model_copy(update={"search": {n: kept[n] for n in asked}, "points": points})

    def _check_ends(self, name: str) -> None:
        dimension, setting = self.space.search[name], self.space.setting(name)
        kept, refused = [], []
        for key, value in dimension.ends.items():
            try:
                self._config({**setting, name: value})
                kept.append(value)
            except Unbuildable as error:
                refused.append((key, value, error.sentence))
                if not isinstance(dimension, Choice) or not self._builds_without_the_sweep({**setting, name: value}):
                    raise self._end_error(name, key, value, error.sentence) from None
        if refused and not kept:
            reasons = "; ".join(sentence for _, _, sentence in refused)
            raise self._error(f"search.{name}.values", f"none of the values can be built under this sweep: {reasons}")
        self.dropped += [f"{self.space.method}: {name} {value}: {sentence}" for _, value, sentence in refused]
        if refused:
            served = dimension.model_copy(update={"values": kept})
            self.space = self.space.model_copy(update={"search": {**self.space.search, name: served}})

    def _builds_without_the_sweep(self, values: dict[str, Any]) -> bool:
        try:
            self._config(values, layers=1)
        except Unbuildable:
            return False
        return True

    def _end_error(self, name: str, key: str, value: Any, sentence: str) -> BadInput:
        return self._error(f"search.{name}.{key}", f"{name} = {value!r} cannot be built: {sentence}")

    def _error(self, key: str, sentence: str) -> BadInput:
        under = self.layers[0].under.removesuffix("base")  # "" or "spaces.0."
        return self.layers[0].document.error(f"{under}{key}", sentence)

    def _point(self, index: int) -> dict[str, Any] | None:
        """A point with every dimension that exists there: what it leaves open is as the settings have it."""
        given, values = self.space.points[index], dict[str, Any]()
        where = f"points.{index}"
        for key in given:
            if key not in self.space.search:
                raise self._error(f"{where}.{key}", f"is not a dimension of this space{near(key, self.space.search)}")
        for name in self.space.order:
            if not self.space.active(name, values):
                if name in given:
                    raise self._error(f"{where}.{name}", f"does not exist there: {self.space.search[name].when}")
                continue
            dimension = self.space.search[name]
            value = given[name] if name in given else _field(self._config(values), name)
            if not dimension.holds(value):
                if any(line.startswith(f"{self.space.method}: {name} {value}: ") for line in self.dropped):
                    self.dropped.append(f"{self.space.method}: {where} needs {name} {value}")
                    return None
                what = f"{value!r}" if name in given else f"the default {value!r} of {name}"
                raise self._error(
                    f"{where}.{name}" if name in given else where,
                    f"{what} lies outside the search ({dimension}); widen it, or give the point a value inside",
                )
            values[name] = value
        try:
            self._config(values)
        except Unbuildable as error:
            raise self._error(where, f"cannot be built: {error}") from None
        return values


def _field(config: TrialConfig, name: str) -> Any:
    """The value of a dotted field, tuples as lists."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return _as_list(value)


def _as_list(value: Any) -> Any:
    return [_as_list(each) for each in value] if isinstance(value, tuple | list) else value

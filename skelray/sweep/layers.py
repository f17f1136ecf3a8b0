"""Settings in layers, written with dotted keys: what a later layer says replaces what an earlier one said."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from skelray import methods
from skelray.errors import BadInput
from skelray.schema import problems
from skelray.trial_config import TrialConfig
from skelray.yaml_file import Document, Model

LENGTHS = ("train.clips", "train.epochs")  # exactly one of the two counts: the one the latest layer gives


class Unbuildable(BadInput):
    """A trial that no config class accepts: `key` is dotted, `sentence` says why not."""

    def __init__(self, key: str, sentence: str):
        super().__init__(f"{key}: {sentence}" if key else sentence)
        self.key, self.sentence = key, sentence


@dataclass(frozen=True)
class Layer:
    """Some settings and the file they came from; `under` is the dotted key below which they stand there."""

    values: dict[str, Any]
    document: Document
    under: str

    def error(self, key: str, sentence: str) -> BadInput:
        """The message for a mistake in the setting `key` of this layer."""
        return self.document.error(f"{self.under}.{key}" if key else self.under, sentence)


def flatten(tree: Any) -> Any:
    """{"train": {"batch": 8}, "train.clips": 9} -> {"train.batch": 8, "train.clips": 9}; ValueError when keys clash."""
    if not isinstance(tree, dict):
        return tree  # its owner's class says what is due
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        inside = flatten(value) if isinstance(value, dict) and value else {"": value}
        for rest, leaf in inside.items():
            name = f"{key}.{rest}" if rest else str(key)
            if name in flat:
                raise ValueError(f"{name} is given twice")
            flat[name] = leaf
    for name in flat:
        clash = next((other for other in flat if name.startswith(f"{other}.")), None)
        if clash:
            raise ValueError(f"{clash} is given as one value and as a section ({name})")
    return flat


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"train.batch": 8} -> {"train": {"batch": 8}}; no key may lie below another."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *path, leaf = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = value
    return tree


def overlap(one: str, other: str) -> bool:
    """Whether two dotted keys name the same setting or a section and a setting in it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def lay(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers over earlier ones. A later train.clips replaces an earlier train.epochs, and the reverse."""
    flat: dict[str, Any] = {}
    for layer in layers:
        given = {key: value for key, value in layer.items() if key not in LENGTHS or value is not None}
        gone = {*given, *LENGTHS} if any(length in given for length in LENGTHS) else {*given}
        flat = {key: value for key, value in flat.items() if not any(overlap(key, other) for other in gone)} | given
    return flat


def build(method: str, flat: Mapping[str, Any], seed: int) -> TrialConfig:
    """The validated trial of a method. Raises Unbuildable with the key to blame."""
    for key in flat:
        if "joints" in key.split("."):
            raise Unbuildable(key, "joints come from the data, never from a config; take this line out")
        if key in ("method", "method.name"):
            raise Unbuildable(key, f"the method is named by its search space ({method}); take this line out")
        if overlap(key, "seed"):
            raise Unbuildable(key, "the seed of every trial is the sweep's: give `seed` at the top level")
    tree = nest(flat)
    part = {**tree.get("method", {}), "name": method}
    try:
        _validated(methods.load(method).Config, part, "method", flat)
    except Unbuildable as error:
        raise Unbuildable(error.key, re.sub("^unknown key", f"unknown key of {method}", error.sentence)) from None
    return _validated(TrialConfig, {**tree, "method": part, "seed": seed}, "", flat)


def blame(layers: list[Layer], error: Unbuildable) -> BadInput:
    """The message for a trial of fixed settings that cannot be built: told at the latest layer that gave the key,
    or, when the library's own default does not fit what was given, that gave another key of its section."""
    key = error.key
    while key:
        for layer in reversed(layers):
            if any(overlap(given, key) for given in layer.values):
                return layer.error(error.key, error.sentence)
        key = key.rpartition(".")[0]
    return layers[0].error(error.key, error.sentence)


def _validated(model: type[Model], data: dict[str, Any], under: str, flat: Mapping[str, Any]) -> Model:
    try:
        # as JSON and strictly: lists may be tuples, a whole number may be a float, but text is never a number
        return model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        key, sentence = problems(error, model)[0]
        key = ".".join(filter(None, (under, key)))
        raise Unbuildable(
            _named(key, sentence, [*flat, *(f"{key}.{name}".removeprefix(".") for name in model.model_fields)]),
            sentence,
        ) from None


def _named(key: str, sentence: str, settings: list[str]) -> str:
    """A section says "window 5 does not divide 48": the setting in it that the sentence names first, if any."""
    if sentence.startswith("unknown key"):
        return key
    inside = {name.split(".")[-1]: name for name in reversed(settings) if not key or name.startswith(f"{key}.")}
    inside |= {name.removesuffix("s"): inside[name] for name in inside}
    return next((inside[word] for word in re.findall(r"\w+", sentence) if word in inside), key)

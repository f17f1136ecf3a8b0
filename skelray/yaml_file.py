"""YAML files as the user wrote them: plain data, YAML 1.2 numbers, and the line of every key for messages.

`1e-3` is a number; `on`, `off`, `yes`, `no` and dates stay text; a key given twice, a tag (`!!python/...`) and an
alias are refused: a file can name data and nothing else.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from skelray import atomic
from skelray.errors import BadInput, near
from skelray.schema import problems

Model = TypeVar("Model", bound=BaseModel)

_NUMBER = list("-+.0123456789")
_SCALARS: list[tuple[str, str, list[str]]] = [  # tag, YAML 1.2 core pattern, first characters
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", _NUMBER),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        _NUMBER,
    ),
]
_TAG = "tag:yaml.org,2002:"


def _integer(text: str) -> int:
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


_PARSE: dict[str, Callable[[str], Any]] = {
    _TAG + "str": str,
    _TAG + "null": lambda text: None,
    _TAG + "bool": lambda text: text.lower() == "true",
    _TAG + "int": _integer,
    _TAG + "float": lambda text: float(re.sub(r"\.(inf|nan)$", r"\1", text.lower())),
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[Any]] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not read; write the value out", problem_mark=mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or YAML 1.2 would take for something other than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    quoted = '"' if set(text) & set("\x85\u2028\u2029") else None  # line ends that plain text would lose
    return dumper.represent_scalar(_TAG + "str", text, style=quoted)


_Dumper.add_representer(str, _text)
for _name, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _first)


@dataclass(frozen=True)
class Document:
    """One YAML mapping, and where each of its keys was written. Keys are dotted: `search.method.k.low`."""

    path: Path
    data: dict[str, Any]
    where: dict[str, str] = field(default_factory=dict)  # dotted key -> "file:line"

    def error(self, key: str, message: str) -> BadInput:
        """`file:line: dotted.key: message`; a key that the file lacks is told at the line of its nearest parent."""
        known = key
        while known and known not in self.where:
            known = known.rpartition(".")[0]
        return BadInput(": ".join(part for part in (self.where.get(known, str(self.path)), key, message) if part))

    def build(self, model: type[Model], data: Any, under: str = "") -> Model:
        """Validate a part of this file that lies below the key `under`. Raises BadInput: one line per mistake."""
        return self._told(lambda: model.model_validate(data), model, under)

    def whole(self, model: type[Model]) -> Model:
        """Validate this file strictly: a list may be a tuple, but text or true is never a number. Raises BadInput."""
        return self._told(lambda: model.model_validate_json(json.dumps(self.data), strict=True), model)

    def _told(self, validated: Callable[[], Model], model: type[Model], under: str = "") -> Model:
        try:
            return validated()
        except ValidationError as error:
            told = problems(error, model)
            meant = [name for _, text in told for name in re.findall(r'did you mean "(.+)"', text)]
            told = [(k, text) for k, text in told if not (text == "Field required" and k.split(".")[-1] in meant)]
            raise BadInput("\n".join(str(self.error(f"{under}.{k}".strip("."), text)) for k, text in told)) from None

    def taking(self, other: "Document", keys: set[str]) -> "Document":
        """This file with those top-level keys as `other` has them (absent when it lacks them)."""

        def mine(key: str) -> bool:
            return key.split(".")[0] not in keys

        data = {k: v for k, v in self.data.items() if mine(k)} | {k: v for k, v in other.data.items() if not mine(k)}
        where = {k: v for k, v in self.where.items() if mine(k)} | {k: v for k, v in other.where.items() if not mine(k)}
        return replace(self, data=data, where=where | {"": self.where[""]})

    def setting(self, key: str, value: Any, where: str) -> "Document":
        """This file with one dotted key set from elsewhere; `where` is told in place of file and line."""

        def put(tree: Any, parts: list[str]) -> dict[str, Any]:
            inside = dict(tree) if isinstance(tree, dict) else {}
            inside[parts[0]] = put(inside.get(parts[0]), parts[1:]) if parts[1:] else value
            return inside

        kept = {k: v for k, v in self.where.items() if not f"{k}.".startswith(f"{key}.")}
        return replace(self, data=put(self.data, key.split(".")), where=kept | {key: where})


def read(path: str | Path) -> Document:
    """A YAML file whose top level is a mapping. Raises BadInput when it is missing, torn or not YAML."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError) and path.parent.is_dir()
        hint = near(path.name, [other.name for other in path.parent.glob("*.yaml")]) if missing else ""
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}{hint}") from None
    return document(content, path)


def document(content: bytes, path: Path) -> Document:
    """A YAML file by its contents; `path` is where a user finds it. Raises BadInput when it is torn or not YAML."""
    where: dict[str, str] = {}
    data = _parse(content, str(path), where)
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise BadInput(f"{path}:1: a file of `key: value` lines is due, not {data!r:.60}")
    return Document(path, data, where | {"": f"{path}:1"})


def value(text: str, source: str) -> Any:
    """One value as YAML reads it: `value("1e-3", "--set optim.lr")` is 0.001. Raises BadInput naming `source`."""
    return _parse(text.encode(), source, {})


def write(path: str | Path, data: dict[str, Any]) -> None:
    """Write plain data (dict, list, tuple, text, numbers, booleans, None); the file appears whole or not at all."""
    path = Path(path)
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    with atomic.whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def _parse(content: bytes, source: str, where: dict[str, str]) -> Any:
    try:
        loader = _Loader(content)
        node = loader.get_single_node()
        return _plain(node, "", source, where) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadInput(f"{source}{line}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{source}: not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise BadInput(f"{source}: nested too deeply") from None


def _plain(node: yaml.Node, key: str, source: str, where: dict[str, str]) -> Any:
    here = f"{source}:{node.start_mark.line + 1}"
    where.setdefault(key, here)
    if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = f"{source}:{key_node.start_mark.line + 1}"
            name = key_node.value
            if key_node.tag != _TAG + "str":
                raise BadInput(f"{line}: a key must be text, not {name!r:.60}")
            dotted = f"{key}.{name}" if key else name
            if name in found:
                raise BadInput(f"{line}: {dotted}: given twice (first at {where[dotted]})")
            where[dotted] = line
            found[name] = _plain(value_node, dotted, source, where)
        return found
    if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
        return [_plain(item, f"{key}.{i}" if key else str(i), source, where) for i, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and node.tag in _PARSE:
        try:
            return _PARSE[node.tag](node.value)
        except ValueError:
            raise BadInput(f"{here}: {key}: {node.value!r:.60} is not a {node.tag.removeprefix(_TAG)}") from None
    raise BadInput(f"{here}: {key}: the tag {node.tag!r} is not read; write plain values")

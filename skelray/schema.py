"""The one base class of every config: closed, frozen and typed; and how its errors are told to a user."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skelray.errors import near

# Sizes of models: beyond these a number is a slip of the pen, and what it would build fits no machine.
Width = Annotated[int, Field(ge=1, le=65_536)]
Depth = Annotated[int, Field(ge=1, le=1000)]


class Strict(BaseModel):
    """A config that knows all its fields: an unknown key is an error, never a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class Section(Strict):
    """A part of a file that a person writes; text is never taken for a number."""

    model_config = ConfigDict(strict=True)


def reread(model: type[BaseModel], text: str) -> str:
    """A config in JSON as this version writes it: fields that an older one did not know have their defaults.

    A text that this version cannot read stays as it is.
    """
    try:
        return model.model_validate_json(text).model_dump_json()
    except ValidationError:
        return text


def problems(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str]]:
    """Each mistake in a config as (dotted key, sentence for the user); unknown keys come with the nearest known one."""
    found = []
    for entry in error.errors(include_url=False):
        path = [str(part) for part in entry["loc"]]
        message = entry["msg"].removeprefix("Value error, ")
        if entry["type"] == "extra_forbidden":
            message = "unknown key" + near(path[-1], known_keys(model, path[:-1]))
        elif entry["type"] not in ("missing", "value_error"):
            message += f", not {entry['input']!r}"
        found.append((".".join(path), message))
    return found


def known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """The fields of the config that lies at `path` below `model`, as far as plain nesting tells."""
    for part in path:
        field = model.model_fields.get(part)
        inner: Any = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return list(model.model_fields)
        model = inner
    return list(model.model_fields)

"""The checkpoints that authors released -> weights. Which key is which tensor stands in layouts.json."""

import re
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from skelray import beside, skeletons
from skelray.checkpoint import digest
from skelray.errors import BadInput, near
from skelray.skeletons import Skeleton
from skelray.weights import folder
from skelray.weights.card import Origin
from skelray.weights.folder import Weights
from skelray.weights.tensors import filled, planned, refuse_differences, size

LAYOUTS = beside.facts(__file__, "layouts.json")


def known() -> list[str]:
    """The methods whose released checkpoints can be read."""
    return sorted(LAYOUTS["methods"])


def import_(
    method: str,
    file: Path,
    out: Path,
    *,
    heads: int = 8,
    frames: int | None = None,
    skeleton: str | None = None,
    statistics: str | None = None,
    force: bool = False,
) -> Weights:
    """Write the authors' checkpoint `file` as a folder of weights, and return them.

    Tensors do not tell the number of heads, nor of frames where time has no table, nor the names of the joints (by
    default those of the only layout with so many), nor the statistics of the data. Raises BadInput, and names every
    key that is missing, unknown or of the wrong shape.
    """
    if method not in known():
        raise BadInput(
            f"no released layout of {method!r} is known{near(method, known())} (there are {', '.join(known())})"
        )
    folder.refuse_existing(out, force)
    layout = LAYOUTS["methods"][method]
    found = bare(content_of(file), layout, file)
    names = expected(found, layout)
    aside = {key for key in found if any(re.fullmatch(pattern, key) for pattern in layout.get("aside", []))}
    refuse_differences(str(file), names.keys() - found.keys(), found.keys() - names.keys() - aside)
    fields, joints = fields_of(found, layout, skeleton, frames, file)
    fields["encoder"]["heads"] = heads
    config = folder.config_of({"name": method, **fields}, str(file))

    tensors = translated(found, names, planned(config, joints), file)
    buffers = given(layout, statistics, tensors)
    parts = tuple(dict.fromkeys(name.partition(".")[0] for name in tensors))
    made = filled(config, joints, tensors, str(file), parts)
    origin = Origin(file=file.name, sha256=digest(file), layout=layout["origin"], aside=tuple(sorted(aside)))
    weights = Weights(made, joints, origin, parts, buffers)
    folder.write(weights, out, force=force)
    return weights


def content_of(file: Path) -> Any:
    """What a .safetensors or .pth file holds, without running anything in it. Raises BadInput when it cannot be had so.

    argparse.Namespace is let in, an object of plain attributes: the MAE family saves its command line beside the model.
    """
    try:
        stream = file.open("rb")
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}") from None
    with stream, torch.serialization.safe_globals([Namespace]):
        try:
            if file.suffix == ".safetensors":
                return load_file(file)
            return torch.load(stream, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever a broken or hostile file makes the readers raise
            foreign = re.search(r"GLOBAL (\S+)", str(error))
    if foreign:
        raise BadInput(f"{file} asks to run {foreign[1]}; only tensors and plain values are read")
    raise BadInput(f"{file} is not a checkpoint of PyTorch, or is cut short")


def bare(content: Any, layout: Mapping[str, Any], file: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the authors' names, without the wrappings around them and before them."""
    where = f", neither by itself nor as {' or '.join(map(repr, layout['inside']))}"
    for name in layout["inside"]:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict) or not content:
        raise BadInput(f"{file} holds no table of tensors{where}")
    for prefix in ("module.", *layout.get("prefixes", [])):
        stripped = {str(key).removeprefix(prefix): value for key, value in content.items()}
        content = stripped if len(stripped) == len(content) else content  # two of one name: both are told as unknown
    strange = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if strange:
        raise BadInput(f"{file} holds no table of tensors{where}: {', '.join(strange)} is something else")
    dense = (key for key, value in content.items() if value.layout == torch.strided and value.is_floating_point())
    if odd := sorted(content.keys() - {key for key in dense if content[key].isfinite().all()}):
        raise BadInput(f"{file}: {', '.join(odd)} holds what is no finite number")
    return {key: value.float() for key, value in content.items()}


def expected(found: Iterable[str], layout: Mapping[str, Any]) -> dict[str, list[str]]:
    """The authors' names at the depths that `found` has -> our names."""
    names: dict[str, list[str]] = {}
    copies = layout.get("copies", {})  # one part -> another that starts as the same
    for part in layout["parts"]:
        for pattern, target in LAYOUTS["parts"][part].items():
            stem = pattern.partition(".N.")[0]
            numbers = range(count(found, stem)) if ".N." in pattern else [0]
            for number in numbers:
                for kind in ("weight", "bias") if pattern.endswith(".*") else ("",):
                    first, _, rest = named(target, number, kind).partition(".")
                    also = [f"{other}.{rest}" for one, other in copies.items() if one == first]
                    names[named(pattern, number, kind)] = [f"{first}.{rest}", *also]
    return names


def named(pattern: str, number: int, kind: str) -> str:
    """blocks.N.norm1.* -> blocks.3.norm1.weight."""
    return pattern.replace(".N.", f".{number}.").replace(".*", f".{kind}")


def count(found: Iterable[str], stem: str) -> int:
    """How many different numbers follow `stem` among the keys; at least one is due."""
    numbers = {match[1] for key in found if (match := re.match(rf"{re.escape(stem)}\.(\d+)\.", key))}
    return max(1, len(numbers))


def fields_of(
    found: Mapping[str, Tensor], layout: Mapping[str, Any], skeleton: str | None, frames: int | None, file: Path
) -> tuple[dict[str, Any], Skeleton]:
    """The config's fields that tensors tell, and the joints. Raises BadInput where they tell what cannot be."""
    places = layout.get("sizes", LAYOUTS["sizes"])
    sizes = {name: length(found, key, axis, file) + sum(less) for name, (key, axis, *less) in places.items()}
    if sizes.pop("span") != 1:
        raise BadInput(f"{file}: a token of several joints is more than skelray's encoders know")
    joints = jointed(sizes.pop("joints"), sizes.pop("channels"), skeleton, file)
    sizes["encoder.frames"] = framed(sizes, frames, layout, file)
    sizes |= {name: count(found, stem) for name, stem in layout["depths"].items()}
    fields: dict[str, Any] = {"encoder": {}, **layout.get("fixed", {})}
    for name, value in sizes.items():
        section, _, last = name.rpartition(".")
        (fields[section] if section else fields)[last] = value
    return fields, joints


def length(found: Mapping[str, Tensor], key: str, axis: int, file: Path) -> int:
    """How long a tensor is along one axis. Raises BadInput for a tensor that lacks it."""
    if found[key].ndim <= axis:
        raise BadInput(f"{file}: {key} is {size(found[key])}, which has no axis {axis}")
    return found[key].shape[axis]


def framed(sizes: dict[str, int], frames: int | None, layout: Mapping[str, Any], file: Path) -> int:
    """Frames of a clip: told by the table of time steps, else asked for. Raises BadInput when the two differ."""
    told = sizes.pop("steps", 0) * sizes["encoder.patch"]
    if told and frames not in (None, told):
        raise BadInput(f"{file} was trained on {told} frames, not {frames}")
    return told or frames or layout["frames"]


def jointed(joints: int, channels: int, name: str | None, file: Path) -> Skeleton:
    """The layout of that many joints. Raises BadInput when none or several would do, or the named one does not."""
    fitting = [each for each in skeletons.layouts().values() if (len(each.joints), each.channels) == (joints, channels)]
    if name is not None:
        chosen = skeletons.layout(name)
        if chosen not in fitting:
            raise BadInput(f"{file} has {joints} joints of {channels} coordinates, {name} has {len(chosen.joints)}")
        return chosen
    if len(fitting) != 1:
        told = f" ({' or '.join(each.name for each in fitting)})" if fitting else ""
        raise BadInput(f"{file} has {joints} joints of {channels} coordinates; name their layout with --skeleton{told}")
    return fitting[0]


def translated(
    found: Mapping[str, Tensor], names: Mapping[str, list[str]], due: Mapping[str, Tensor], file: Path
) -> dict[str, Tensor]:
    """The authors' tensors under our names and in our shapes. Raises BadInput that lists every wrong shape."""
    tensors = {to: fitted(found[key], due[to]) for key, targets in names.items() for to in targets}
    wrong = [
        f"{key} is {size(found[key])} where {size(due[to])} is due"
        for key, targets in names.items()
        for to in targets[:1]
        if tensors[to].shape != due[to].shape
    ]
    if wrong:
        raise BadInput(f"{file} does not fit together: {', '.join(wrong)}")
    return tensors


def fitted(value: Tensor, due: Tensor) -> Tensor:
    """The authors' tensor as ours: kernels of convolutions as matrices, tables without leading axes of length 1.

    A kernel is D C l 1, and the numbers of one of our cells are ordered frame first: D (l C).
    """
    if value.ndim == 4 and due.ndim == 2:
        return value.transpose(1, 2).flatten(1)
    while value.ndim > due.ndim and value.shape[0] == 1:
        value = value[0]
    return value


def given(layout: Mapping[str, Any], choice: str | None, tensors: dict[str, Tensor]) -> dict[str, str]:
    """Add the statistics of the data, which the authors keep in their code; returns where each buffer comes from."""
    choices = layout.get("statistics", {})
    if not choices:
        if choice is not None:
            raise BadInput("--statistics: this method keeps none")
        return {}
    choice = choice or next(iter(choices))
    if choice not in choices:
        raise BadInput(f"--statistics: no {choice!r}{near(choice, choices)} (there are {', '.join(choices)})")
    values = choices[choice]
    tensors |= {name: torch.tensor(numbers) for name, numbers in values["buffers"].items()}
    return {name: values["origin"] for name in values["buffers"]}

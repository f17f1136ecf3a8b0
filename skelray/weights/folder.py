"""Weights <-> folder: model.safetensors, config.json and a model card; written whole or not at all, no pickle."""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from skelray import methods
from skelray.atomic import flush
from skelray.checkpoint import digest
from skelray.errors import BadInput
from skelray.method import Method, MethodConfig
from skelray.rng import generator
from skelray.schema import Strict, problems
from skelray.skeletons import Skeleton
from skelray.weights import card
from skelray.weights.card import Origin
from skelray.weights.tensors import filled

MODEL, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


class Description(Strict):
    """What config.json says. `method` is the method's own config; its class checks it."""

    format: Literal[1] = 1
    skelray: str
    method: dict[str, Any]
    skeleton: Skeleton
    parts: tuple[str, ...]  # first words of the tensors' names; a part that is absent here starts untrained
    buffers: dict[str, str]  # what was measured rather than trained -> where its numbers come from
    origin: Origin
    sha256: str  # of model.safetensors


@dataclass(frozen=True)
class Weights:
    """A method whose weights somebody trained, and what is known about them."""

    method: Method
    skeleton: Skeleton
    origin: Origin
    parts: tuple[str, ...]  # of the method, that were trained
    buffers: dict[str, str] = field(default_factory=dict)


def parts_of(method: Method) -> tuple[str, ...]:
    """What a method consists of, by the first words of its tensors' names: encoder, decoder, teacher, ..."""
    return tuple(dict.fromkeys(name.partition(".")[0] for name in method.state_dict()))


def config_of(fields: dict[str, Any], where: str) -> MethodConfig:
    """A method's config from JSON. Raises BadInput that names the field and begins with `where`."""
    cls = methods.load(str(fields.get("name"))).Config
    try:
        return cls.model_validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        told = "; ".join(f"{key}: {text}" if key else text for key, text in problems(error, cls))
        raise BadInput(f"{where}: {told}") from None


def load(folder: Path | str) -> Method:
    """The method that lies in a folder of weights, in eval mode, its features bit for bit those that were written.

    Raises BadInput for a folder that is none, or torn, or altered.
    """
    return read(Path(folder)).method


def read(folder: Path) -> Weights:
    """Everything that lies in a folder of weights. Raises BadInput for a folder that is none, or torn, or altered."""
    try:
        said = Description.model_validate_json((folder / CONFIG).read_text(encoding="utf-8"))
        if digest(folder / MODEL) != said.sha256:
            raise BadInput(f"{folder / MODEL} is torn or altered: it does not have the sha256 that {CONFIG} records")
        tensors = load_file(folder / MODEL)
    except ValidationError as error:
        key, text = problems(error, Description)[0]
        raise BadInput(f"{folder / CONFIG} does not describe weights: {f'{key}: ' if key else ''}{text}") from None
    except (OSError, UnicodeDecodeError, SafetensorError) as error:
        raise BadInput(f"{folder} holds no weights that can be read: {error}") from None
    config = config_of(said.method, f"{folder / CONFIG}: method")
    method = filled(config, said.skeleton, tensors, str(folder / MODEL), said.parts)
    return Weights(method, said.skeleton, said.origin, said.parts, said.buffers)


def write(weights: Weights, out: Path, *, force: bool = False) -> None:
    """Write a folder of weights and read it back before it takes the name `out`.

    Raises BadInput when `out` exists (with `force`: when it is anything but a folder of weights), and when the parts
    that are written do not suffice for the method's features.
    """
    refuse_existing(out, force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise BadInput(f"{out} cannot be made: {error.strerror}") from None
    try:
        describe(weights, part)
        if not torch.equal(glimpse(read(part).method, weights.skeleton), glimpse(weights.method, weights.skeleton)):
            through = " and ".join(used(weights.method, weights.skeleton))
            raise BadInput(
                f"{', '.join(weights.parts)} alone does not give {weights.method.cfg.name}'s features again: "
                f"they come through {through}"
            )
        part.chmod(0o755)
        take_place(part, out)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{out} cannot be written: {error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def describe(weights: Weights, part: Path) -> None:
    """The three files of a folder of weights."""
    state = weights.method.state_dict()
    chosen = {name: each for name, each in state.items() if name.partition(".")[0] in weights.parts}
    save_file({name: each.detach().cpu().contiguous().clone() for name, each in chosen.items()}, part / MODEL)
    said = Description(
        skelray=version("skelray"),
        method=weights.method.cfg.model_dump(mode="json"),
        skeleton=weights.skeleton,
        parts=weights.parts,
        buffers=weights.buffers,
        origin=weights.origin,
        sha256=digest(part / MODEL),
    )
    (part / CONFIG).write_text(said.model_dump_json(indent=1) + "\n", encoding="utf-8")
    sizes = {
        name: sum(each.numel() for key, each in chosen.items() if key.partition(".")[0] == name)
        for name in weights.parts
    }
    absent = [name for name in parts_of(weights.method) if name not in weights.parts]
    told = card.text(weights.method.cfg, weights.skeleton, sizes, absent, weights.origin, weights.buffers)
    (part / CARD).write_text(told, encoding="utf-8")
    for file in part.iterdir():
        file.chmod(0o644)
        flush(file)


def refuse_existing(out: Path, force: bool) -> None:
    """Raise BadInput unless `out` is free, or with `force` a folder of weights and nothing more."""
    if not (out.exists() or out.is_symlink()):
        return
    if not force:
        raise BadInput(f"{out} exists; choose another name, or replace it with --force")
    if out.is_symlink() or not out.is_dir() or {each.name for each in out.iterdir()} - {MODEL, CONFIG, CARD}:
        raise BadInput(f"{out} is not a folder of weights alone, so --force does not replace it")


def take_place(part: Path, out: Path) -> None:
    """Rename `part` to `out`; what is there stays beside it until the new folder has its name."""
    if not out.exists():
        os.replace(part, out)
    else:
        before = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        os.replace(out, before)
        try:
            os.replace(part, out)
        except OSError:
            os.replace(before, out)
            raise
        shutil.rmtree(before)
    flush(out.parent)


def used(method: Method, skeleton: Skeleton) -> tuple[str, ...]:
    """The parts of a method that its features come through."""
    seen: set[str] = set()
    hooks = [
        module.register_forward_pre_hook(lambda *_, name=name: seen.add(name.partition(".")[0]))
        for name, module in method.named_modules()
        if name
    ]
    glimpse(method, skeleton)
    for hook in hooks:
        hook.remove()
    return tuple(part for part in parts_of(method) if part in seen)


@torch.no_grad()
def glimpse(method: Method, skeleton: Skeleton) -> Tensor:
    """The features of two made-up bodies: equal before and after, or the folder is not whole."""
    shape = (2, method.cfg.encoder.frames, len(skeleton.joints), skeleton.channels)
    device = next(method.parameters()).device
    return method.eval().pretrained(0.1 * torch.randn(shape, generator=generator(0, "glimpse")).to(device)).cpu()

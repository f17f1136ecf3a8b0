"""Training state <-> folder: safetensors and JSON under a sha256 manifest, written beside and renamed into place."""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from skelray.atomic import flush

MANIFEST, TENSORS, PLAIN = "manifest.json", "tensors.safetensors", "state.json"


def save(folder: Path, state: dict[str, Any], keep: int = 2) -> Path:
    """Write `state` as folder/step-N and drop all but the newest `keep`; a kill at any moment leaves the one before.

    Steps beyond N go too: who trains up to N has refused them, and they would push whole ones out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    tensors: dict[str, Tensor] = {}
    plain = strip(state, "", tensors)
    save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, part / TENSORS)
    (part / PLAIN).write_text(json.dumps(plain))
    (part / MANIFEST).write_text(json.dumps({name: digest(part / name) for name in (TENSORS, PLAIN)}))
    for file in part.iterdir():
        flush(file)
    target = folder / f"step-{state['step']:09d}"
    if target.exists():
        shutil.rmtree(target)
    os.replace(part, target)
    flush(folder)
    known = steps(folder)
    place = known.index(target)
    for old in [*known[:place], *known[place + keep :], *folder.glob(".part-*")]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def latest(folder: Path) -> dict[str, Any] | None:
    """The newest state in `folder` that is whole; a torn or altered one is passed over with a warning."""
    for candidate in steps(folder):
        if problem := fault(candidate):
            warnings.warn(f"checkpoint {candidate} is passed over: {problem}", stacklevel=2)
            continue
        try:
            tensors = load_file(candidate / TENSORS)
            state: dict[str, Any] = dress(json.loads((candidate / PLAIN).read_text()), tensors)
        except (OSError, ValueError, SafetensorError) as error:
            warnings.warn(f"checkpoint {candidate} is passed over: {error}", stacklevel=2)
            continue
        return state
    return None


def steps(folder: Path) -> list[Path]:
    """Checkpoints in `folder`, newest first."""
    return sorted(folder.glob("step-*"), reverse=True)


def fault(candidate: Path) -> str | None:
    """Why a checkpoint cannot be trusted, or None."""
    try:
        manifest = json.loads((candidate / MANIFEST).read_text())
        altered = [name for name in (TENSORS, PLAIN) if digest(candidate / name) != manifest[name]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"it is torn ({error})"
    return f"{', '.join(altered)} does not have the recorded sha256" if altered else None


def digest(file: Path) -> str:
    """sha256 of a file, as hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def strip(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """A JSON image of nested dicts and lists; each tensor moves into `tensors` under its path."""
    if isinstance(value, Tensor):
        tensors[path] = value
        return {"tensor": path}
    if isinstance(value, dict):
        items = [[key, strip(each, f"{path}/{key}", tensors)] for key, each in value.items()]
        return {"dict": items}  # pairs, because JSON would turn the optimiser's integer keys into text
    if isinstance(value, list | tuple):
        return {"list": [strip(each, f"{path}/{number}", tensors) for number, each in enumerate(value)]}
    return {"value": value}


def dress(image: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    """The inverse of strip; tuples come back as lists."""
    ((kind, content),) = image.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: dress(each, tensors) for key, each in content}
    return [dress(each, tensors) for each in content] if kind == "list" else content

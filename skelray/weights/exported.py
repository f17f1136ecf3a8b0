"""The folder of a trial -> weights: the newest whole checkpoint, and the skeleton that its store had."""

import json
import math
from pathlib import Path
from typing import Any

from skelray import checkpoint, skeletons
from skelray.data import locate, store
from skelray.errors import BadInput
from skelray.skeletons import Skeleton
from skelray.weights import folder
from skelray.weights.card import Origin
from skelray.weights.folder import Weights
from skelray.weights.tensors import filled

SIDES = {
    "train": "training side without its validation clips",
    "everything": "whole training side",
}


def export(
    source: Path, out: Path, *, skeleton: str | None = None, parts: tuple[str, ...] = (), force: bool = False
) -> Weights:
    """Write what lies in `source`, the folder of a trial or of weights, as a folder of weights, and return it.

    `skeleton` names a layout where the store of the trial is not at hand; `parts`: these alone, by default all.
    Raises BadInput.
    """
    folder.refuse_existing(out, force)
    found = folder.read(source) if (source / folder.CONFIG).exists() else trained(source, skeleton)
    if unknown := [part for part in parts if part not in found.parts]:
        raise BadInput(f"{source} has no part {unknown[0]!r} (there are {', '.join(found.parts)})")
    chosen = parts or found.parts
    buffers = {name: told for name, told in found.buffers.items() if name.partition(".")[0] in chosen}
    weights = Weights(found.method, found.skeleton, found.origin, chosen, buffers)
    folder.write(weights, out, force=force)
    return weights


def trained(source: Path, layout: str | None) -> Weights:
    """The weights of a trial's newest checkpoint, as `skelray train --folder` or a sweep left it. Raises BadInput."""
    state = checkpoint.latest(source)
    if state is None:
        if torn := checkpoint.steps(source):
            raise BadInput(f"none of the {len(torn)} checkpoints in {source} is whole; copy it again, or train again")
        raise BadInput(
            f"{source} holds no checkpoint; a sweep keeps them in runs/NAME/trials/TRIAL, "
            "and `skelray train` in its --folder"
        )
    try:
        identity, trial = state["identity"], json.loads(state["identity"]["trial"])
        origin = Origin(
            data=trial["data"],
            fingerprint=identity["store"],
            side=SIDES[identity["side"]],
            clips=state["clips"],
            steps=state["step"],
            metrics=measured(source, state),
            trial=trial,
        )
        config, tensors = folder.config_of(trial["method"], str(source)), dict(state["model"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = str(error).replace("\n", " ")
        raise BadInput(f"{source} holds a checkpoint of something other than a trial ({why})") from None
    skeleton = skeletons.layout(layout) if layout else stored(trial["data"]["store"], identity["store"])
    method = filled(config, skeleton, tensors, str(source))
    where = f"measured or followed in training, on {trial['data']['store']} {identity['store'][:12]}"
    buffers = {name: where for name, _ in method.named_buffers() if name in tensors}
    return Weights(method, skeleton, origin, folder.parts_of(method), buffers)


def measured(source: Path, state: dict[str, Any]) -> dict[str, float]:
    """The last metrics of a trial, and those of its test where it is a final that ended."""
    found, final = dict(state["metrics"]), source / "final.json"
    if final.exists():
        try:
            said = json.loads(final.read_bytes())
            told = {name: float(value) for name, value in said["metrics"].items()}
            found |= told if said["identity"] == state["identity"] else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"{final} is not what a final wrote; delete it to go on without its test ({error})"
            ) from None
    return {name: value for name, value in found.items() if math.isfinite(value)}


def stored(name: str, fingerprint: str) -> Skeleton:
    """The skeleton of the store that a trial read. Raises BadInput when it is gone or has changed."""
    hint = "; name the layout of its joints with --skeleton"
    try:
        opened = store.open(locate.find(name))
    except BadInput as error:
        raise BadInput(f"the trial's store is not here: {error}{hint}") from None
    if opened.fingerprint != fingerprint:
        raise BadInput(f"store {name} holds other clips than the trial was trained on{hint}")
    return opened.skeleton

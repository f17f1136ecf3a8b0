"""What a user calls an encoder -> its weights: a folder of weights, the folder of a trial, or results/NAME.

Of a whole sweep it is the configuration that validation chose, trained with the first of its fresh seeds: no figure of
the test decides which encoder is handed on.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from pydantic import ValidationError

from skelray import checkpoint
from skelray.data.config import DataConfig
from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.results import Results
from skelray.schema import problems
from skelray.skeletons import Skeleton
from skelray.weights import exported, folder
from skelray.weights.folder import Weights


@dataclass(frozen=True)
class Named:
    """Weights, and where they were found."""

    weights: Weights
    folder: Path  # of weights, or of a trial
    results: Path | None = None  # of the sweep, where it was named by that

    @property
    def sha256(self) -> str:
        """Of the tensors: what config.json of a folder of these weights records."""
        state, parts = self.weights.method.state_dict(), self.weights.parts
        chosen = {name: each.detach().cpu().contiguous() for name, each in state.items() if name.split(".")[0] in parts}
        return hashlib.sha256(safetensors.torch.save(chosen)).hexdigest()


def find(name: Path | str, skeleton: str | None = None) -> Named:
    """The weights that `name` means, ready to encode. `skeleton`: the layout, where the store of a trial is gone.

    Raises BadInput when there is nothing of the kind, and when what features come through is not among the parts.
    """
    place, results = Path(name), None
    if not place.is_dir():
        raise BadInput(f"{name}: no such folder; an encoder is a folder of weights or of a trial, or results/NAME")
    if (place / "sweep.yaml").is_file():
        place, results = finalist(place), place
    elif trials := sorted(each.parent for each in place.glob("trials/*/step-*")):
        raise BadInput(f"{name} is a whole sweep; name its results, or one of its trials, e.g. {trials[0]}")
    found = folder.read(place) if (place / folder.CONFIG).exists() else exported.trained(place, skeleton)
    if lacking := [part for part in folder.used(found.method, found.skeleton) if part not in found.parts]:
        raise BadInput(f"{place} holds no {' and no '.join(lacking)}, through which {found.method.cfg.name} sees")
    found.method.eval()
    return Named(found, place, results)


def finalist(results: Path) -> Path:
    """The folder of a sweep's best finalist, or of its best trial where it has no finals. Raises BadInput."""
    told = Results(results)
    best = bare(told.best())
    finals, trials = (table[table["state"] == "complete"] for table in (told.finals(), told.trials()))
    finals = finals[finals["kind"] == "final"].sort_values("seed", kind="stable")
    keys = [
        str(key)
        for table in (finals, trials)
        for key, config in zip(table["trial"], table["config"], strict=True)
        if bare(json.loads(config)) == best
    ]
    if not keys:
        raise BadInput(f"{results} has no complete trial of its best configuration; the same command continues it")
    place = kept(results, keys[0])
    if not checkpoint.steps(place):
        raise BadInput(f"{results}: the weights of {keys[0]} are not kept at {place}; name a folder of weights")
    return place


def bare(config: dict[str, object]) -> str:
    """A trial's config without its seed, to be compared."""
    return json.dumps({key: value for key, value in config.items() if key != "seed"}, sort_keys=True)


def kept(results: Path, trial: str) -> Path:
    """Where a sweep keeps the checkpoints of a trial: runs/NAME beside the folder of results (skelray.sweep.places)."""
    whole = results.absolute()
    return whole.parent.parent / "runs" / whole.name / "trials" / trial


def data_of(found: Weights) -> DataConfig | None:
    """How the training chose its clips, and their stream; None where nobody knows. Raises BadInput."""
    if found.origin.data is None:
        return None
    try:
        return DataConfig(**found.origin.data)
    except (ValidationError, TypeError) as error:
        told = problems(error, DataConfig)[0] if isinstance(error, ValidationError) else ("", str(error))
        raise BadInput(f"what is told of the encoder's data is not true: data.{told[0]}: {told[1]}") from None


def refuse_layout(found: Weights, store: Store) -> None:
    """Raise BadInput unless an encoder can read the store's bodies: the same joints in the same order, as many
    coordinates, and for bones the same parents."""
    mine, theirs = found.skeleton, store.skeleton
    if (mine.joints, mine.channels) != (theirs.joints, theirs.channels):
        same = described(mine) == described(theirs)
        raise BadInput(
            f"the encoder was trained on {described(mine)}; {store.name} has {described(theirs)}"
            + (", in another order or under other names" if same else "")
        )
    if found.origin.stream == "bone" and mine.parents != theirs.parents:
        raise BadInput(f"the encoder was trained on bones; those of {store.name} join other joints than {mine.name}'s")


def described(skeleton: Skeleton) -> str:
    """20 joints of 3 coordinates (kinect20)."""
    return f"{len(skeleton.joints)} joints of {skeleton.channels} coordinates ({skeleton.name})"

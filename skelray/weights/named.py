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
        return self._digest(self.weights.parts)

    @property
    def encoder_sha256(self) -> str:
        """The same of the parts alone that features come through, which are all that a model in MLflow holds: what
        tells encoders apart, whatever else lies beside them."""
        return self._digest(folder.used(self.weights.method, self.weights.skeleton))

    def _digest(self, parts: tuple[str, ...]) -> str:
        state = self.weights.method.state_dict()
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
    chosen = [str(key) for key, config in zip(trials["trial"], trials["config"], strict=True) if bare(config) == best]
    finals = finals[finals["kind"] == "final"].sort_values("seed", kind="stable")
    again = [str(key) for key in finals["trial"] if key.rpartition("-seed-")[0] in chosen]
    if not chosen:
        raise BadInput(f"{results} has no complete trial of its best configuration; the same command continues it")
    key = [*again, *chosen][0]
    place = kept(results, key)
    if not checkpoint.steps(place):
        raise BadInput(f"{results}: the weights of {key} are not kept at {place}; name a folder of weights")
    return place


def bare(config: dict[str, object] | str) -> str:
    """A trial's config, or its JSON, without its seed, to be compared."""
    fields = json.loads(config) if isinstance(config, str) else config
    return json.dumps({key: value for key, value in fields.items() if key != "seed"}, sort_keys=True)


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

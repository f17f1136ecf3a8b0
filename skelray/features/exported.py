"""`skelray features`: an encoder and a store -> one feature a clip, in a Parquet file with a manifest.

Features select nothing, but labels of the test side beside them would: they stay back unless they are asked for. Test
clips are reached by `splits.open_test`, as in every evaluation, and its line in the ledger says what for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from skelray.batch import test_view
from skelray.data import facts, feature_table, folds, locate, splits, store
from skelray.data.config import DataConfig, Stream
from skelray.data.loader import Pool, fixed
from skelray.data.quarantine import Openable, Quarantine
from skelray.data.splits import Indices
from skelray.data.store import Store
from skelray.errors import BadInput, near
from skelray.evaluate.features import of_clips
from skelray.ledger import FILE as LEDGER
from skelray.weights import named
from skelray.weights.folder import Weights
from skelray.weights.named import Named

SIDES = ("train", "val", "test")
FEATURE = "mean over the tokens of a body, then over the bodies that are there"


@dataclass(frozen=True)
class Wanted:
    """Which clips are encoded."""

    split: str | None  # None: the store knows no split
    clips: Indices  # in the order of the store
    side: NDArray[np.object_]  # of every clip of the store: train, val, test or None

    def count(self, side: str | None) -> int:
        """How many of the clips lie on a side."""
        return int((self.side[self.clips] == side).sum())


def export(
    encoder: Path | str,
    store_name: str,
    out: Path,
    *,
    split: str | None = None,
    sides: Iterable[str] = SIDES,
    test_labels: bool = False,
    stream: str | None = None,
    skeleton: str | None = None,
    device: str = "cpu",
    size: int = 64,
    force: bool = False,
    command: str = "",
) -> dict[str, Any]:
    """Write the features of a store's clips to `out` and its manifest beside it; returns the manifest.

    `split`: by default the encoder's own, or the only one of the store. `sides`: which clips, as the split has them.
    `test_labels`: write labels of test clips too. `stream`: where the encoder does not tell what it looks at.
    `skeleton`: its layout, where it is a trial whose store is gone. Raises BadInput.
    """
    feature_table.refuse_place(out, force)
    found, opened = named.find(encoder, skeleton), store.open(locate.find(store_name))
    named.refuse_layout(found.weights, opened)
    looks = looked(found.weights, stream)
    wanted = chosen(found.weights, opened, split, tuple(sides))
    test = wanted.count("test")
    ledger = (found.results / LEDGER if found.results else beside(out)) if test else None
    method = found.weights.method.to(device)
    manifest = {
        "format": 1,
        "skelray": version("skelray"),
        "command": command,
        "encoder": identity(encoder, found),
        "store": described(opened),
        "split": wanted.split,
        "clips": {"all": len(wanted.clips), **{side: wanted.count(side) for side in SIDES}},
        "test": {"opened": bool(test), "labels": bool(test) and test_labels, "ledger": ledger.name if ledger else None},
        "stream": looks,
        "frames": method.cfg.encoder.frames,
        "view": "the central 95 % of a clip, stretched to `frames`, not augmented",
        "feature": FEATURE,
        "width": method.cfg.encoder.width,
        "device": device,
    }
    closed = (Openable if test else Quarantine)(opened, wanted.split) if wanted.split is not None else None
    pool = Pool(opened, device, stream=looks, quarantine=closed)
    unlabelled = np.full(opened.clips, not test_labels) & (wanted.side == "test")
    with feature_table.writing(out, opened, manifest["width"], wanted.side, unlabelled, manifest) as add:
        if ledger is None or not isinstance(closed, Openable):
            encode(found.weights, pool, wanted.clips, size, add)
            return manifest
        about = {"encoder": manifest["encoder"]["sha256"], "what": "features" + " and labels" * test_labels}
        side = splits.open_test(opened, closed.split, reader="skelray features", ledger=ledger, about=about)
        with closed.showing(side):
            encode(found.weights, pool, wanted.clips, size, add)
    return manifest


@torch.no_grad()
def encode(found: Weights, pool: Pool, clips: Indices, size: int, add: feature_table.Add) -> None:
    """Encode clips, `size` at once, and hand each batch on. Raises BadInput for features that are not finite."""
    method = found.method
    batches = fixed(pool, clips, test_view(method.cfg.encoder.frames), size)
    for number, batch in enumerate(batches):
        features = of_clips(method.pretrained, batch).cpu().numpy()
        if not np.isfinite(features).all():
            raise BadInput(f"the features of this {method.cfg.name} are not finite: its training diverged")
        add(clips[number * size : number * size + len(features)], features)


def looked(found: Weights, stream: str | None) -> Stream:
    """What the encoder looks at. Raises BadInput where that is known to be something else than `stream`."""
    known, there = named.data_of(found), get_args(Stream)
    if stream not in (None, *there):
        raise BadInput(f"--stream {stream}: no such stream{near(str(stream), there)} (there are {', '.join(there)})")
    if known is not None and stream not in (None, known.stream):
        raise BadInput(f"--stream {stream}: the encoder was trained on the {known.stream} stream")
    return known.stream if known else DataConfig(stream=stream or "joint").stream


def chosen(found: Weights, opened: Store, split: str | None, sides: tuple[str, ...]) -> Wanted:
    """The clips on these sides. Validation clips are told apart where the encoder was trained on this store and split.

    Raises BadInput for a split that the store does not serve, for several when none is named, for no clip.
    """
    if unknown := [side for side in sides if side not in SIDES]:
        raise BadInput(f"--side {unknown[0]}: no such side{near(unknown[0], SIDES)} (there are {', '.join(SIDES)})")
    own = trained_on(found, opened)
    split = split or (own.split if own else the_only(opened))
    side = np.full(opened.clips, None, dtype=object)
    if split is not None:
        side[:] = np.where(splits.training_side(opened, split), "train", "test")
        if own is not None and own.split == split:
            side[folds.choose(own, opened).val] = "val"
    clips = np.arange(opened.clips) if split is None else np.flatnonzero(np.isin(side, sides))
    if split is None and set(sides) != set(SIDES):
        raise BadInput(f"--side: {opened.name} knows no split, so none of its clips lies on a side")
    if not len(clips):
        why = "" if "val" not in sides else "; only an encoder trained on this split knows its validation clips"
        raise BadInput(f"{opened.name} has no clip on the side {' or '.join(sides)} of {split}{why}")
    return Wanted(split, clips, side)


def trained_on(found: Weights, opened: Store) -> DataConfig | None:
    """How the encoder's own training chose clips, if it was on this store."""
    return named.data_of(found) if found.origin.fingerprint == opened.fingerprint else None


def the_only(opened: Store) -> str | None:
    """The split of a store that has one, or None for a store that has none. Raises BadInput when there are several."""
    known = splits.available(opened)
    if len(known) > 1:
        raise BadInput(f"{opened.name} has the splits {', '.join(known)}; name one with --split")
    return known[0] if known else None


def beside(out: Path) -> Path:
    """Where openings of the test side are written down when the encoder is of no sweep."""
    return out.with_suffix(".test_ledger.jsonl")


def identity(name: Path | str, found: Named) -> dict[str, Any]:
    """What tells an encoder from every other, and where it comes from."""
    told, origin = found.weights, found.weights.origin
    known: Mapping[str, Any] = origin.model_dump(mode="json", include={"file", "data", "fingerprint", "side", "clips"})
    return {
        "source": str(name),
        "trial": found.folder.name if found.results else None,
        "method": told.method.cfg.model_dump(mode="json"),
        "sha256": found.sha256,
        "encoder_sha256": found.encoder_sha256,
        "parts": list(told.parts),
        "trained": {**known, "seed": (origin.trial or {}).get("seed")},
    }


def described(opened: Store) -> dict[str, Any]:
    """What the features are of."""
    skeleton = opened.skeleton
    return {
        "name": opened.name,
        "fingerprint": opened.fingerprint,
        "layout": {"name": skeleton.name, "joints": list(skeleton.joints), "coordinates": skeleton.channels},
        "classes": list(opened.classes),
        "transforms": list(opened.transforms),
        **{key: value for key, value in facts.aside(opened).items() if key != "frame_rate"},
    }

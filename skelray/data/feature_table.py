"""Features of clips as a Parquet file: one row a clip, written as it is computed, whole or not at all.

Beside FILE.parquet stands its manifest, FILE.json: what made the features, of which clips, and the sha256 of the table.
The same manifest, without the sha256, is in the table's own metadata under "skelray".
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from skelray import atomic
from skelray.data.clip import UNKNOWN
from skelray.data.splits import Indices
from skelray.data.store import Store
from skelray.errors import BadInput

GROUP = 4096  # clips in a row group: what is held in memory at once
NUMBERS = ("label", "subject", "camera")  # null where unknown, and where a label is kept back

Add = Callable[[Indices, NDArray[np.float32]], None]  # clips of the store, and their features (N D)


def manifest_of(path: Path) -> Path:
    """OUT.parquet -> OUT.json."""
    return path.with_suffix(".json")


def refuse_place(path: Path, force: bool = False) -> None:
    """Raise BadInput for a name that is not that of a Parquet file, and for one that is taken, unless forced."""
    if path.suffix != ".parquet":
        raise BadInput(f"{path} does not end in .parquet; try {path.name}.parquet")
    if not path.parent.is_dir():
        raise BadInput(f"{path} cannot be written: there is no folder {path.parent}")
    for each in (path, manifest_of(path)):
        if each.is_dir() or (each.exists() and not force):
            raise BadInput(
                f"{each} exists; choose another name" + ("" if each.is_dir() else ", or replace it by --force")
            )


@contextmanager
def writing(
    path: Path,
    store: Store,
    width: int,
    side: NDArray[np.object_],
    unlabelled: NDArray[np.bool_],
    manifest: Mapping[str, Any],
) -> Iterator[Add]:
    """Give a function that takes clips and their features; table and manifest appear when the block ends well.

    `side`: of each clip of the store, a word or None; `unlabelled`: clips whose label is not written. Raises BadInput
    where the disk does not take it.
    """
    schema = pa.schema(
        {
            "index": pa.int64(), "clip": pa.string(), **{name: pa.int32() for name in NUMBERS},
            "side": pa.string(), "feature": pa.list_(pa.float32(), width),
        },
        metadata={"skelray": json.dumps(manifest)},
    )  # fmt: skip
    waiting: list[tuple[Indices, NDArray[np.float32]]] = []

    def batch() -> pa.RecordBatch:
        clips, features = (np.concatenate(each) for each in zip(*waiting, strict=True))
        columns = {name: getattr(store, name)[clips] for name in NUMBERS}
        lost = {name: values == UNKNOWN for name, values in columns.items()}
        lost["label"] = lost["label"] | unlabelled[clips]
        flat = pa.array(np.ascontiguousarray(features, np.float32).reshape(-1))
        return pa.record_batch(
            [
                pa.array(clips, pa.int64()), pa.array(store.clip_name[clips].tolist(), pa.string()),
                *(pa.array(columns[name], mask=lost[name]) for name in NUMBERS),
                pa.array(side[clips].tolist(), pa.string()), pa.FixedSizeListArray.from_arrays(flat, width),
            ],
            schema=schema,
        )  # fmt: skip

    try:
        with atomic.whole(path) as table, atomic.whole(manifest_of(path)) as beside:
            with pq.ParquetWriter(table, schema, compression="zstd", use_dictionary=["side"]) as writer:

                def add(clips: Indices, features: NDArray[np.float32]) -> None:
                    waiting.append((clips, features))
                    if sum(len(each) for each, _ in waiting) >= GROUP:
                        writer.write_batch(batch())
                        waiting.clear()

                yield add
                if waiting:
                    writer.write_batch(batch())
            with table.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            beside.write_text(json.dumps({**manifest, "sha256": digest}, indent=1) + "\n", encoding="utf-8")
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error

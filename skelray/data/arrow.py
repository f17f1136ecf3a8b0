"""How a store lies in an Arrow file, and how one is written in bounded memory.

The file holds one record batch with one row a clip. Its first column, `joints`, is a list column, so all coordinates
lie back to back in one float buffer and the column's own offsets say where each clip begins. The schema metadata holds
the layout, the classes, the transforms and the fingerprint, a sha256 over the metadata and every other column. Those
columns include a digest of each clip's coordinates, so the fingerprint covers the coordinates too.
"""

import hashlib
import json
import mmap
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skelray.data.clip import UNKNOWN, Clip
from skelray.errors import BadInput
from skelray.skeletons import Skeleton

VERSIONS = {"float32": 1, "float16": 2}  # how coordinates are stored -> version of the file
NUMBERS = ("label", "subject", "camera", "setup", "replication", "side", "bodies", "frames")  # int32 columns
OF_THE_CLIP = ("label", "subject", "camera", "setup", "replication", "recording")
GIVEN = "given"  # the split whose sides are in the column "side"; another split's are in "side.NAME"
SIDE = "side."
KINDS: dict[str, np.dtype[Any]] = {  # what Arrow calls the numbers of a store
    "int32": np.dtype("<i4"), "int64": np.dtype("<i8"), "float": np.dtype("<f4"), "halffloat": np.dtype("<f2"),
}  # fmt: skip
DIGEST = 32  # hexadecimal digits: 128 bits of a sha256
BEYOND_HALF = 65_520.0  # metres; what is at least so large is rounded beyond the largest float16, 65,504

Row = dict[str, Any]  # what the store keeps of a clip beside its coordinates; plain JSON


class Writer:
    """Coordinates go to a raw file clip by clip, the rest is kept until `finish` makes a store of both."""

    def __init__(self, raw: IO[bytes], skeleton: Skeleton, half: bool = False):
        """`half`: coordinates are stored as float16, half the size, rounded to 11 significant bits."""
        self.raw, self.skeleton, self.kind = raw, skeleton, "float16" if half else "float32"
        self.rows: list[Row] = []

    def add(self, clip: Clip) -> Row:
        """Write a clip that has been checked. Raises BadInput for one that is too large for float16."""
        if self.kind == "float16":
            refuse_half(clip)
        joints = np.ascontiguousarray(clip.joints, dtype=np.dtype(self.kind).newbyteorder("<"))
        self.raw.write(joints.data)
        row: Row = {key: int(getattr(clip, key)) for key in OF_THE_CLIP}
        row |= {"clip_name": clip.clip_name, "sides": {name: int(side) for name, side in clip.sides.items()}}
        row |= {"bodies": joints.shape[0], "frames": joints.shape[1], "digest": digest(joints)}
        self.rows.append(row)
        return row

    def finish(self, path: Path, header: Mapping[str, Any]) -> None:
        """Make the store of all clips at `path`, whole or not at all; `header` as `Store` reads it."""
        if not self.rows:
            raise BadInput(f"{path}: no clip to store")
        self.raw.flush()
        mapped = mmap.mmap(self.raw.fileno(), 0, access=mmap.ACCESS_READ)  # goes with the last array that lies in it
        whole = {"version": VERSIONS[self.kind], "skeleton": self.skeleton.model_dump(mode="json"), **header}
        _write(path, self._batch(pa.py_buffer(mapped)), whole)

    def _batch(self, coordinates: pa.Buffer) -> pa.RecordBatch:
        width = len(self.skeleton.joints) * self.skeleton.channels
        columns = {key: np.array([row.get(key, UNKNOWN) for row in self.rows], np.int32) for key in NUMBERS}
        splits = sorted({name for row in self.rows for name in row["sides"]} | {GIVEN})
        sides = {name: np.array([row["sides"].get(name, UNKNOWN) for row in self.rows], np.int32) for name in splits}
        columns["side"] = sides.pop(GIVEN)
        recording = np.array([row["recording"] for row in self.rows], np.int32)
        extra = {f"{SIDE}{name}": side for name, side in sides.items()}
        extra |= {"recording": recording} if (recording != UNKNOWN).any() else {}
        offsets = np.concatenate([[0], np.cumsum(columns["bodies"].astype(np.int64) * columns["frames"])])
        number = pa.from_numpy_dtype(np.dtype(self.kind))
        flat = pa.Array.from_buffers(number, int(offsets[-1]) * width, [None, coordinates])
        # The coordinates come first: a byte lost or added among them moves every other column, which opening notices.
        arrays = {
            "joints": pa.LargeListArray.from_arrays(pa.array(offsets), pa.FixedSizeListArray.from_arrays(flat, width)),
            "clip_name": pa.array([row["clip_name"] for row in self.rows], pa.large_string()),
            "digest": pa.array([row["digest"].encode() for row in self.rows], pa.binary(DIGEST)),
            **{key: pa.array(column) for key, column in {**columns, **extra}.items()},
        }
        return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def refuse_half(clip: Clip) -> None:
    """Raise BadInput for a clip that is too large for float16."""
    if np.abs(clip.joints).max() >= BEYOND_HALF:
        raise BadInput(f"{clip.clip_name}: a coordinate beyond 65,504 does not fit into float16; leave out --half")


def digest(joints: NDArray[np.floating[Any]]) -> str:
    """Equal for two arrays (M T V C) exactly when shape and numbers are equal."""
    whole = hashlib.sha256(repr(joints.shape).encode())
    whole.update(joints.data)
    return whole.hexdigest()[:DIGEST]


def plain(array: pa.Array) -> NDArray[Any]:
    """The numbers of an array where they lie. (Arrow's own way imports pandas, which takes longer than all else.)"""
    if array.null_count:
        raise ValueError("a column has holes")
    kind = KINDS[str(array.type)]
    return np.frombuffer(array.buffers()[-1], kind, count=len(array), offset=array.offset * kind.itemsize)


def extras(batch: pa.RecordBatch) -> list[str]:
    """The int32 columns that only some stores have."""
    return sorted(name for name in batch.schema.names if name.startswith(SIDE) or name == "recording")


def fingerprint(header: Mapping[str, Any], batch: pa.RecordBatch) -> str:
    """The sha256 over all that a store says: header, columns and, by their digests, coordinates."""
    told = {key: header[key] for key in ("version", "name", "skeleton", "classes", "transforms")}
    total = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for key in (*NUMBERS, *extras(batch)):
        total.update(f"\n{key}\n".encode())
        total.update(plain(batch.column(key)).astype("<i4", copy=False).data)
    total.update(np.frombuffer(batch.column("digest").buffers()[1], np.uint8, count=DIGEST * len(batch)).data)
    total.update("\n".join(batch.column("clip_name").to_pylist()).encode())
    return total.hexdigest()


def _write(path: Path, batch: pa.RecordBatch, header: dict[str, Any]) -> None:
    header = {**header, "fingerprint": fingerprint(header, batch)}
    batch = batch.replace_schema_metadata({"skelray": json.dumps(header)})
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            with pa.ipc.new_file(pa.PythonFile(file), batch.schema) as writer:
                writer.write_batch(batch)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise

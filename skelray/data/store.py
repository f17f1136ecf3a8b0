"""The store: one memory-mapped Arrow file a data set. Opening it copies nothing, however many trials read it.

The file holds one record batch with one row a clip. Its first column, `joints`, is a list column, so all coordinates
lie back to back in one float32 buffer and the column's own offsets say where each clip begins. The schema metadata
holds the layout, the classes, the transforms and the fingerprint, a sha256 over the metadata and every other column.
Those columns include a digest of each clip's coordinates, so the fingerprint covers the coordinates too: opening
checks it in milliseconds, and `Store.verify` reads every byte.
"""

import hashlib
import json
import mmap
import os
import tempfile
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import pyarrow as pa
from jaxtyping import Float32
from numpy.typing import NDArray

from skelray.data.clip import Clip
from skelray.errors import BadInput
from skelray.skeletons import Skeleton

VERSION = 1
NUMBERS = ("label", "subject", "camera", "setup", "replication", "side", "bodies", "frames")  # int32 columns
DIGEST = 32  # hexadecimal digits: 128 bits of a sha256


class Store:
    """An open store. Every array is read-only and lies in the mapped file; -1 in a column means unknown."""

    label: NDArray[np.int32]
    subject: NDArray[np.int32]
    camera: NDArray[np.int32]
    setup: NDArray[np.int32]
    replication: NDArray[np.int32]
    side: NDArray[np.int32]  # 0 train, 1 test, where the source itself says so
    bodies: NDArray[np.int32]
    frames: NDArray[np.int32]
    offset: NDArray[np.int64]  # first row of each clip
    digest: NDArray[np.bytes_]  # equal for two clips exactly when their coordinates are equal
    rows: Float32[np.ndarray, "R V C"]  # body-major: clip i holds bodies[i] * frames[i] rows from offset[i] on

    def __init__(self, path: Path, batch: pa.RecordBatch, header: dict[str, Any]):
        self.path = path
        self.name: str = header["name"]
        self.fingerprint: str = header["fingerprint"]
        self.skeleton = Skeleton.model_validate(header["skeleton"])
        self.classes: tuple[str, ...] = tuple(header["classes"])
        self.transforms: tuple[str, ...] = tuple(header["transforms"])
        self._batch = batch
        for name in NUMBERS:
            setattr(self, name, batch.column(name).to_numpy(zero_copy_only=True))
        self.digest = np.frombuffer(batch.column("digest").buffers()[1], f"S{DIGEST}", count=len(batch))
        joints = batch.column("joints")
        offsets = joints.offsets.to_numpy(zero_copy_only=True)
        self.offset = offsets[:-1]
        values = joints.values.values.to_numpy(zero_copy_only=True)
        self.rows = values.reshape(-1, len(self.skeleton.joints), self.skeleton.channels)
        if offsets[0] != 0 or offsets[-1] != len(self.rows) or (np.diff(offsets) != self.bodies * self.frames).any():
            raise ValueError("the offsets of the clips do not fit their lengths")

    @property
    def clips(self) -> int:
        """How many clips there are."""
        return len(self.label)

    @cached_property
    def clip_name(self) -> NDArray[np.object_]:
        """The name of each clip in its source (made on first use, because text cannot lie in the file as numpy)."""
        return np.array(self._batch.column("clip_name").to_pylist(), dtype=object)

    def joints(self, clip: SupportsIndex) -> Float32[np.ndarray, "M T V C"]:
        """The coordinates of one clip."""
        start, bodies, frames = int(self.offset[clip]), int(self.bodies[clip]), int(self.frames[clip])
        return self.rows[start : start + bodies * frames].reshape(bodies, frames, *self.rows.shape[1:])

    def verify(self) -> None:
        """Read every coordinate. Raises BadInput naming the first clip that is not what was written."""
        for clip in range(self.clips):
            if _digest(self.joints(clip)) != self.digest[clip]:
                raise BadInput(f"{self.path}: the coordinates of {self.clip_name[clip]} changed since they were stored")


def open(path: Path) -> Store:
    """Map a store into memory. Raises BadInput when it is missing, truncated, altered or not a store."""
    if not path.is_file():
        raise BadInput(f"no store at {path}")
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        raw = (reader.schema.metadata or {}).get(b"skelray")
        if raw is None:
            raise BadInput(f"{path} is an Arrow file, but not a skelray store")
        header = json.loads(raw)
        if header["version"] != VERSION:
            raise BadInput(f"{path}: store version {header['version']}, this skelray reads {VERSION}; import it again")
        if reader.num_record_batches != 1:
            raise ValueError("more than one record batch")
        batch = reader.get_batch(0)
        batch.validate()
        store = Store(path, batch, header)
        if fingerprint(header, batch) != store.fingerprint:
            raise ValueError("the fingerprint does not fit the contents")
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is not a whole skelray store ({error}); import it again") from error
    return store


def write(
    path: Path,
    clips: Iterable[Clip],
    skeleton: Skeleton,
    name: str,
    classes: Iterable[str],
    transforms: Iterable[str] = (),
) -> None:
    """Write a store in bounded memory; it appears under `path` whole or not at all. Raises BadInput for a bad clip."""
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder; name a file for the store")
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, clips, skeleton, name, tuple(classes), transforms)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error}") from error


def _write(
    path: Path,
    clips: Iterable[Clip],
    skeleton: Skeleton,
    name: str,
    classes: tuple[str, ...],
    transforms: Iterable[str],
) -> None:
    columns: dict[str, list[Any]] = {key: [] for key in ("clip_name", "digest", *NUMBERS)}
    # The raw file has no name, so even a killed write leaves nothing of it behind.
    with tempfile.TemporaryFile(dir=path.parent) as raw:
        for clip in clips:
            clip.check(skeleton, len(classes))
            joints = np.ascontiguousarray(clip.joints, dtype="<f4")
            raw.write(joints.data)
            for key in ("clip_name", "label", "subject", "camera", "setup", "replication"):
                columns[key].append(getattr(clip, key))
            columns["side"].append(clip.sides.get("given", -1))
            columns["bodies"].append(joints.shape[0])
            columns["frames"].append(joints.shape[1])
            columns["digest"].append(_digest(joints))
        raw.flush()
        if not columns["label"]:
            raise BadInput(f"{path}: no clip to store")
        mapped = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)  # goes with the last array that lies in it
        header = {
            "version": VERSION,
            "name": name,
            "skeleton": skeleton.model_dump(mode="json"),
            "classes": list(classes),
            "transforms": list(transforms),
        }
        _write_arrow(path, _record_batch(columns, pa.py_buffer(mapped), skeleton), header)


def fingerprint(header: dict[str, Any], batch: pa.RecordBatch) -> str:
    """The sha256 over all that a store says: header, columns and, by their digests, coordinates."""
    told = {key: header[key] for key in ("version", "name", "skeleton", "classes", "transforms")}
    total = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for key in NUMBERS:
        total.update(f"\n{key}\n".encode())
        total.update(batch.column(key).to_numpy(zero_copy_only=True).astype("<i4", copy=False).data)
    total.update(np.frombuffer(batch.column("digest").buffers()[1], np.uint8, count=DIGEST * len(batch)).data)
    total.update("\n".join(batch.column("clip_name").to_pylist()).encode())
    return total.hexdigest()


def _digest(joints: Float32[np.ndarray, "M T V C"]) -> bytes:
    whole = hashlib.sha256(repr(joints.shape).encode())
    whole.update(joints.data)
    return whole.hexdigest()[:DIGEST].encode()


def _record_batch(columns: dict[str, list[Any]], coordinates: pa.Buffer, skeleton: Skeleton) -> pa.RecordBatch:
    width = len(skeleton.joints) * skeleton.channels
    lengths = np.array(columns["bodies"], np.int64) * np.array(columns["frames"], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    flat = pa.Array.from_buffers(pa.float32(), int(offsets[-1]) * width, [None, coordinates])
    rows = pa.FixedSizeListArray.from_arrays(flat, width)
    # The coordinates come first: a byte lost or added among them moves every other column, which opening notices.
    arrays = {
        "joints": pa.LargeListArray.from_arrays(pa.array(offsets), rows),
        "clip_name": pa.array(columns["clip_name"], pa.large_string()),
        "digest": pa.array(columns["digest"], pa.binary(DIGEST)),
        **{key: pa.array(columns[key], pa.int32()) for key in NUMBERS},
    }
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def _write_arrow(path: Path, batch: pa.RecordBatch, header: dict[str, Any]) -> None:
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

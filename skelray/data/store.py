"""The store: one memory-mapped Arrow file a data set. Opening it copies nothing, however many trials read it.

skelray.data.arrow says how the file is laid out. Opening checks the fingerprint in milliseconds; `Store.verify` reads
every byte.
"""

import json
import tempfile
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import pyarrow as pa
from jaxtyping import Float
from numpy.typing import NDArray

from skelray.data.arrow import DIGEST, GIVEN, NUMBERS, SIDE, VERSIONS, Writer, digest, extras, fingerprint, plain
from skelray.data.clip import UNKNOWN, Clip
from skelray.errors import BadInput
from skelray.skeletons import Skeleton

MAGIC = b"ARROW1"  # how every Arrow file begins


class Store:
    """An open store. Every array is read-only and lies in the mapped file; -1 in a column means unknown."""

    label: NDArray[np.int32]
    subject: NDArray[np.int32]
    camera: NDArray[np.int32]
    setup: NDArray[np.int32]
    replication: NDArray[np.int32]
    recording: NDArray[np.int32]  # clips cut from one recording, or from its other views, share it
    sides: dict[str, NDArray[np.int32]]  # split -> 0 train, 1 test, for each split that the source itself gives
    bodies: NDArray[np.int32]
    frames: NDArray[np.int32]
    offset: NDArray[np.int64]  # first row of each clip
    digest: NDArray[np.bytes_]  # equal for two clips exactly when their coordinates are equal
    rows: Float[np.ndarray, "R V C"]  # body-major: clip i holds bodies[i] * frames[i] rows from offset[i] on

    def __init__(self, path: Path, batch: pa.RecordBatch, header: dict[str, Any]):
        self.path = path
        self.name: str = header["name"]
        self.fingerprint: str = header["fingerprint"]
        self.skeleton = Skeleton.model_validate(header["skeleton"])
        self.classes: tuple[str, ...] = tuple(header["classes"])
        self.transforms: tuple[str, ...] = tuple(header["transforms"])
        self.about: dict[str, Any] = header.get("about", {})  # units, frame_rate, licence, reader, options
        self.half = header["version"] == VERSIONS["float16"]  # coordinates are float16
        self._batch = batch
        columns = {name: plain(batch.column(name)) for name in (*NUMBERS, *extras(batch))}
        columns.setdefault("recording", np.broadcast_to(np.int32(UNKNOWN), len(batch)))
        given = {name.removeprefix(SIDE): side for name, side in columns.items() if name.startswith(SIDE)}
        self.sides = {name: side for name, side in {GIVEN: columns["side"], **given}.items() if (side != UNKNOWN).any()}
        for name in (*NUMBERS, "recording"):
            if name != "side":
                setattr(self, name, columns[name])
        self.digest = np.frombuffer(batch.column("digest").buffers()[1], f"S{DIGEST}", count=len(batch))
        joints = batch.column("joints")
        offsets = plain(joints.offsets)
        self.offset = offsets[:-1]
        values = plain(joints.values.values)
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

    def joints(self, clip: SupportsIndex) -> Float[np.ndarray, "M T V C"]:
        """The coordinates of one clip, float32 or float16 as they are stored."""
        start, bodies, frames = int(self.offset[clip]), int(self.bodies[clip]), int(self.frames[clip])
        return self.rows[start : start + bodies * frames].reshape(bodies, frames, *self.rows.shape[1:])

    def verify(self) -> None:
        """Read every coordinate. Raises BadInput naming the first clip that is not what was written."""
        for clip in range(self.clips):
            if digest(self.joints(clip)).encode() != self.digest[clip]:
                raise BadInput(f"{self.path}: the coordinates of {self.clip_name[clip]} changed since they were stored")


def open(path: Path) -> Store:
    """Map a store into memory. Raises BadInput when it is missing, truncated, altered or not a store."""
    try:
        if not path.is_file():
            raise BadInput(f"no store at {path}")
    except OSError as error:  # a folder that may not be looked into, a name that is too long
        raise BadInput(f"{path}: {error.strerror}") from error
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        raw = (reader.schema.metadata or {}).get(b"skelray")
        if raw is None:
            raise BadInput(f"{path} is an Arrow file, but not a skelray store")
        header = json.loads(raw)
        if header["version"] not in VERSIONS.values():
            known = " and ".join(map(str, VERSIONS.values()))
            raise BadInput(f"{path}: store version {header['version']}, this skelray reads {known}; import it again")
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
    *,
    half: bool = False,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write a store in bounded memory; it appears under `path` whole or not at all. Raises BadInput for a bad clip.

    `half`: float16 coordinates. `about`: what else is known, as `Store.about` gives it back; not in the fingerprint.
    """
    header = {"name": name, "classes": list(classes), "transforms": list(transforms), "about": dict(about or {})}
    try:
        prepare(path)
        # The raw file has no name, so even a killed write leaves nothing of it behind.
        with tempfile.TemporaryFile(dir=path.parent) as raw:
            writer = Writer(raw, skeleton, half)
            for clip in clips:
                clip.check(skeleton, len(header["classes"]))
                writer.add(clip)
            writer.finish(path, header)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}") from error


def prepare(path: Path) -> None:
    """Make the folder of a new store, which may replace another. Raises BadInput when something else is at the path,
    or a file where a folder is due; OSError when it cannot be written."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder; name a file for the store")
    if path.exists() and not (path.is_file() and _begins_as_a_store(path)):
        raise BadInput(f"{path} is there already and is no store; choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise BadInput(f"{path} cannot be written: {error.filename} is no folder") from error


def _begins_as_a_store(path: Path) -> bool:
    """Also where it was cut short; an empty file does too."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) in (MAGIC, b"")

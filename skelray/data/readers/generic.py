"""Skeletons of your own: a folder, or a zip archive, of .npz, .npy or .csv clips with a `skeletons.yaml` beside them.

The file names the set, its layout, units and classes, and says how label, subject and camera are read from file names
or from a table; `skelray data describe FOLDER` drafts it. One file is one clip. Missing values are told from bodies
that are not seen: a body without any value in a frame (nothing written, not a number, or all zeros) is not there, and
is zeros in the clip; a body that is seen with a value missing is refused, or mended as `missing` says.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from pydantic import Field

from skelray import yaml_file
from skelray.data import normalise
from skelray.data.clip import Clip
from skelray.data.files import Files
from skelray.data.generic import arrays, body, cells, description, finish, listing, sides, tables
from skelray.data.generic.description import ARRAYS, ENDINGS, FILE, Description
from skelray.data.source import DataSet, Loaded, one_by_one
from skelray.errors import BadInput
from skelray.schema import Strict
from skelray.skeletons import Skeleton
from skelray.yaml_file import Document

OTHER_RATE = "clips whose timestamps tell another frame rate than frame_rate"


class Options(Strict):
    """Where the description lies; everything else is written in it."""

    description: str = Field("", description=f"the description; empty: {FILE} in the source")


@dataclass(frozen=True)
class _Known:
    """What the description says of one clip."""

    name: str
    label: int
    numbers: tuple[int, ...]  # in the order of listing.NUMBERED
    sides: Mapping[str, int]


@dataclass(frozen=True)
class _Form:
    """How clips are read: all that another process needs."""

    told: Description
    skeleton: Skeleton
    clips: Mapping[str, _Known]  # by part


def read(source: Path, options: Options = Options()) -> DataSet:
    """The data set as its description says it is. Raises BadInput, with the line of the description or of the table."""
    files = Files(source)
    document, base = _document(files, options)
    told = description.described(document)
    skeleton = body.skeleton(document, told)
    arrays.refuse_axes(document, told.array)
    arrays.refuse_pick(document, told.array, skeleton.channels)
    finish.refuse_up(document, told, skeleton)
    for number, step in enumerate(told.steps):
        try:
            normalise.refuse([step], skeleton)
        except BadInput as error:
            raise description.refusal(document, f"steps.{number}", error) from None
    parts = _parts(document, told, files, base)
    found = listing.listing(document, told, files, base, parts)
    clips, notes = _known(document, told, found)
    form = _Form(told, skeleton, dict(zip(parts, clips, strict=True)))
    digest = hashlib.sha256(repr((told, clips)).encode()).hexdigest()
    return DataSet(
        told.name,
        skeleton,
        told.classes,
        parts,
        one_by_one(partial(_clip, files, form)),
        stamp=partial(_stamp, files, digest),
        notes=(*finish.notes(told), *notes),
        steps=told.steps,
        units="half image widths and heights" if told.units == "pixels" else "metres",
        frame_rate=told.frame_rate,
        licence=told.licence or f"{FILE} names no licence; ask whoever made the data before you pass it on",
    )


def _document(files: Files, options: Options) -> tuple[Document, str]:
    """The description, and the folder within the source that its paths start from: "" or "a/b/"."""
    if options.description:
        return yaml_file.read(Path(options.description).expanduser()), ""
    if not files.root.exists():
        raise BadInput(f"no source at {files.root}")
    found = [name for name in files.names(FILE) if PurePosixPath(name).name == FILE]
    if FILE in found:
        found = [FILE]
    if len(found) != 1:
        listed = f"{len(found)} files named {FILE} ({', '.join(found[:3])})" if found else f"no {FILE}"
        raise BadInput(
            f"{files.root}: {listed}; one is due, which skelray data describe {files.root} drafts, "
            "or --set description=PATH"
        )
    return yaml_file.document(files.read(found[0]), Path(files.where(found[0]))), found[0].removesuffix(FILE)


def _parts(document: Document, told: Description, files: Files, base: str) -> list[str]:
    """The clips' files. A glob without "/" is one for the file's own name, whatever its folder."""
    ending = next(ending for ending in ENDINGS if told.files.endswith(ending))
    names = [name for name in files.names(ending) if name.startswith(base)]
    if told.from_table is not None:
        names = [name for name in names if name != base + told.from_table.path]

    def wanted(name: str) -> bool:
        path = name.removeprefix(base)
        return fnmatchcase(path if "/" in told.files else PurePosixPath(path).name, told.files)

    parts = [name for name in names if wanted(name)]
    if not parts:
        there = (
            f"; there are {len(names)} {ending} files, such as {names[0]}" if names else f"; there is no {ending} file"
        )
        raise document.error("files", f"no file below {files.root} is named like {told.files!r}{there}")
    return parts


def _known(document: Document, told: Description, found: listing.Listing) -> tuple[list[_Known], list[str]]:
    labels = listing.labels(document, told, found)
    numbered = [listing.numbers(found, field) for field in listing.NUMBERED]
    given = listing.given_sides(found)
    named = sides.sides(document, told, found) | ({"given": given} if given else {})
    clips = [
        _Known(
            name,
            labels[clip],
            tuple(values[clip] for values, _ in numbered),
            {split: side[clip] for split, side in named.items()},
        )
        for clip, name in enumerate(found.names)
    ]
    return clips, [note for _, note in numbered if note]


def _stamp(files: Files, digest: str, part: str) -> str:
    """Changes with the file, and with what the description and the table make of it."""
    return f"{files.stamp(part)} {digest}"


def _clip(files: Files, form: _Form, part: str) -> Loaded:
    told, where, known = form.told, files.where(part), form.clips[part]
    lines: Mapping[tuple[int, int], int] = {}
    other_rate = False
    if part.endswith(ARRAYS):
        written = arrays.clip(files.read(part), where, told.array, part.endswith(".npz"), form.skeleton)
    else:
        held = tables.clip(files.read(part, cells.LARGEST), where, told.csv, form.skeleton)
        written, lines = held.joints, held.lines
        if held.seconds is not None and told.frame_rate and len(held.seconds) > 1:
            other_rate = abs(1 / (float(np.median(np.diff(held.seconds))) * told.frame_rate) - 1) > 0.1
    joints, counts = finish.finished(written, told, form.skeleton, where, lines)
    if other_rate:
        counts[OTHER_RATE] += 1
    numbers = dict(zip(listing.NUMBERED, known.numbers, strict=True))
    return Loaded([Clip(known.name, joints, known.label, **numbers, sides=known.sides)], counts)

"""NTU RGB+D 60 and 120 as their owners send them: raw `.skeleton` files, in folders or in zips as downloaded.

A file name SsssCcccPpppRrrrAaaa gives setup, camera, performer, replication and action; skelray.data.ntu.parse knows
the text. What happens to the bodies is what the released preparation scripts do, on which MAMP, CTR-GCN and nearly all
published figures stand; each of its rules is a switch and is counted in the report of the import. Its quirks are kept:
a lost body that comes back closes its gap (`compressed_gaps`), what actor 2 occupies counts from the first frame
(`second_from_start`), and a clip with one body has an empty second slot in NTU 60 but the body twice in NTU 120
(`second_body`). skelray stores only bodies that are there, so an empty slot is an absent body.
"""

from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from skelray import skeletons
from skelray.data.clip import Clip
from skelray.data.files import Files, stem
from skelray.data.ntu import names
from skelray.data.ntu.parse import parse
from skelray.data.ntu.prepare import Rules, prepare
from skelray.data.source import DataSet, Loaded, one_by_one
from skelray.errors import BadInput

ENDING = ".skeleton"
LARGEST = 1 << 24  # bytes: 16 MiB; 300 frames with six bodies, more than any real file has, are 7 MB
LISTED = "on the owners' list of missing skeletons"
LICENCE = (
    "for academic research only, on request and not to be passed on; the terms are at "
    "https://rose1.ntu.edu.sg/dataset/actionRecognition"
)


class Options(Rules):
    """The switches of the preparation, and which clips are taken."""

    dataset: Literal["auto", "ntu60", "ntu120"] = Field(
        "auto", description="auto: ntu120 where a file's setup is above 17; ntu60 takes setups 1 to 17 alone"
    )
    drop_missing: bool = Field(
        True, description="leave out the 302 (NTU 60) or 535 (NTU 120) clips of the owners' list of missing skeletons"
    )


def read(source: Path, options: Options = Options()) -> DataSet:
    """The data set in a folder, or in archives, of `.skeleton` files, in the order of their names. Raises BadInput
    where there is none, or where a clip is there twice."""
    files = Files(source)
    parts = files.once(files.names(ENDING))
    if not parts:
        raise BadInput(f"{source}: no folder or archive with files named like S001C002P003R002A013{ENDING}")
    setups = {part: int(match[1]) for part in parts if (match := names.NAME.fullmatch(stem(part)))}
    dataset = options.dataset
    if dataset == "auto":
        dataset = "ntu120" if max(setups.values(), default=0) > names.SETUPS["ntu60"] else "ntu60"
    if not (parts := [part for part in parts if setups.get(part, 1) <= names.SETUPS[dataset]]):
        raise BadInput(f"{source}: dataset ntu60 has setups 1 to 17, and no file is of these; ntu120 has 1 to 32")
    return DataSet(
        dataset,
        skeletons.layout("kinect25"),
        tuple(f"A{action:03}" for action in range(1, names.CLASSES[dataset] + 1)),
        parts,
        one_by_one(partial(_clip, files, options, dataset)),
        stamp=files.stamp,
        notes=notes(options),
        steps=("spine_origin",),
        frame_rate=30.0,
        licence=LICENCE,
    )


def notes(options: Options) -> tuple[str, ...]:
    """What the preparation does, in words: as released, or where it departs."""
    changed = [
        f"{name} = {value}"
        for name, value in options.model_dump().items()
        if name in Rules.model_fields and value != Rules.model_fields[name].default
    ]
    return ("bodies: as the released NTU preparation" + (f", but {', '.join(changed)}" if changed else ""),)


def _clip(files: Files, options: Options, dataset: str, part: str) -> Loaded:
    clip_name, where = stem(part), files.where(part)
    try:
        name = names.parsed(clip_name)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    if name.action > names.CLASSES[dataset]:
        raise BadInput(f"{where}: action {name.action}, but {dataset} has 1 to {names.CLASSES[dataset]}")
    if options.drop_missing and clip_name in names.missing_skeletons(dataset):
        return Loaded(dropped=[(clip_name, LISTED)])
    duplicate = options.second_body == "duplicate" or (options.second_body == "auto" and dataset == "ntu120")
    found = prepare(parse(files.read(part, LARGEST), where), options, where, duplicate)
    if found.slots is None:
        return Loaded(counts=found.counts, dropped=[(clip_name, found.reason)])
    clip = Clip(
        clip_name,
        found.slots,
        name.action - 1,
        name.performer,
        name.camera,
        name.setup,
        name.replication,
        name.recording,
    )
    return Loaded([clip], found.counts)

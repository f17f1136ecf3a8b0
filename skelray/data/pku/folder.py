"""What lies where in a copy of PKU-MMD: skeleton, label and split files, however they were unpacked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from skelray.data.files import BETWEEN, Files
from skelray.errors import BadInput

VIDEOS = {  # phase -> the form of a video's name
    1: re.compile(r"(?P<recording>\d{4})-(?P<view>[LMR])", re.ASCII),
    2: re.compile(r"A(?P<first>\d{2})N(?P<second>\d{2})-(?P<view>[LMR])", re.ASCII),
}
FORMS = {1: "0002-L.txt", 2: "A01N01-L.txt"}
CAMERAS = {"L": 1, "M": 2, "R": 3}
SPLITS = {"xsub": "subject", "xview": "view"}
SPLIT_FILE = re.compile(r"cross[-_ ]?(subject|view)(_v2)?\.txt", re.IGNORECASE)


@dataclass(frozen=True)
class Folder:
    """The files of one phase, by the name of their video."""

    files: Files
    phase: int
    skeletons: dict[str, str]  # video -> file
    labels: dict[str, str]  # video -> file
    splits: dict[str, str]  # xsub, xview -> file

    def recording(self, video: str) -> int:
        """A number that the views of one recording share."""
        match = VIDEOS[self.phase].fullmatch(video)
        assert match is not None  # every name in here has this form
        if self.phase == 1:
            return int(match["recording"])
        return int(match["first"]) * 100 + int(match["second"])

    def stamp(self, part: str) -> str:
        """Changes when the file of a skeleton, its label file or a split file does."""
        if part not in self.skeletons:
            return ""
        names = [self.skeletons[part], *filter(None, [self.labels.get(part)]), *self.splits.values()]
        return " ".join(self.files.stamp(name) for name in names)


def find(files: Files, phase: int | None, *, skeletons: str, labels: str, splits: str) -> Folder:
    """Sort the text files below a source. `skeletons`, `labels` and `splits` are folders or archives below it.

    Where none is named, a label file is one whose path says "label", a split file is known by its own name, and the
    rest are skeletons. Raises BadInput for a folder without a file, for two files of one video, and for both phases.
    """
    names = files.names(".txt")
    for option, place in {"skeletons": skeletons, "labels": labels, "splits": splits}.items():
        if place and not any(_below(name, place) for name in names):
            raise BadInput(f"{files.root}: no .txt file below {place!r}, which --set {option}= names")
    label_files = [name for name in names if (_below(name, labels) if labels else _says_label(name, skeletons))]
    chosen = [name for name in names if _below(name, skeletons)] if skeletons else sorted({*names} - {*label_files})
    if phase is None:
        phase = _phase(files, chosen)
    if not (found := _by_video(files, chosen, phase, "skeletons")):
        packed = ", ".join(files.names(".7z")[:3])
        hint = f"; unpack {packed} first" if packed else ""
        raise BadInput(f"{files.root}: no skeleton files named like {FORMS[phase]}{hint}")
    split_files = [name for name in names if not splits or _below(name, splits)]
    return Folder(
        files,
        phase,
        found,
        _by_video(files, label_files, phase, "labels"),
        {split: file for split, word in SPLITS.items() if (file := _split_file(files, split_files, word, phase))},
    )


def _below(name: str, place: str) -> bool:
    return name.startswith((f"{place.rstrip('/')}/", f"{place}{BETWEEN}"))


def _says_label(name: str, skeletons: str) -> bool:
    folder = name[: len(name) - len(_base(name))]
    return "label" in folder.lower() and not (skeletons and _below(name, skeletons))


def _base(name: str) -> str:
    return PurePosixPath(name.rpartition(BETWEEN)[2]).name


def _phase(files: Files, names: Iterable[str]) -> int:
    phases = {
        phase for name in names for phase, form in VIDEOS.items() if form.fullmatch(_base(name).removesuffix(".txt"))
    }
    if len(phases) > 1:
        raise BadInput(f"{files.root}: holds videos of phase 1 and of phase 2; choose with --set phase=1 or 2")
    if not phases:
        packed = ", ".join(files.names(".7z")[:3])
        hint = f"; unpack {packed} first" if packed else ""
        raise BadInput(f"{files.root}: no skeleton files named like {FORMS[1]} or {FORMS[2]}{hint}")
    return phases.pop()


def _by_video(files: Files, names: Iterable[str], phase: int, option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        video = _base(name).removesuffix(".txt")
        if not VIDEOS[phase].fullmatch(video):
            continue
        if video in found:
            raise BadInput(
                f"{files.root}: {found[video]} and {name} both are of {video}; "
                f"name the folder of the {option} with --set {option}=FOLDER"
            )
        found[video] = name
    return dict(sorted(found.items()))


def _split_file(files: Files, names: Iterable[str], word: str, phase: int) -> str | None:
    of_phase: dict[bool, list[str]] = {True: [], False: []}
    for name in names:
        match = SPLIT_FILE.fullmatch(_base(name))
        if match and match[1].lower() == word:
            of_phase[bool(match[2]) == (phase == 2)].append(name)
    found = of_phase[True] or of_phase[False]
    if len(found) > 1:
        raise BadInput(f"{files.root}: {found[0]} and {found[1]} both split by {word}; choose with --set splits=FOLDER")
    return found[0] if found else None

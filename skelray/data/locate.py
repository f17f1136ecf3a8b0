"""Where the store of a name lies on this machine; the synthetic sets are built there on first use."""

import fcntl
import os
import re
from pathlib import Path

from skelray.data import store, synthetic
from skelray.errors import BadInput, near

# store -> the reader that makes it
READERS = {
    "nw-ucla": "nw_ucla",
    "utd-mhad": "utd_mhad",
    "msrc12": "msrc12",
    "ntu60": "ntu_skeleton",
    "ntu120": "ntu_skeleton",
    "ntu60-2d": "pyskl",
    "ntu120-2d": "pyskl",
    "pkummd1": "pku_mmd",
    "pkummd2": "pku_mmd",
}

WORD = re.compile(r"\w[\w .+-]*")  # what may name a store


def folder() -> Path:
    """The folder of stores: $SKELRAY_STORES, by default ~/.cache/skelray/stores."""
    return Path(os.environ.get("SKELRAY_STORES") or "~/.cache/skelray/stores").expanduser()


def place(name: str) -> Path:
    """Where a store of that name or path lies, or is to lie. Raises BadInput for a name that skelray keeps for itself,
    and for what is neither a name nor a path of a store."""
    if name in {*synthetic.SIZES, *map(_edition, synthetic.SIZES)}:
        raise BadInput(f"{name!r} is built by skelray itself; choose another name for the store")
    if not _is_path(name):
        if not WORD.fullmatch(name):
            raise BadInput(f"{name!r} cannot name a store; a word can, or a path that ends in .arrow")
        return folder() / f"{name}.arrow"
    if Path(name).suffix != ".arrow" or name.endswith("/"):
        raise BadInput(f"{name} is no path of a store, which ends in .arrow; try {name.rstrip('/')}.arrow")
    return Path(name).expanduser()


def find(name: str) -> Path:
    """The path of a store: a name in `folder()`, or a path (it holds a "/" or ends in .arrow).

    A synthetic set is built within seconds when it is not there yet. Raises BadInput for a missing store, with the
    command that would make it.
    """
    if name in synthetic.SIZES:
        return _built(name)
    path = place(name)
    try:
        if path.is_file():
            return path
    except OSError as error:  # a folder that may not be looked into, a name that is too long
        raise BadInput(f"{path}: {error.strerror}") from error
    if _is_path(name):
        raise BadInput(f"no store at {path}; make it with: skelray data import READER SOURCE {path}")
    stores = sorted(file.stem for file in folder().glob("*.arrow"))
    hint = "" if name in READERS else near(name, {*stores, *READERS, *synthetic.SIZES})
    reader = READERS.get(name, "READER")
    known = f" (there are {', '.join(stores)})" if stores else ""
    raise BadInput(
        f"no store named {name!r} at {path}{known}; make it with: skelray data import {reader} SOURCE {name}{hint}"
    )


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(".arrow")


def _edition(name: str) -> str:
    """The recipe's version is part of the name: a newer skelray never trains on an older one's set."""
    return f"{name}-{synthetic.VERSION}"


def _built(name: str) -> Path:
    path = folder() / f"{_edition(name)}.arrow"
    if _whole(path):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise BadInput(f"no store can be built: {error}; set SKELRAY_STORES to a folder of yours") from error
    with beside as lock:
        fcntl.flock(
            lock, fcntl.LOCK_EX
        )  # whoever comes second waits, then finds it built; a dead process holds nothing
        if not _whole(path):
            synthetic.build(path, name)
    return path


def _whole(path: Path) -> bool:
    try:
        store.open(path)
    except BadInput:
        return False
    return True

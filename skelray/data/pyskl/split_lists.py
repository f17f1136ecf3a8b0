"""The split lists of an annotation file: names of clips under names such as xsub_train, xsub_val, train1, test1."""

import re
from dataclasses import dataclass, field
from typing import Any

from skelray.data.clip import TEST, TRAIN
from skelray.errors import BadInput

NAMED = re.compile(r"(.*?)_?(train|val|test)(\d*)")


@dataclass(frozen=True)
class Sides:
    """Which side of which split each clip lies on."""

    sides: dict[str, dict[str, int]] = field(default_factory=dict)  # clip -> split -> TRAIN or TEST
    twice: dict[str, tuple[str, str]] = field(default_factory=dict)  # clip -> two lists that contradict each other
    idle: dict[str, str] = field(default_factory=dict)  # clip -> a list that is of neither side


def sides(lists: Any, where: str) -> Sides:
    """What the lists say. "xsub_train" is the training side of "xsub", "train1" of "split1", "train" of "given".

    Where a split has a list "test", its list "val" belongs to training: skelray takes its own validation from there.
    Raises BadInput for anything but lists of names.
    """
    if not isinstance(lists, dict):
        raise BadInput(f'{where}: "split" is no dict of lists')
    known: dict[tuple[str, str], list[str]] = {}  # (split, kind) -> names
    found = Sides()
    for name, members in lists.items():
        if not isinstance(members, list | tuple) or not all(isinstance(member, str) for member in members):
            raise BadInput(f'{where}: the split list "{name}" is no list of clip names')
        match = NAMED.fullmatch(str(name))
        if match is None:
            found.idle.update(dict.fromkeys(members, str(name)))
            continue
        stem, kind, number = match.groups()
        split = f"{stem}_{number}" if stem and number else stem or (f"split{number}" if number else "given")
        known[split, kind] = list(members)
    for (split, kind), members in known.items():
        side = TRAIN if kind == "train" or (kind == "val" and (split, "test") in known) else TEST
        for member in members:
            mine = found.sides.setdefault(member, {})
            if mine.setdefault(split, side) != side:
                found.twice[member] = (split, kind)
    return found

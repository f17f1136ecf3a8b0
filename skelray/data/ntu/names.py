"""What the file names of NTU RGB+D say, and which files there are: SsssCcccPpppRrrrAaaa.

Every performer of a setup did every action of his data set twice before three cameras: 60 actions in setups 1 to 17
(NTU 60), actions 61 to 120 in setups 18 to 32 (which NTU 120 adds). ntu.json has the performers of each setup, and the
clips whose skeletons the owners list as missing or wrong: 302 in NTU 60, 535 in NTU 120.
"""

import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from skelray import beside
from skelray.errors import BadInput

SETS = ("ntu60", "ntu120")
CLASSES = {"ntu60": 60, "ntu120": 120}
SETUPS = {"ntu60": 17, "ntu120": 32}
CAMERAS, REPLICATIONS, PERFORMERS = 3, 2, 106
NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")


@dataclass(frozen=True, slots=True)
class Name:
    """A clip's name, taken apart. Every number counts from 1."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    @property
    def recording(self) -> int:
        """A number that the three cameras of one performance share, and nobody else has."""
        return ((self.setup * 1000 + self.performer) * 10 + self.replication) * 1000 + self.action


def parsed(name: str) -> Name:
    """A clip's name, taken apart. Raises BadInput for one that no file of NTU RGB+D can have."""
    match = NAME.fullmatch(name)
    if match is None:
        raise BadInput(f"{name!r} is not a name like S001C002P003R002A013")
    found = Name(*map(int, match.groups()))
    for what, number, most in (
        ("setup", found.setup, SETUPS["ntu120"]),
        ("camera", found.camera, CAMERAS),
        ("performer", found.performer, PERFORMERS),
        ("replication", found.replication, REPLICATIONS),
        ("action", found.action, CLASSES["ntu120"]),
    ):
        if not 1 <= number <= most:
            raise BadInput(f"{name!r} names {what} {number}; there are 1 to {most}")
    return found


@cache
def missing_skeletons(dataset: str) -> frozenset[str]:
    """The names on the owners' list of clips with missing or wrong skeletons: of "ntu60" or "ntu120"."""
    return frozenset(name for name in _known()["missing"] if parsed(name).setup <= SETUPS[dataset])


@cache
def expected(dataset: str) -> frozenset[str]:
    """The names of all clips of "ntu60" (56,578) or "ntu120" (113,945), those of missing_skeletons left out."""
    names = set()
    for setup, performers in _known()["performers"].items():
        if int(setup) > SETUPS[dataset]:
            continue
        first = 1 if int(setup) <= SETUPS["ntu60"] else CLASSES["ntu60"] + 1
        for camera, performer, replication, action in product(
            range(1, CAMERAS + 1), performers, range(1, REPLICATIONS + 1), range(first, first + 60)
        ):
            names.add(f"S{int(setup):03}C{camera:03}P{performer:03}R{replication:03}A{action:03}")
    return frozenset(names) - missing_skeletons(dataset)


def _known() -> dict[str, Any]:
    return beside.facts(__file__, "ntu.json")

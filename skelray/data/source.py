"""What a reader makes of a source: a data set in parts, each of which can be read apart from the others.

A part is whatever a format reads at once, most often a file. Importing reads parts side by side, notes each finished
one, and goes on after a kill where it stopped; a part that cannot be read is one sentence, not the end of the rest.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from skelray.data import normalise
from skelray.data.clip import Clip
from skelray.errors import BadInput
from skelray.skeletons import Skeleton


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one part gave."""

    clips: list[Clip] = field(default_factory=list)
    counts: Mapping[str, int] = field(default_factory=dict)  # rule, in words -> how often it changed something
    dropped: Sequence[tuple[str, str]] = ()  # (clip name, the rule that left it out)
    error: str = ""  # why the part cannot be read: file, line, what is wrong, what would be right
    stamp: str = ""  # of the part before it was read; `DataSet.read` sets it


Load = Callable[[Sequence[str]], Iterator[Loaded]]


def unstamped(part: str) -> str:
    """The stamp of a part that is known not to change."""
    return ""


@dataclass(frozen=True)
class DataSet:
    """A readable source: everything that importing asks for. `load` and `stamp` can be sent to another process."""

    name: str  # the store's; splits.json knows official protocols by it
    skeleton: Skeleton
    classes: tuple[str, ...]
    parts: Sequence[str]  # in the order of the store
    load: Load  # consecutive parts -> one Loaded each, as the source has them
    together: bool = False  # the parts are one stream, which only one process can read
    stamp: Callable[[str], str] = unstamped  # changes when a part's file does: a continued import reads it again
    notes: tuple[str, ...] = ()  # what the reader does to coordinates, in words; kept with the store
    steps: tuple[str, ...] = ()  # of skelray.data.normalise, done to every clip
    units: str = "metres"
    frame_rate: float | None = None  # frames a second
    licence: str = ""  # what the owner of the data allows, in a sentence, and where it is written

    @property
    def transforms(self) -> tuple[str, ...]:
        """What was done to the coordinates, in words."""
        return (*self.notes, *(normalise.sentence(step) for step in self.steps))

    def aligned(self, steps: Sequence[str]) -> "DataSet":
        """The same clips under other steps. Raises BadInput for a step nobody knows or that the layout cannot take."""
        normalise.refuse(steps, self.skeleton)
        return replace(self, steps=tuple(steps))

    def read(self, parts: Sequence[str]) -> Iterator[Loaded]:
        """Consecutive parts with the steps done and every clip checked; a bad clip makes its part an error."""
        # zip takes a stamp before it has the part read: a file that changes meanwhile is not taken for the one that was
        for stamp, loaded in zip(map(self.stamped, parts), self.load(parts), strict=True):
            try:
                clips = [self._finished(clip) for clip in loaded.clips]
            except BadInput as error:
                yield Loaded(error=str(error), stamp=stamp)
            else:
                yield replace(loaded, clips=clips, stamp=stamp)

    def stamped(self, part: str) -> str:
        """The stamp of a part as it is now."""
        try:
            return self.stamp(part)
        except BadInput:  # the file is gone; reading it tells why
            return "gone"

    @property
    def clips(self) -> Iterator[Clip]:
        """Every clip, read in this process. Raises BadInput at the first part that cannot be read."""
        for loaded in self.read(self.parts):
            if loaded.error:
                raise BadInput(loaded.error)
            yield from loaded.clips

    def _finished(self, clip: Clip) -> Clip:
        clip.check(self.skeleton, len(self.classes))
        if not self.steps:
            return clip
        clip = replace(clip, joints=normalise.align(clip.joints, self.skeleton, self.steps))
        clip.check(self.skeleton, len(self.classes))  # a step may leave the range of numbers
        return clip


def one_by_one(read: Callable[[str], Loaded]) -> Load:
    """The `load` of a source whose parts are read apart: BadInput becomes the part's error. `read` is a module's own
    function or a `functools.partial` of one, so that it can be sent to another process."""
    return partial(_one_by_one, read)


def _one_by_one(read: Callable[[str], Loaded], parts: Sequence[str]) -> Iterator[Loaded]:
    for part in parts:
        try:
            yield read(part)
        except BadInput as error:
            yield Loaded(error=str(error))

"""Store + clips + views -> batches. No per-clip Python: cropping and resizing are one gather over the mapped rows.

A batch is a pure function of (seed, step, size): the random numbers of the whole global batch are drawn on the CPU and
each rank takes its slice, so the same seed gives the same clips, crops and rotations whatever the number of workers.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from skelray.batch import Batch, View
from skelray.data import augment, streams
from skelray.data.config import Stream
from skelray.data.quarantine import Quarantine
from skelray.data.splits import Indices
from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.rng import generator

Change = Callable[[Tensor, Tensor], Tensor]  # joints of whole clips (N M T V C), which clips these are -> such joints
RESIDENT_SHARE = 0.5  # of the device's free memory: a data set below it lies there whole


class Pool:
    """The rows of a store where they are used: mapped (CPU), copied to the device, or fetched batch by batch."""

    def __init__(
        self,
        store: Store,
        device: torch.device | str = "cpu",
        resident: bool | None = None,
        stream: Stream = "joint",
        quarantine: Quarantine | None = None,
    ):
        """`resident`: whether the rows lie on the device; None decides by its free memory. `stream`: of every batch.

        `quarantine`: keeps test clips from being read while anything is still to be chosen.
        """
        self.store, self.stream, self.quarantine = store, stream, quarantine
        self.skeleton = store.skeleton  # of every batch
        self.device = torch.device(device)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # nobody writes to rows
            self.rows = torch.from_numpy(store.rows.reshape(len(store.rows), -1))
        if self.device.type == "cuda" and resident is None:
            resident = self.rows.nbytes < RESIDENT_SHARE * torch.cuda.mem_get_info(self.device)[0]
        self.resident = self.device.type == "cpu" or bool(resident)
        if self.resident:
            self.rows = self.rows.to(self.device)
        self.offset, self.frames, self.count, self.label = (
            torch.tensor(column, dtype=torch.int64)
            for column in (store.offset, store.frames, store.bodies, store.label)
        )
        self.bodies = int(store.bodies.max())  # of the clip with the most; every batch has room for them

    def view(
        self,
        clips: Int[Tensor, " N"],
        start: Int[Tensor, " N"],
        length: Int[Tensor, " N"],
        frames: int,
        place: Float[Tensor, "N T"] | None = None,
        origin: int | None = None,
    ) -> Float[Tensor, "N M T V C"]:
        """Frames start : start + length of each clip, resampled to `frames`, on the device; absent bodies are zeros.

        `place`: where in the crop each new frame is read, as `resample` takes it. `origin`: each body is moved, by the
        same way in all frames, so that this joint starts where that of the clip's first body does. Raises BadInput for
        clips in quarantine.
        """
        if self.quarantine is not None:
            self.quarantine.refuse(clips.numpy())
        body = torch.arange(self.bodies)
        present = body < self.count[clips, None]
        begin = self.offset[clips, None] + torch.where(present, body * self.frames[clips, None], 0)
        where = self.rows.device
        begin, first, long, present = (
            x.expand_as(begin).flatten().to(where, non_blocking=True)
            for x in (begin, begin + start[:, None], length[:, None], present)
        )
        if place is not None:
            place = place.repeat_interleave(self.bodies, 0).to(where, non_blocking=True)
        x = resample(self.rows, first, long, present, frames, place)
        if origin is not None:
            joints = self.store.rows.shape[1]
            starts = self.rows.unflatten(1, (joints, -1))[begin, origin].float().unflatten(0, (len(clips), -1))
            away = (starts - starts[:, :1]).flatten(0, 1) * present[:, None]
            x = (x.unflatten(2, (joints, -1)) - away[:, None, None]).flatten(2)
        if not self.resident:
            x = x.pin_memory().to(self.device, non_blocking=True)
        return x.view(len(clips), self.bodies, frames, *self.store.rows.shape[1:])

    def present(self, clips: Int[Tensor, " N"]) -> Tensor:
        """Which of the bodies each clip has, bool (N, M) on the device."""
        return (torch.arange(self.bodies) < self.count[clips, None]).to(self.device)


class Loader:
    """Training batches of some clips of a pool; implements `batch.Source`."""

    def __init__(
        self, pool: Pool, indices: Indices, views: Sequence[View], *, seed: int, rank: int = 0, world: int = 1
    ):
        if not len(indices):
            raise BadInput("no clip to train on")
        if pool.quarantine is not None:
            pool.quarantine.refuse(indices, training=True)
        self.pool, self.views, self.seed, self.rank, self.world = pool, tuple(views), seed, rank, world
        self.indices = torch.as_tensor(indices, dtype=torch.int64)
        for number, view in enumerate(self.views):
            if view.within is not None and view.within >= number:
                raise ValueError(f"view {number} lies within view {view.within}, which does not come before it")
            if view.origin is not None and view.origin >= len(pool.skeleton.joints):
                raise BadInput(f"origin {view.origin} is no joint of the {len(pool.skeleton.joints)} of the data")
        skeleton = pool.skeleton
        self.augmentations = [
            [augment.load(name).on(skeleton, view.strength.get(name), view.chance.get(name)) for name in view.augment]
            for view in self.views
        ]
        self._epoch = -1
        self._order = self.indices

    @property
    def clips(self) -> int:
        """Clips in one epoch."""
        return len(self.indices)

    def batch(self, step: int, size: int) -> Batch:
        """This rank's share of the `size` clips of optimiser step `step`. An epoch drops its last, incomplete batch."""
        if size > self.clips:
            raise BadInput(f"train.batch is {size}, but there are only {self.clips} clips to train on")
        if size % self.world:
            raise BadInput(f"train.batch is {size}, which does not divide among {self.world} workers")
        epoch, within = divmod(step, self.clips // size)
        if epoch != self._epoch:
            order = torch.randperm(self.clips, generator=generator(self.seed, "order", epoch))
            self._epoch, self._order = epoch, self.indices[order]
        share = size // self.world
        mine = slice(self.rank * share, (self.rank + 1) * share)
        clips = self._order[within * size : (within + 1) * size]
        looks: list[Tensor] = []
        spans: list[tuple[Tensor, Tensor]] = []  # first frame and length of each view's crops, for the views within
        whole = (torch.zeros_like(clips), self.pool.frames[clips])
        for number, (view, augmentations) in enumerate(zip(self.views, self.augmentations, strict=True)):
            random = generator(self.seed, "view", number, step)
            outer, room = whole if view.within is None else spans[view.within]
            start, length = crop(room, view, random)
            start = outer + start
            spans.append((start, length))
            place = segments(length, view.frames, random)[mine] if view.sample == "segments" else None
            x = self.pool.view(clips[mine], start[mine], length[mine], view.frames, place, view.origin)
            for augmentation in augmentations:
                x = augmentation.apply(x, augmentation.draw(size, random)[mine].to(x.device))
            looks.append(streams.of(x, self.pool.stream, self.pool.skeleton))
        return _batch(
            self.pool, clips[mine], looks, generator(self.seed, "loss", step, self.rank, device=self.pool.device)
        )


def fixed(pool: Pool, indices: Indices, view: View, size: int, change: Change | None = None) -> Iterator[Batch]:
    """Every clip once, in order, for evaluation; the last batch may be smaller. Nothing is left to chance.

    `change`: what is done to the joints of each batch, before its stream is made.
    """
    if view.augment or not view.centred or view.crop[0] != view.crop[1]:
        raise ValueError("an evaluation view is centred, of one length, and has no augmentation")
    chance = generator(0, "fixed")
    for clips in torch.as_tensor(indices, dtype=torch.int64).split(size):
        start, length = crop(pool.frames[clips], view, chance)
        x = pool.view(clips, start, length, view.frames)
        x = x if change is None else change(x, clips)
        x = streams.of(x, pool.stream, pool.skeleton)
        yield _batch(pool, clips, [x], generator(0, "fixed", device=pool.device))


def crop(frames: Int[Tensor, " N"], view: View, random: torch.Generator) -> tuple[Int[Tensor, " N"], Int[Tensor, " N"]]:
    """First frame and number of frames of each clip's crop; a clip shorter than the shortest crop is kept whole."""
    low, high = view.crop
    share, place = torch.rand(2, len(frames), dtype=torch.float64, generator=random)
    share = low + (high - low) * share
    # A centred crop loses the same whole number of frames on both sides, as in MAMP's code.
    length = frames - 2 * ((1 - share) * frames / 2).long() if view.centred else (frames * share).long()
    length = torch.minimum(length.clamp(min=view.shortest_crop), frames)
    spare = frames - length
    return (spare // 2 if view.centred else (place * (spare + 1)).long()), length


def resample(
    rows: Float[Tensor, "R F"],
    first: Int[Tensor, " B"],
    length: Int[Tensor, " B"],
    present: Tensor,
    frames: int,
    place: Float[Tensor, "B T"] | None = None,
) -> Float[Tensor, "B T F"]:
    """Rows first : first + length of each body, stretched to `frames` by linear interpolation along time.

    `place` says where each new frame is read, counted in frames from the first; by default they stand evenly.
    """
    if rows.dtype != torch.float32:  # a sum in float16 would round once more
        rows, first = widened(rows, first, length)
    place = evenly(length, frames) if place is None else place
    left = place.long()
    right = (left + 1).minimum((length - 1)[:, None])
    weight = place - left
    # Two rows a frame, weighed and added while they are read: no copy of either neighbour is made.
    pairs = torch.stack([left, right], -1).add_(first[:, None, None]).view(-1, 2)
    shares = torch.stack([1 - weight, weight], -1).mul_(present[:, None, None]).view(-1, 2)
    return functional.embedding_bag(pairs, rows, mode="sum", per_sample_weights=shares).view(len(first), frames, -1)


def widened(
    rows: Float[Tensor, "R F"], first: Int[Tensor, " B"], length: Int[Tensor, " B"]
) -> tuple[Float[Tensor, "S F"], Int[Tensor, " B"]]:
    """Rows first : first + length of each body alone, as float32, and where each body's begin there."""
    begin = length.cumsum(0) - length
    row = torch.arange(int(length.sum()), device=rows.device)
    return rows.index_select(0, row + (first - begin).repeat_interleave(length)).float(), begin


def evenly(length: Int[Tensor, " B"], frames: int) -> Float[Tensor, "B T"]:
    """Where in `length` frames each of `frames` frames is read.

    The same numbers as torch's `interpolate(mode="linear", align_corners=False)`: half-pixel centres, edges held.
    """
    place = (torch.arange(frames, device=length.device) + 0.5) * (length[:, None] / frames) - 0.5
    return place.clamp(min=0).minimum((length - 1)[:, None])


def segments(length: Int[Tensor, " N"], frames: int, random: torch.Generator) -> Float[Tensor, "N T"]:
    """Whole frames drawn in order, as SLiM's code samples a crop of L frames to W.

    L < W: evenly, between frames. W <= L < 2W: any W of them are equally likely. L >= 2W: one of each of W segments.
    """
    draw = torch.rand(len(length), 2 * frames, dtype=torch.float64, generator=random)
    beyond = torch.arange(2 * frames) >= length[:, None]
    subset = draw.masked_fill(beyond, 2.0).argsort(1)[:, :frames].sort(1).values
    edges = torch.arange(frames + 1) * length[:, None] // frames
    spread = edges[:, :-1] + (draw[:, :frames] * edges.diff(dim=1)).long()
    picked = subset.where((length < 2 * frames)[:, None], spread).float()
    return picked.where((length >= frames)[:, None], evenly(length, frames))


def _batch(pool: Pool, clips: Int[Tensor, " N"], views: Sequence[Tensor], random: torch.Generator) -> Batch:
    return Batch(views, pool.present(clips), pool.label[clips].to(pool.device), random)

"""What a loader yields, and the letters that name its axes everywhere in skelray.

N clips   M bodies per clip   B = N * M bodies   T frames   V joints   C coordinates (metres)
P tokens per body, time varies slowest   K visible tokens   D width   F numbers in one cell
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from pydantic import AfterValidator, Field, model_validator
from torch import Tensor

from skelray.schema import Strict


def is_a_range(crop: tuple[float, float]) -> tuple[float, float]:
    """The crop, if it is a range of shares; raises ValueError otherwise."""
    if not 0 < crop[0] <= crop[1] <= 1:
        raise ValueError(f"{list(crop)} is not a range within 0..1")
    return crop


Bodies = Literal["all", "first", "random"]  # "first", "random": one body of each clip, of those that are there
Crop = Annotated[tuple[float, float], AfterValidator(is_a_range)]  # least and largest share of a clip's frames


class View(Strict):
    """One look at a clip. A method lists the views it wants; the loader makes them; neither knows the other."""

    frames: int = Field(120, ge=1)  # after resampling
    crop: Crop = (0.5, 1.0)  # share of the clip's frames that is kept, drawn evenly
    crop_minimum: int | None = Field(None, ge=1)  # frames; None: 64 at 120 frames, in proportion otherwise
    centred: bool = False  # True: the crop lies in the middle instead of anywhere
    within: int | None = Field(None, ge=0)  # an earlier view, by its number: the crop is a share of that one's crop
    sample: Literal["linear", "segments"] = "linear"  # how a crop becomes `frames` frames, see skelray.data.loader
    origin: int | None = Field(None, ge=0)  # the joint by which a body is moved to where the clip's first body starts
    augment: tuple[str, ...] = ("rotate",)  # names of functions in skelray.data.augment, applied in this order
    strength: dict[str, float | tuple[float, ...]] = {}  # of an augmentation, where it is not the usual one
    chance: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}  # that it changes a clip, where not the usual one

    @model_validator(mode="after")
    def only_what_is_there_is_tuned(self) -> "View":
        if unknown := sorted({*self.strength, *self.chance} - set(self.augment)):
            raise ValueError(f"strength and chance belong to names in augment, and {unknown[0]!r} is not there")
        return self

    @property
    def shortest_crop(self) -> int:
        """Frames below which no clip is cropped (MAMP: 64 of 120)."""
        return self.crop_minimum or max(1, round(64 * self.frames / 120))


def test_view(frames: int) -> View:
    """The view of every evaluation: the central 95 % of the clip, no augmentation (MAMP's code)."""
    return View(frames=frames, crop=(0.95, 0.95), crop_minimum=1, centred=True, augment=())


test_view.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest makes of its name


@dataclass(frozen=True, slots=True)
class Batch:
    """Some clips, seen in one or more views. Absent bodies are zeros in every view."""

    views: Sequence[Float[Tensor, "N M _ V C"]]  # the number of frames may differ between views
    present: Bool[Tensor, "N M"]  # False where a clip has fewer than M bodies
    label: Int[Tensor, " N"]  # for probes and fine-tuning; a pretraining loss never reads it
    generator: torch.Generator  # the only source of randomness of a loss; on the device of the views

    def bodies(self, view: int = 0) -> Float[Tensor, "B T V C"]:
        """One view with the bodies folded into the batch: each body is encoded by itself."""
        return self.views[view].flatten(0, 1)

    def counted(self, absent: bool = False, view: int = 0) -> Float[Tensor, "B T V C"]:
        """The bodies that enter a loss: those that are there, or with `absent` all, as the authors' code has it.

        A body that does not count is not encoded either: of NTU RGB+D 60's bodies two in five are absent.
        """
        bodies = self.bodies(view)
        return bodies if absent else bodies[self.present.flatten()]

    def chosen(self, which: Bodies) -> "Batch":
        """The same clips with all bodies, with the first body that is there, or with one of them by chance."""
        if which == "all":
            return self
        order = torch.arange(self.present.shape[1], 0, -1, device=self.present.device).expand_as(self.present)
        score = order.float()
        if which == "random":
            score = torch.rand(self.present.shape, generator=self.generator, device=self.generator.device)
        body = (score + 1).mul(self.present).argmax(1)  # of a clip without any body the first place
        rows = torch.arange(len(body), device=body.device)
        return replace(self, views=[v[rows, body, None] for v in self.views], present=self.present[rows, body, None])

    def split(self, parts: int) -> list["Batch"]:
        """Equal pieces for gradient accumulation; they draw from one generator, one after the other.

        Raises ValueError when the clips do not fall into equal pieces.
        """
        if len(self.label) % parts:
            raise ValueError(f"{len(self.label)} clips of one worker do not fall into {parts} equal pieces")
        pieces = zip(*(v.chunk(parts) for v in (*self.views, self.present, self.label)), strict=True)
        return [replace(self, views=piece[:-2], present=piece[-2], label=piece[-1]) for piece in pieces]


@runtime_checkable
class Source(Protocol):
    """Where training batches come from: a pure function of the step, so a resume needs no replay."""

    @property
    def clips(self) -> int:
        """Clips in one epoch."""

    def batch(self, step: int, size: int) -> Any:
        """This rank's share of the `size` clips of optimiser step `step` (global, counted from 0)."""

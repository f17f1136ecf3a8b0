"""The contract of a pretraining method: a Config, a loss, and an encoder to hand on."""

from typing import Any, ClassVar

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from skelray.batch import Batch, Bodies, Crop, View
from skelray.layers.encoder import Encoder, EncoderConfig
from skelray.schema import Strict
from skelray.skeletons import Skeleton
from skelray.trainable import Losses, Trainable


class MethodConfig(Strict):
    """What every method's config has; `name` is a Literal in each: the name of its file."""

    name: str
    encoder: EncoderConfig = EncoderConfig()
    crop: Crop = (0.5, 1.0)  # share of a clip's frames that a training view keeps
    crop_minimum: int | None = Field(None, ge=1)  # frames; None: 64 at 120 frames, in proportion otherwise
    augment: tuple[str, ...] = ("rotate",)  # augmentations of a training view, in order
    bodies: Bodies = "all"  # of a clip, in pretraining; evaluation takes all
    count_absent: bool = False  # True: absent bodies count in the loss, as in the authors' code

    def refuse_batch(self, clips: int) -> None:
        """Raise ValueError where the loss cannot do with so many clips at once."""

    def refuse_stream(self, stream: str) -> None:
        """Raise ValueError where the loss needs the places of joints, and `stream` is something else."""

    @property
    def views(self) -> tuple[View, ...]:
        """The looks at a clip that the loss wants, in the order of Batch.views."""
        return (View(frames=self.encoder.frames, crop=self.crop, crop_minimum=self.crop_minimum, augment=self.augment),)


class Method(Trainable):
    """One pretraining method: `Method(cfg, skeleton)`, then loss(batch) to train and pretrained(x) to evaluate."""

    Config: ClassVar[type[MethodConfig]]
    encoder: Encoder

    def __init__(self, cfg: Any, skeleton: Skeleton):
        super().__init__()
        self.cfg = cfg

    def forward(self, batch: Batch) -> Losses:
        """The loss of the bodies that the config asks for."""
        return self.loss(batch.chosen(self.cfg.bodies))

    def pretrained(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B P D"]:
        """What evaluation takes away: the final, normalised tokens of complete bodies, coordinates in metres."""
        tokens: Tensor = self.encoder(x)
        return tokens

    @property
    def backbone(self) -> nn.Module:
        """What `pretrained` goes through: the teacher where a method has one. Its `body` has `blocks` and a `norm`."""
        found: nn.Module = getattr(self, "teacher", self.encoder)
        return found

    def tables(self) -> set[str]:
        """Every parameter that is looked up rather than multiplied: those that belong to no linear layer or norm."""
        return {name for name, _ in self.named_parameters() if name.rpartition(".")[2] not in ("weight", "bias")}

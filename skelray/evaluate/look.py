"""What a probe or a classifier sees in training: MAMP's crop and rotation, whatever a method pretrains on."""

from pydantic import field_validator

from skelray.batch import Crop, View
from skelray.data import augment
from skelray.errors import near
from skelray.method import MethodConfig
from skelray.schema import Strict


class Look(Strict):
    """How a clip is changed before it is looked at."""

    crop: Crop = (0.5, 1.0)  # share of a clip's frames that a training view keeps
    augment: tuple[str, ...] = ("rotate",)  # augmentations of a training view, in order

    @field_validator("augment")
    @classmethod
    def augmentations_exist(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = augment.available()
        for name in names:
            if name not in known:
                raise ValueError(f"no {name!r}{near(name, known)} (there are {', '.join(known)})")
        return names

    def view(self, method: MethodConfig) -> View:
        """As many frames as the encoder takes; a clip that is too short to be cropped is what the method says."""
        frames, least = method.encoder.frames, method.crop_minimum
        return View(frames=frames, crop=self.crop, crop_minimum=least, augment=self.augment)

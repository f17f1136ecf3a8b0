"""Which clips a trial works on, as a config says it."""

from typing import Any, Literal

from pydantic import Field, field_validator

from skelray.errors import near
from skelray.schema import Strict

Stream = Literal["joint", "bone", "motion"]  # what of a body a method looks at, see skelray.data.streams


class DataConfig(Strict):
    """Which clips: a store, its official split, and how much of the training side is held out for validation."""

    store: str = "synthetic"  # a name that skelray.data.locate knows, or a path to an .arrow file
    split: str = "xsub"
    val_subjects: int = Field(2, ge=1)  # at least so many, and at least 10 % of the clips
    val_seed: int = Field(0, ge=0)  # draws them; apart from the trial's seed: all trials meet the same clips
    stream: Stream = "joint"  # in training and in evaluation alike
    folds: int | Literal["subjects"] | None = None  # cut the training side in so many, or in one a subject
    fold: int = Field(0, ge=0)  # which of the folds validates, instead of val_subjects; val_seed draws them

    @field_validator("folds", mode="before")
    @classmethod
    def is_a_number_of_folds(cls, folds: Any) -> Any:
        number = isinstance(folds, int) and not isinstance(folds, bool) and folds >= 2
        if not (number or folds is None or folds == "subjects"):
            hint = near(str(folds), ["subjects"])
            raise ValueError(f'{folds!r} is neither a number of folds, 2 or more, nor "subjects"{hint}')
        return folds

    @field_validator("fold")
    @classmethod
    def is_one_of_the_folds(cls, fold: int, info: Any) -> int:  # info: ValidationInfo, see trial.of_its_own_class
        folds = info.data.get("folds")
        if folds is None and fold and "folds" in info.data:
            raise ValueError(f"fold {fold} is one of no folds; say how many there are in data.folds")
        if isinstance(folds, int) and fold >= folds:
            raise ValueError(f"there is no fold {fold} of {folds}; they count from 0 to {folds - 1}")
        return fold

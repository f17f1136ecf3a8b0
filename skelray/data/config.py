"""Which clips a trial works on, as a config says it."""

from pydantic import Field

from skelray.schema import Strict


class DataConfig(Strict):
    """Which clips: a store, its official split, and how much of the training side is held out for validation."""

    store: str = "synthetic"  # a name that skelray.data.locate knows, or a path to an .arrow file
    split: str = "xsub"
    val_subjects: int = Field(2, ge=1)  # at least so many, and at least 10 % of the clips
    val_seed: int = Field(0, ge=0)  # draws them; apart from the trial's seed: all trials meet the same clips

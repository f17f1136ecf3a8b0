"""What a search hands out."""

from dataclasses import dataclass
from typing import Literal

from skelray.trial_config import TrialConfig

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """One trial handed out."""

    key: str  # "amr-003"
    method: str
    number: int  # among the method's trials handed out, from 0
    config: TrialConfig
    resumed: bool = False  # it ran before and was interrupted: go on from its checkpoint
    value: float | None = None  # of a complete trial: the objective

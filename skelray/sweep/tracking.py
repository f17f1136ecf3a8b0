"""MLflow: one parent run a sweep, one nested child a trial, written by a thread that training never waits for."""

from pathlib import Path
from typing import Literal

from skelray.events import Event


def check(uri: str) -> str:
    """The URI to use from now on (absolute; "none" stays); raises BadInput at once when nothing answers there."""
    raise NotImplementedError


class Tracker:
    """Sends events to MLflow; sending never blocks and never raises, and the same event twice adds nothing."""

    def __init__(self, uri: str, name: str, tags: dict[str, str]) -> None:
        raise NotImplementedError

    def send(self, event: Event) -> None:
        """Queue one event and return; on a resume send the whole journal: what is already known is passed over."""
        raise NotImplementedError

    def artifact(self, path: Path, under: str = "") -> None:
        """Queue a file (or a folder) to lie with the parent run, in the artifact folder `under`."""
        raise NotImplementedError

    def close(self, state: Literal["complete", "stopped", "failed"], timeout: float = 60.0) -> bool:
        """Wait until all is written, end the parent run; False (and a warning) when the server stayed away."""
        raise NotImplementedError

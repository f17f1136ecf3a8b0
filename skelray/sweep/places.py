"""Where a sweep keeps what it makes, and who may work there."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from skelray import resume
from skelray.errors import BadInput


@dataclass(frozen=True)
class Places:
    """The two folders of a sweep."""

    results: Path  # small and readable: to be committed
    runs: Path  # study database, journal, checkpoints: needed until the sweep is finished

    @classmethod
    def of(cls, name: str, results: Path) -> "Places":
        """`results/<name>`, and `runs/<name>` beside the folder of results."""
        if not name or name in (".", "..") or "/" in name or not name.isprintable():
            raise BadInput(f"--name {name!r}: a plain folder name is due")
        return cls(results / name, results.absolute().parent / "runs" / name)

    @property
    def journal(self) -> Path:
        return self.runs / "journal.jsonl"

    @property
    def finished(self) -> Path:
        """A marker: everything is written and told."""
        return self.runs / "finished"

    def is_finished(self) -> bool:
        """Whether nothing is left to do: here, or where only the results were brought from elsewhere."""
        whole = all((self.results / name).exists() for name in ("trials.parquet", "best.yaml", "report.md"))
        return whole and (self.finished.exists() or not self.journal.exists())

    def refuse_half(self) -> None:
        """Raise BadInput when results are begun but what would continue them is gone."""
        if (self.results / "trials.parquet").exists() and not self.journal.exists():
            raise BadInput(
                f"{self.results} holds an unfinished sweep whose {self.runs} is gone; "
                "bring that back, choose another --name, or delete the results"
            )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the sweep for this process; a killed one holds nothing. Raises BadInput when another works on it."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            held = ExitStack()
            busy = f"another process works on {self.runs}; wait for it, or choose another --name"
            held.enter_context(resume.alone(self.runs / "lock", busy))
        except OSError as error:
            raise BadInput(f"{self.runs} cannot be written ({error.strerror}); choose another --results") from error
        with held:
            yield

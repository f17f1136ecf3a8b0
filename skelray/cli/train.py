"""`skelray train`: one trial in this process, from the YAML that a sweep leaves as best.yaml."""

import tempfile
from pathlib import Path
from typing import Annotated

import torch
import typer

from skelray import trial, trial_config, yaml_file
from skelray.errors import BadInput
from skelray.train import Diverged

app = typer.Typer()


@app.command()
def train(
    file: Annotated[
        Path, typer.Argument(help="A trial: data, method, optim, train, evaluate and seed, as in best.yaml.")
    ],
    folder: Annotated[
        Path | None, typer.Option(help="Where checkpoints stay, so that the same command continues after a kill.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda. Numbers repeat bit for bit on a CPU.")] = "cpu",
) -> None:
    """Run one trial and print its numbers; the same file gives the same val/* again. Reads no test clip."""
    document = yaml_file.read(file)
    config = document.whole(trial_config.TrialConfig)
    usable(device)
    trial.settle(config)
    with tempfile.TemporaryDirectory(prefix="skelray-train-") as scratch:
        place = writable(folder or Path(scratch))
        try:
            metrics = trial.run(config, folder=place, report=told, device=device)
        except Diverged as error:
            raise BadInput(f"{file}: the training diverged: {error}; try a lower optim.lr, or optim.clip") from error
    for name, value in metrics.items():
        typer.echo(f"{name} {value!r}")  # every digit: this is what "the same number" is held against


def told(clips: int, metrics: dict[str, float]) -> None:
    """One line for each report of the trial."""
    typer.echo(f"{clips:,} clips: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()), err=True)


def writable(folder: Path) -> Path:
    """The folder, made if need be. Raises BadInput when it is a file or cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise BadInput(f"--folder {folder} is a file") from None
    except OSError as error:
        raise BadInput(f"--folder {folder} cannot be made: {error.strerror}") from None
    return folder


def usable(device: str) -> None:
    """Raise BadInput for a device that this machine lacks."""
    if device not in ("cpu", "cuda"):
        raise BadInput(f"--device {device}: cpu or cuda is due")
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda: torch sees no CUDA device on this machine; leave it out to train on the CPU")

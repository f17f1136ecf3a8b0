"""`skelray weights`: folders of trained weights, out of trials and out of what authors released."""

from pathlib import Path
from typing import Annotated

import typer

from skelray import weights
from skelray.weights.imported import known

app = typer.Typer(no_args_is_help=True, help="Make folders of weights out of trials and out of released checkpoints.")

Out = Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace OUT if it is a folder of weights.")]
Layout = Annotated[str | None, typer.Option("--skeleton", help="The joints' layout, where nothing else tells it.")]


@app.command(name="import")
def import_(
    method: Annotated[str, typer.Argument(help=f"One of {', '.join(known())}.", show_default=False)],
    checkpoint: Annotated[Path, typer.Argument(help="The authors' .pth or .safetensors file.", show_default=False)],
    out: Out,
    heads: Annotated[int, typer.Option(help="Attention heads, which no tensor tells.")] = 8,
    frames: Annotated[int | None, typer.Option(help="Frames of a clip, where no table of positions tells.")] = None,
    skeleton: Layout = None,
    statistics: Annotated[
        str | None, typer.Option(help="Whose mean and variance, for methods that standardise.")
    ] = None,
    force: Force = False,
) -> None:
    """Read the authors' CHECKPOINT of METHOD and write OUT. Nothing in the file is run."""
    made = weights.import_(
        method, checkpoint, out,
        heads=heads, frames=frames, skeleton=skeleton, statistics=statistics, force=force,
    )  # fmt: skip
    told(made, out)


@app.command()
def export(
    source: Annotated[Path, typer.Argument(help="The folder of a trial, or of weights.", show_default=False)],
    out: Out,
    part: Annotated[list[str] | None, typer.Option(help="This part alone, e.g. encoder; may be given again.")] = None,
    skeleton: Layout = None,
    force: Force = False,
) -> None:
    """Write the newest checkpoint in SOURCE as OUT: model.safetensors, config.json and a model card."""
    told(weights.export(source, out, skeleton=skeleton, parts=tuple(part or ()), force=force), out)


@app.command()
def model(
    source: Annotated[
        str, typer.Argument(help="A folder of weights, the folder of a trial, or results/NAME.", show_default=False)
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.", show_default=False)],
    skeleton: Layout = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is an MLflow model.")] = False,
) -> None:
    """Write the encoder in SOURCE as OUT, a model that MLflow loads and serves, with a model card. Needs no server."""
    from skelray.results import Results
    from skelray.sweep import models  # after the options are read: --help need not wait for Ray
    from skelray.weights import named

    models.refuse_existing(out, force)
    found = named.find(source, skeleton)
    facts = models.facts_of(Results(found.results), found.folder.name, found.weights) if found.results else None
    models.save(found.weights, out, facts, force=force)
    typer.echo(f"{out}: {found.weights.method.cfg.name}, mlflow.pyfunc.load_model({str(out)!r}).predict(clips)")


def told(made: weights.Weights, out: Path) -> None:
    """One line about what was written."""
    typer.echo(f"{out}: {made.method.cfg.name}, {', '.join(made.parts)}")

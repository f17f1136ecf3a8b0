"""`skelray features`: what an encoder sees in each clip of a store, as a Parquet file."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def features(
    encoder: Annotated[
        str, typer.Argument(help="A folder of weights, the folder of a trial, or results/NAME.", show_default=False)
    ],
    store: Annotated[str, typer.Argument(help="The name or path of a store.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="The .parquet file to write.", show_default=False)],
    split: Annotated[
        str | None, typer.Option(help="Which split tells the sides; by default the encoder's own.", show_default=False)
    ] = None,
    side: Annotated[
        list[str] | None,
        typer.Option(help="train, val or test; may be given again. By default every clip.", show_default=False),
    ] = None,
    test_labels: Annotated[bool, typer.Option("--test-labels", help="Write the labels of test clips too.")] = False,
    stream: Annotated[
        str | None,
        typer.Option(help="joint, bone or motion, where the encoder does not tell what it sees.", show_default=False),
    ] = None,
    skeleton: Annotated[
        str | None, typer.Option(help="The joints' layout, where the store of a trial is gone.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    force: Annotated[bool, typer.Option("--force", help="Replace OUT and its manifest.")] = False,
) -> None:
    """Write one feature a clip to OUT.parquet, and what made it to OUT.json. Labels of test clips stay back."""
    from skelray.cli.train import usable
    from skelray.features.exported import SIDES, export  # after the options are read: --help need not wait for torch

    usable(device)
    told = export(
        encoder, store, out,
        split=split, stream=stream, test_labels=test_labels, skeleton=skeleton, device=device,
        force=force, command=shlex.join(["skelray", *sys.argv[1:]]), sides=side or SIDES,
    )  # fmt: skip
    clips = told["clips"]
    sides = ", ".join(f"{clips[each]:,} {each}" for each in ("train", "val", "test") if clips[each])
    known = f" ({told['split']}: {sides})" if told["split"] else ""
    typer.echo(f"{out}: {clips['all']:,} clips{known}, {told['width']} numbers each")
    if told["test"]["opened"]:
        labels = "with" if told["test"]["labels"] else "without"
        typer.echo(f"test clips are in it {labels} their labels; written down in {told['test']['ledger']}")

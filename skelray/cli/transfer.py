"""`skelray transfer`: encoders on other stores than they were trained on, as a matrix."""

from pathlib import Path
from typing import Annotated

import typer

from skelray.cli.evaluate import Settings, Threads

app = typer.Typer()


@app.command()
def transfer(
    sources: Annotated[
        list[str],
        typer.Option(
            "--from", help="A folder of weights or of a trial, or results/NAME; may be given again.", show_default=False
        ),
    ],
    targets: Annotated[
        list[str],
        typer.Option(
            "--to",
            help="A store, with :SPLIT unless it has one or is the encoder's own; may be given again.",
            show_default=False,
        ),
    ],
    protocol: Annotated[str, typer.Option(help="Protocols, with commas between them.")] = "linear,knn",
    set_: Settings = None,
    floor: Annotated[bool, typer.Option(help="Measure each encoder untrained, too.")] = True,
    test: Annotated[
        bool, typer.Option("--test", help="Score test sides; each opening is written down in OUT.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="A folder for transfer.json and transfer.md.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Threads = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of what the protocols draw.")] = 0,
) -> None:
    """Measure every encoder on every store: its split, its classes, its joints found by name."""
    import torch
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from skelray import transfer as matrices  # after the options are read: --help need not wait for torch
    from skelray.cli.train import usable

    usable(device)
    torch.set_num_threads(threads)
    asked = [name.strip() for name in protocol.split(",") if name.strip()]

    def told(row: matrices.Row) -> None:
        count = row["joints"]["found"]
        note = f" ({count} joints found; {matrices.filled(row)})" if row["joints"]["filled"] else ""
        own = ", the split that it was trained on" if row["own_split"] else ""
        typer.echo(f"{matrices.named_in_table(row)} on {row['to']}{own}: measured{note}", err=True)

    rows = matrices.run(
        sources, targets, asked, settings=tuple(set_ or ()), floor=floor, test=test, out=out, device=device, seed=seed,
        told=told,
    )  # fmt: skip
    for metric in matrices.metrics(rows, asked):
        header, lines = matrices.matrix(rows, metric)
        table = Table(title=f"{rows[0]['side']}/{metric}", title_justify="left", box=SIMPLE, pad_edge=False)
        for place, column in enumerate(header):
            table.add_column(column, justify="right" if place else "left", overflow="fold")
        for line in lines:
            table.add_row(*line)
        Console().print(table)

"""`skelray data subset`: which clips keep their label when few do."""

import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from skelray.data import locate, splits, store, subsets
from skelray.errors import BadInput


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command()
    def subset(
        store_: Annotated[str, typer.Argument(metavar="STORE", help="The name or path of a store.")],
        split: Annotated[str, typer.Argument(help="A split of it; the subset is of its training side.")],
        share: Annotated[float, typer.Option(help="0.01, 0.05, 0.1 or 0.25 of the training side.")],
        draw: Annotated[int, typer.Option(help="0 to 4: another choice of clips.")] = 0,
        out: Annotated[Path | None, typer.Option(help="Copy the index file here, too.")] = None,
    ) -> None:
        """Say which clips are labelled when only a share is, and keep them in a file that all methods share."""
        opened = store.open(locate.find(store_))
        found = subsets.labelled(opened, split, share, draw)
        inside = splits.training_clips(opened, split)
        table = Table(
            "class", "labelled", "training clips", title=f"{share:.0%} of {opened.name}, {split}, draw {draw}"
        )
        numbers = (np.bincount(opened.label[clips], minlength=len(opened.classes)) for clips in (found.indices, inside))
        for name, some, every in zip(opened.classes, *numbers, strict=True):
            table.add_row(name, f"{some:,}", f"{every:,}")
        table.add_row("all", f"{len(found.indices):,}", f"{len(inside):,}", style="bold")
        Console().print(table)
        print(f"{found.path}\nfingerprint {found.fingerprint}")
        if out is not None:
            try:
                shutil.copyfile(found.path, out)
            except OSError as error:
                raise BadInput(f"--out {out} cannot be written: {error.strerror}") from error

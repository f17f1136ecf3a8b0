"""`skelray data splits`: what a store can be split by, and who validates."""

import warnings
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from skelray.data import expected, folds, held_out, locate, splits, store
from skelray.data.config import DataConfig
from skelray.errors import BadInput


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command(name="splits")
    def splits_(
        store_: Annotated[str, typer.Argument(metavar="STORE", help="The name or path of a store.")],
        val_subjects: Annotated[int, typer.Option(min=1, help="How many subjects validate, at least.")] = 2,
        val_seed: Annotated[int, typer.Option(min=0, help="Draws them.")] = 0,
    ) -> None:
        """List the splits of a store: how many clips train, validate and test, and which subjects validate."""
        opened = store.open(locate.find(store_))
        names = splits.available(opened)
        if not names:
            raise BadInput(f"{opened.path} knows no split: nothing in it says which clips train and which test")
        table = Table("split", "train", "validation", "test", "held out", title=f"{opened.name}, seed {val_seed}")
        for split in names:
            table.add_row(split, *_row(opened, DataConfig(split=split, val_subjects=val_subjects, val_seed=val_seed)))
        Console().print(table)
        for line in map(str, expected.disagreements(opened)):
            print(line)


def _row(opened: store.Store, config: DataConfig) -> list[str]:
    train, test = splits.sizes(opened, config.split)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the last column says what the warning would
            selection = folds.choose(config, opened)
    except BadInput as error:
        return [f"{train:,}", "0", f"{test:,}", str(error)]
    by = held_out.unit(opened, selection.everything)
    held = np.unique(selection.val if by == "clip" else getattr(opened, by)[selection.val])
    told = {
        "subject": f"subjects {', '.join(map(str, held))}",
        "recording": f"{len(held):,} recordings (subjects are unknown)",
        "clip": "a tenth of each class (subjects and recordings are unknown)",
    }
    return [f"{len(selection.train):,}", f"{len(selection.val):,}", f"{test:,}", told[by]]

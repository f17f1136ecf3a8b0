"""`skelray data page`: a data set on one HTML page."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from skelray.data import locate, store
from skelray.show import output


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command()
    def page(
        store_: Annotated[str, typer.Argument(metavar="STORE", help="The name or path of a store.")],
        out: Annotated[
            Path | None,
            typer.Option("--out", "-o", help="A file ending in .html; by default in this folder.", show_default=False),
        ] = None,
        quick: Annotated[
            bool,
            typer.Option(
                "--quick", help="Do not read every coordinate: nothing is verified, no missing joint is counted."
            ),
        ] = False,
    ) -> None:
        """Draw a data set: its facts, how its clips spread, and a moving clip of each class; one file, no network."""
        from skelray.show import dataset

        opened = store.open(locate.find(store_))
        path = output.place(out, opened.path.stem, (".html",))
        with Console(stderr=True).status(f"reading {opened.clips:,} clips"):
            if not quick:
                opened.verify()
            text = dataset.text(opened, quick)
        with output.whole(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")

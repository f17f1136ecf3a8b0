"""`skelray data show`: what a store holds."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skelray.data import locate, store


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command()
    def show(
        store_: Annotated[str, typer.Argument(metavar="STORE", help="The name or path of a store.")],
        quick: Annotated[
            bool,
            typer.Option(
                "--quick", help="Do not read every coordinate: nothing is verified, no missing joint is counted."
            ),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="The same facts for machines.")] = False,
    ) -> None:
        """Say what a store holds, after reading every byte of it."""
        from skelray.data import facts, telling

        opened = store.open(locate.find(store_))
        with Console(stderr=True).status(f"reading {opened.clips:,} clips"):
            if not quick:
                opened.verify()
            found = facts.gather(opened, quick)
        if as_json:
            print(json.dumps(found, indent=1))
            return
        table = Table(show_header=False, title=escape(f"{opened.name} at {opened.path}"))
        table.add_column()
        table.add_column(overflow="fold")
        for what, value in telling.told(found).items():
            table.add_row(what, escape(value))
        Console().print(table)

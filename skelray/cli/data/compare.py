"""`skelray data compare`: what tells two stores apart."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skelray.data import locate, store
from skelray.errors import BadInput


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command()
    def compare(
        first: Annotated[str, typer.Argument(help="The name or path of a store.")],
        second: Annotated[str, typer.Argument(help="The name or path of another.")],
        tolerance: Annotated[
            float, typer.Option(help="Largest distance at which joints still agree, in the units of the stores.")
        ] = 0.001,
        limit: Annotated[int, typer.Option(min=0, help="Clips that are named of each kind; 0: all.")] = 5,
        as_json: Annotated[bool, typer.Option("--json", help="The same for machines, with every name.")] = False,
    ) -> None:
        """Say what differs: layout, classes, clips, labels, splits, and coordinates clip by clip.

        Clips are matched by name. Coordinates that differ are explained by as little as possible: float16, another
        origin, another heading, another size, a mirror.
        """
        from skelray.data import comparing, telling

        if not 0 <= tolerance < float("inf"):
            raise BadInput(f"--tolerance {tolerance:g}: a distance of 0 or more is due")
        one, other = (store.open(locate.find(name)) for name in (first, second))
        with Console(stderr=True).status(f"comparing {one.clips:,} clips"):
            found = comparing.compare(one, other, tolerance)
        if as_json:
            print(json.dumps(found, indent=1))
            return
        table = Table(show_header=False, title=escape(f"{one.path} / {other.path}"))
        table.add_column()
        table.add_column(overflow="fold")
        for what, words in telling.compared(found, limit or max(one.clips, other.clips)).items():
            table.add_row(escape(what), escape(words))
        Console().print(table)
        if found["same_fingerprint"]:
            print("the same fingerprint: nothing differs")

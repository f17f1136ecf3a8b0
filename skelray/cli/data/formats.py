"""`skelray data formats`: what can be imported, and what each reader lets one choose."""

from inspect import getdoc
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from skelray.data import readers


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command()
    def formats(
        reader: Annotated[str, typer.Argument(help="A reader; without one, all of them.", show_default=False)] = "",
    ) -> None:
        """List the formats that can be imported, or the switches of one."""
        console = Console()
        if not reader:
            table = Table("reader", "source")
            for name in readers.available():
                table.add_row(name, _told(name).split("\n\n")[0].replace("\n", " "))
            console.print(table)
            return
        module = readers.load(reader)
        for paragraph in _told(reader).split("\n\n"):
            lines = paragraph.split("\n")
            listed = any(line.lstrip() != line or line.startswith("- ") for line in lines)
            console.print("\n".join(lines) if listed else " ".join(lines), markup=False, highlight=False)
        table = Table("--set", "default", "meaning", title=f"switches of {reader}")
        for key, field in module.Options.model_fields.items():
            table.add_row(key, str(field.get_default(call_default_factory=True)), field.description or "")
        if module.Options.model_fields:
            console.print(table)


def _told(reader: str) -> str:
    return getdoc(readers.load(reader)) or ""

"""`skelray methods`: what there is to compare, in the words of each method's own file."""

import re
import textwrap
from importlib import import_module

import typer

app = typer.Typer()


@app.command()
def methods() -> None:
    """List every method with its idea."""
    from rich.console import Console
    from rich.table import Table

    from skelray import methods as registry  # after the options are read: --help need not wait for torch

    table = Table(show_lines=True)
    for heading in ("method", "title", "idea"):
        table.add_column(heading)
    for name in registry.available():
        table.add_row(name, *told(import_module(f"{registry.__name__}.{name}").__doc__ or ""))
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)


def told(head: str) -> tuple[str, str]:
    """Title and idea from the head of a method's file: its first line, and the paragraph that "Idea" opens."""
    title = head.splitlines()[0] if head else ""
    found = re.search(r"^Idea +(.+(?:\n +.+)*)", head, re.MULTILINE)
    return title, " ".join(textwrap.dedent(found[1]).split()) if found else ""

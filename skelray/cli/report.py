"""Draw the report of a results folder again."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="a results folder, e.g. results/local-amr", show_default=False)],
) -> None:
    """Write report.html and report.md with its figures from a results folder, and print the leaderboard."""
    from rich.console import Console

    from skelray import report as page

    written = page.write(results)
    Console().print(page.leaderboard(results))
    print(f"the whole report is {written.with_suffix('.html')}, and {written.name} beside it")

"""`skelray check`: does everything a search space or a sweep can ask for really train?"""

from pathlib import Path
from typing import Annotated

import typer

from skelray.errors import BadInput

app = typer.Typer()


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A search space, or a whole sweep.", show_default=False)],
    under: Annotated[
        Path | None, typer.Option(help="A sweep that lends data, trial, budget, resources, final.")
    ] = None,
    set: Annotated[list[str] | None, typer.Option(help="dotted.key=value: wins over every file.")] = None,
) -> None:
    """One training step at both ends of every dimension (or each listed point), on two made-up clips of one body."""
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from skelray.sweep import check, config  # after the options are read: --help need not wait for torch

    plan = config.load(file, under, set or ())
    for note in plan.dropped:
        print(f"dropped: {note}")
    skeleton, where = check.skeleton_of(plan)
    table = Table(title=f"{file}: one step on {check.CLIPS} made-up clips of one body, {where}")
    for heading in ("method", "dimension", "end", "", "seconds"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "seconds" else "left")
    failed: dict[tuple[str, str], list[str]] = {}  # (method, what goes wrong) -> where it does
    watch = Console(stderr=True)
    found = check.ends(plan, skeleton)
    for end in track(found, "checking", console=watch, transient=True, disable=not watch.is_terminal):
        value = "the settings alone" if not end.dimension else f"{end.value}"
        table.add_row(end.method, end.dimension, value, "FAILED" if end.fault else "ok", f"{end.seconds:.1f}")
        if end.fault:
            at = f"search.{end.dimension}.{end.key}" if end.key else end.dimension
            at = f"{at}: {end.dimension} = {end.value!r}: " if at else ""
            failed.setdefault((end.method, end.fault), []).append(at)
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)
    if failed:
        told = ""
        for (method, fault), places in failed.items():
            more = f" (so do {len(places) - 1} other ends)" if len(places) > 1 else ""
            told += f"\n{file}: {method}: {places[0]}{fault}{more}"
        raise BadInput(told.strip())

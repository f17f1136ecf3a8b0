"""A results folder as pages for people: Markdown and HTML. Reads results only: no torch, no Ray."""

from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from skelray import atomic
from skelray.errors import BadInput
from skelray.report import tables
from skelray.results import Results


def write(folder: str | Path) -> Path:
    """Write report.html, report.md and figures/*.png into a results folder from what lies in it; gives report.md.

    Raises BadInput when the folder is not whole, or cannot be written to.
    """
    try:
        return _written(folder)
    except OSError as error:  # of a file that is read, the results tell themselves
        raise BadInput(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error


def _written(folder: str | Path) -> Path:
    from skelray.report import blocks, figures, html, once, sections  # matplotlib takes a second: not for a leaderboard

    results = once.Once(folder)
    name = results.folder.resolve().name
    asked = "\n".join(f"- **{key}**: {words}" for key, words in sections.question(results.sweep()))
    told = html.parts(results)
    drawn = [
        f"![{caption}](figures/{file})\n\n{caption}"
        for file, caption in figures.draw(results, results.folder / "figures")
    ]
    parts = [f"# {name}", asked, blocks.markdown(told[:1]), *drawn, blocks.markdown(told[1:])]
    written = "\n\n".join(part for part in parts if part) + "\n"
    page = html.text(results, told)
    path = results.folder / "report.md"
    for where, text in ((path.with_suffix(".html"), page), (path, written)):
        with atomic.whole(where) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    return path


def leaderboard(folder: str | Path) -> Table:
    """The leaderboard for a terminal; the search trials' best when no finalist was trained."""
    from skelray.report import sections

    header, rows, title = sections.board(Results(folder))
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    kept = [place for place, column in enumerate(header) if column not in ("clips", "seeds")]  # eighty columns are few
    for place in kept:
        table.add_column(header[place].replace("/", "\n").replace(" ", "\n"), justify="right" if place else "left")
    for row in rows:
        table.add_row(*(row[place] for place in kept), style="dim" if tables.FLOOR in row[0] else None)
    return table

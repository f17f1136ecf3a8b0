"""`skelray data get`: fetch a data set that may be fetched, or say how to come by it."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from skelray.data import catalogue, download
from skelray.data.catalogue import File, Page, Terms
from skelray.errors import BadInput, Stopped


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command()
    def get(
        name: Annotated[str, typer.Argument(help="A data set; without one, all of them.", show_default=False)] = "",
        yes: Annotated[bool, typer.Option("--yes", help="You have read the terms and keep them: do not ask.")] = False,
        out: Annotated[
            Path | None, typer.Option(help="Where to put the file. Default: $SKELRAY_DOWNLOADS.", show_default=False)
        ] = None,
    ) -> None:
        """Fetch a public data set, or say whom to ask for it and how to import it. A stopped download continues."""
        known = catalogue.read(catalogue.FILE)
        console = Console()
        if not name:
            console.print(_listed(known))
            return
        entry = known.find(name)
        if isinstance(entry, Page):
            _tell(console, name, entry, known.terms_of(entry))
        else:
            _get(console, entry, known.terms_of(entry), yes, (out or download.folder()).expanduser())


def _listed(known: catalogue.Catalogue) -> Group:
    files = Table("name", "what", "size", title="Fetched by skelray data get NAME", title_justify="left")
    for name, file in known.files.items():
        files.add_row(name, file.what, _size(file))
    pages = Table("name", "what", title="To ask for: skelray data get NAME says where and how", title_justify="left")
    for name, page in known.pages.items():
        pages.add_row(name, page.what)
    return Group(files, "", pages)


def _size(file: File) -> str:
    if file.size is not None:
        return f"{file.size:,} bytes"
    return f"about {file.copy_.size / 1e6:,.0f} MB" if file.copy_ else "the server says"


def _tell(console: Console, name: str, page: Page, terms: Terms) -> None:
    """The page for a data set that one has to ask for."""
    console.print(Panel(Text(page.what), title=name))
    _paragraph(console, "Where", page.ask)
    _paragraph(console, "How", page.how)
    if page.needed:
        table = Table("file", "what", "MD5 of the copy that others have")
        for needed in page.needed:
            table.add_row(needed.name, needed.what, needed.md5 or "not published")
        console.print(table)
    _paragraph(console, "Terms", f"{terms.sentence} ({terms.page})")
    for note in page.notes:
        _paragraph(console, "Note", note)
    _paragraph(console, "Facts from", ", ".join(page.sources))
    if page.commands:
        console.print("\nThen:")
    for line in page.commands:
        _command(console, line)


def _paragraph(console: Console, head: str, text: str) -> None:
    console.print(Text.assemble((f"{head}: ", "bold"), text))


def _command(console: Console, line: str) -> None:
    """A line to copy: never folded, and nothing in it taken for markup."""
    console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)


def _get(console: Console, file: File, terms: Terms, yes: bool, folder: Path) -> None:
    path = folder / file.name
    digest = download.present(file.wanted, folder)
    if digest is not None:
        console.print(f"{path} is here already, whole and right.", soft_wrap=True, markup=False, highlight=False)
    else:
        console.print(Panel(Text(f"{terms.sentence}\n\n{terms.page}"), title="Terms of this data"))
        _paragraph(console, "From", f"{file.url} (linked by {file.source})")
        _paragraph(console, "To", str(path))
        if not yes:
            _ask()
        digest = _fetched(file, folder)
    console.print(f"sha256 {digest}", soft_wrap=True, highlight=False)
    _compare(console, file, digest)
    console.print("Import it with:")
    flag = " --allow-pickle" if path.suffix == ".pkl" else ""
    _command(console, f"skelray data import {file.reader} {shlex.quote(str(path))} {file.store}{flag}")


def _ask() -> None:
    """Raises BadInput unless the user agrees to the terms."""
    try:
        agreed = typer.confirm("Do you have the right to use this data under these terms?")
    except typer.Abort:
        agreed = False
    if not agreed:
        raise BadInput("nothing was fetched: answer y, or say --yes, when you have read the terms and keep them")


def _fetched(file: File, folder: Path) -> str:
    console = Console(stderr=True)
    with _progress(console) as progress:
        task = progress.add_task(file.name, total=file.size)
        try:
            return download.fetch(
                file.wanted,
                folder,
                progress=lambda have, total: progress.update(task, completed=have, total=total),
                say=lambda sentence: console.print(sentence, soft_wrap=True, markup=False, highlight=False),
            )
        except KeyboardInterrupt:
            raise Stopped(f"stopped; what came is kept in {folder}, and the same command continues") from None


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _compare(console: Console, file: File, digest: str) -> None:
    """What the checksum is worth, in a sentence."""
    if file.sha256 is not None:
        said = "which is the published one."
    elif file.copy_ is not None and digest == file.copy_.sha256:
        said = f"which the copy at {file.copy_.page} has, too; its owner publishes none."
    elif file.copy_ is not None:
        said = (
            f"which differs from that of the copy at {file.copy_.page} ({file.copy_.sha256}); one of the two was made "
        )
        said += "anew. Its owner publishes none."
    else:
        said = "computed here, for nobody publishes one; a later download that differs will be refused."
    console.print(f"  {said}", soft_wrap=True, markup=False, highlight=False)

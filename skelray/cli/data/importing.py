"""`skelray data import`: make a store out of a source."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from skelray import yaml_file
from skelray.data import expected, importing, locate, readers, splits, store
from skelray.data.source import DataSet
from skelray.errors import BadInput, Stopped
from skelray.schema import Strict, problems

FEW = 500  # parts below which starting reading processes costs more than it saves


class OnError(StrEnum):
    """What happens at a part that cannot be read."""

    stop = "stop"
    skip = "skip"


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command(name="import")
    def import_(
        reader: Annotated[str, typer.Argument(help=f"The source's format: {', '.join(readers.available())}.")],
        source: Annotated[Path, typer.Argument(help="The file or folder to read.")],
        store_: Annotated[
            str, typer.Argument(metavar="STORE", help="A name in the folder of stores, or a path ending in .arrow.")
        ],
        set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE: a switch of the reader.")] = None,
        steps: Annotated[str, typer.Option(help="Alignment steps, as a,b; or none. Default: the reader's own.")] = "",
        allow_pickle: Annotated[bool, typer.Option(help="Open a pickle, reading plain arrays alone from it.")] = False,
        on_error: Annotated[OnError, typer.Option(help="At a part that cannot be read.")] = OnError.stop,
        jobs: Annotated[int, typer.Option(min=0, help="Processes that read; 0: one a core.")] = 0,
        half: Annotated[bool, typer.Option(help="Store float16: half the size, rounded to 11 bits.")] = False,
        fresh: Annotated[bool, typer.Option(help="Forget what an interrupted import has read.")] = False,
    ) -> None:
        """Read SOURCE and write STORE, whole or not at all. A killed import goes on where it stopped."""
        module = readers.load(reader)
        _refuse(source)
        path = locate.place(store_)
        options = _options(module.Options, reader, set_ or [], allow_pickle)
        found: DataSet = module.read(source, options)
        if steps:
            found = found.aligned([] if steps == "none" else [step.strip() for step in steps.split(",")])
        jobs = jobs or (len(os.sched_getaffinity(0)) if len(found.parts) >= FEW else 1)
        about = {"reader": reader, "options": options.model_dump(mode="json")}
        console = Console(stderr=True)
        with _progress(console) as progress:
            task = progress.add_task(str(source), total=len(found.parts))
            try:
                report = importing.run(
                    found,
                    path,
                    source=str(source.resolve()),
                    about=about,
                    jobs=jobs,
                    on_error=on_error.value,
                    half=half,
                    fresh=fresh,
                    advance=lambda parts: progress.advance(task, parts),
                )
            except KeyboardInterrupt:
                raise Stopped("stopped; what was read is kept, and the same command goes on") from None
        made = store.open(path)
        found_otherwise = expected.differences(made, report.dropped, report.skipped)
        told = {"store": made.name, "fingerprint": made.fingerprint, **expected.document(made, found_otherwise)}
        report.write(importing.report_of(path), **told, **about)
        for line in [*report.sentences(), *expected.sentences(made, found_otherwise)]:
            print(line)
        if not splits.available(made):
            print("no split: nothing in this store says which clips train and which test")
        print(f"{path}: {made.clips:,} clips, fingerprint {made.fingerprint[:12]}")


def _refuse(source: Path) -> None:
    """Raise BadInput unless there is a file or a folder: anything else, such as a device, might never end."""
    try:
        if not source.exists():
            raise BadInput(f"no source at {source}")
        if not (source.is_file() or source.is_dir()):
            raise BadInput(f"{source} is neither a file nor a folder")
        if not os.access(source, os.R_OK):
            raise BadInput(f"{source} may not be read; ask its owner for the right")
    except OSError as error:
        raise BadInput(f"{source}: {error.strerror}") from error


def _options(kind: type[Strict], reader: str, given: list[str], allow_pickle: bool) -> Strict:
    chosen: dict[str, Any] = {}
    for each in given:
        key, equals, text = each.partition("=")
        if not equals or not key.strip():
            raise BadInput(f"--set {each}: key=value is due")
        chosen[key.strip()] = yaml_file.value(text, f"--set {each}")
    if allow_pickle:
        if "allow_pickle" not in kind.model_fields:
            raise BadInput(f"--allow-pickle: the reader {reader} opens no pickle; leave it out")
        chosen["allow_pickle"] = True
    try:
        return kind(**chosen)
    except ValidationError as error:
        told = "; ".join(f"{key}: {text}" for key, text in problems(error, kind))
        known = f" (the reader {reader} lets you set {', '.join(kind.model_fields) or 'nothing'})"
        raise BadInput(f"--set {told}{'' if set(chosen) <= set(kind.model_fields) else known}") from error


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

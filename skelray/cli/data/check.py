"""`skelray data check`: what is wrong with the clips of a store, by clip."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skelray.data import locate, store
from skelray.errors import BadInput
from skelray.schema import problems

if TYPE_CHECKING:
    from skelray.data.health import Health


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command()
    def check(
        store_: Annotated[str, typer.Argument(metavar="STORE", help="The name or path of a store.")],
        limit: Annotated[int, typer.Option(min=0, help="Findings of a kind that are listed; 0: all.")] = 10,
        strict: Annotated[bool, typer.Option("--strict", help="Exit code 2 for any finding at all.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="The same for machines.")] = False,
        still: Annotated[int, typer.Option(help="Frames that a joint stands still while its body moves.")] = 30,
        long: Annotated[float, typer.Option(help="Times the usual length of a bone.")] = 3.0,
        varies: Annotated[float, typer.Option(help="Longest over shortest length of a bone in a clip.")] = 3.0,
        speed: Annotated[float, typer.Option(help="Of a joint, metres a second.")] = 20.0,
        missing: Annotated[float, typer.Option(help="Share of the joints of a clip that are missing.")] = 0.1,
        frame_rate: Annotated[
            float | None,
            typer.Option(help="Frames a second, where the store does not know them.", show_default=False),
        ] = None,
    ) -> None:
        """List clips that make training wrong, or deserve a look, after reading every byte of the store.

        The exit code is 2 when training on a finding would be wrong (coordinates that are not finite or were changed,
        clips in which nobody is seen, copies with different labels), and with --strict when anything was found.
        """
        from skelray.data import health

        opened = store.open(locate.find(store_))
        limits = {"still": still, "long": long, "varies": varies, "speed": speed, "missing": missing}
        try:
            bounds = health.Limits.model_validate(limits)
        except ValidationError as error:
            raise BadInput("; ".join(f"--{key}: {told}" for key, told in problems(error, health.Limits))) from error
        if frame_rate is not None and not 0 < frame_rate < float("inf"):
            raise BadInput(f"--frame-rate {frame_rate:g}: frames a second, above 0, are due")
        with Console(stderr=True).status(f"reading {opened.clips:,} clips"):
            opened.verify()
            found = health.check(opened, bounds, frame_rate)
        if as_json:
            print(json.dumps(_plain(opened, found, limit), indent=1))
        else:
            _tell(opened, found, limit)
        if found.wrong:
            named = ", ".join(f"{kind.title} ({len(found.found[kind]):,})" for kind in found.wrong)
            raise BadInput(f"{opened.path}: training on this would be wrong: {named}")
        if strict and found.found:
            raise BadInput(
                f"{opened.path}: found {', '.join(kind.name for kind in found.found)}, and --strict allows nothing"
            )


def _tell(opened: store.Store, found: "Health", limit: int) -> None:
    console = Console()
    for kind, findings in found.found.items():
        table = Table("--clip", "name", "what", title=f"{escape(kind.title)}: {len(findings):,}", title_justify="left")
        for finding in findings[: limit or None]:
            table.add_row(str(finding.number), escape(finding.clips[0]), escape(finding.told))
        if limit and len(findings) > limit:
            table.add_row("...", "", f"{len(findings) - limit:,} more; --limit 0 lists all")
        console.print(table)
    number = len(found.found)
    kinds = f"{number} kind{'s' * (number > 1)} of findings" if number else "nothing found"
    console.print(f"{opened.clips:,} clips, {kinds}")
    for each in found.unchecked:
        console.print(f"not looked for: {escape(each)}")


def _plain(opened: store.Store, found: "Health", limit: int) -> dict[str, Any]:
    """The findings as JSON has them; `limit` shortens lists, never counts."""
    kinds = [
        {
            "kind": kind.name,
            "title": kind.title,
            "wrong": kind.wrong,
            "count": len(findings),
            "findings": [
                {"number": each.number, "clips": list(each.clips), "told": each.told, **each.numbers}
                for each in findings[: limit or None]
            ],
        }
        for kind, findings in found.found.items()
    ]
    head = {"name": opened.name, "path": str(opened.path), "fingerprint": opened.fingerprint, "clips": opened.clips}
    return {**head, "kinds": kinds, "unchecked": found.unchecked}

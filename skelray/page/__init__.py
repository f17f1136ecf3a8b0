"""What every page of skelray is made of: its look, tables and sections, as HTML that a screen reader can read out."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path


class Html(str):
    """Text that is HTML already."""


def style() -> str:
    """The rules that all pages share, light and dark."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def filled(template: Path, parts: Mapping[str, str]) -> str:
    """The template with @name@ replaced by its part, and @style@ by the shared rules.

    All at once: what is put in is not looked at again, for a class may be named @title@.
    """
    known = {"style": style(), **parts}
    return re.sub(f"@({'|'.join(known)})@", lambda name: known[name[1]], template.read_text(encoding="utf-8"))


def name(heading: str) -> str:
    """The id of what stands under a heading."""
    return re.sub(r"\W+", "-", heading.lower()).strip("-")


def section(heading: str, inside: str) -> str:
    """A part of a page under its heading. `inside` is HTML."""
    own = name(heading)
    return f'<section aria-labelledby="{own}"><h2 id="{own}">{escape(heading)}</h2>\n{inside}\n</section>'


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """A table; the first cell of a row names it. Without `heads`, rows alone. Cells are text unless they are `Html`."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' if each else "<td></td>" for each in heads)
    lines = [f"<thead><tr>{head}</tr></thead>"] if heads else []
    for first, *cells in rows:
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{"".join(map(_cell, cells))}</tr>')
    named = f' class="{kind}"' if kind else ""
    # It can be scrolled by keyboard where it is wider than the screen.
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f"<table{named}><caption>{escape(caption)}</caption>\n" + "\n".join(lines) + "\n</table></div>"
    )


def _cell(cell: str) -> str:
    if isinstance(cell, Html):
        return cell
    return f'<td class="none">{escape(cell)}</td>' if cell in ("0", "-") else f"<td>{escape(cell)}</td>"

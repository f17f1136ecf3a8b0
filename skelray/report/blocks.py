"""What a report is made of, whatever it is written in: sentences, tables, pictures; as HTML, and as Markdown."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from skelray import page


@dataclass(frozen=True)
class Warn:
    """A sentence that must not be overlooked."""

    text: str


@dataclass(frozen=True)
class Title:
    """A heading within a part."""

    text: str


@dataclass(frozen=True)
class Items:
    """Sentences, one below the other."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Commands."""

    text: str


@dataclass(frozen=True)
class Table:
    """The first cell of a row names it. `kind` "told": cells are words, not numbers. Cells may be `page.Html`."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    kind: str = ""


@dataclass(frozen=True)
class Picture:
    """Drawings (inline SVG, by `svg.inline`) under one caption, and the same in numbers."""

    caption: str
    drawings: Sequence[str]
    numbers: Table | None = None
    wide: bool = False  # scrolls in its box rather than shrinks


@dataclass(frozen=True)
class Folded:
    """What a page shows when asked for."""

    summary: str
    blocks: "Sequence[Block]"


Block = str | Warn | Title | Items | Code | Table | Picture | Folded


@dataclass(frozen=True)
class Part:
    """A chapter of the report; it is left out where it has no blocks."""

    heading: str
    blocks: Sequence[Block]


def html(parts: Sequence[Part]) -> str:
    """The parts one after the other."""
    return "\n".join(page.section(part.heading, "\n".join(map(_html, part.blocks))) for part in parts if part.blocks)


def contents(parts: Sequence[Part]) -> str:
    """Links to the parts."""
    items = "".join(
        f'<li><a href="#{page.name(part.heading)}">{escape(part.heading)}</a></li>' for part in parts if part.blocks
    )
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def _html(block: Block) -> str:
    match block:
        case str():
            return f"<p>{escape(block)}</p>"
        case Warn(text):
            return f'<p class="warn"><strong>Warning:</strong> {escape(text)}</p>'
        case Title(text):
            return f"<h3>{escape(text)}</h3>"
        case Items(texts):
            return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"
        case Code(text):
            return f'<pre tabindex="0" aria-label="Commands"><code>{escape(text)}</code></pre>'
        case Table(caption, heads, rows, kind):
            return page.table(caption, heads, rows, kind)
        case Picture():
            return _picture(block)
        case Folded(summary, blocks):
            return f"<details><summary>{escape(summary)}</summary>\n" + "\n".join(map(_html, blocks)) + "\n</details>"


def _picture(picture: Picture) -> str:
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>"
    inside = "\n".join(picture.drawings)
    if picture.wide:
        inside = f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(picture.caption)}">{inside}</div>'
    else:
        inside = f'<div class="drawings">{inside}</div>'
    numbers = _html(Folded("The same in numbers", [picture.numbers])) if picture.numbers else ""
    return f'<figure class="{"wide" if picture.wide else "drawn"}">\n{inside}\n{caption}\n{numbers}</figure>'


def markdown(parts: Sequence[Part]) -> str:
    """The parts without their pictures."""
    told = [(part.heading, [text for block in part.blocks for text in _markdown(block)]) for part in parts]
    return "\n\n".join("\n\n".join([f"## {heading}", *texts]) for heading, texts in told if texts)


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case str():
            yield _plain(block)
        case Warn(text):
            yield f"**Warning**: {_plain(text)}"
        case Title(text):
            yield f"### {_plain(text)}"
        case Items(texts):
            yield "\n".join(f"- {_plain(text)}" for text in texts)
        case Code(text):
            yield f"```sh\n{text}\n```"
        case Table(caption, heads, rows, _):
            yield f"{_plain(caption)}:\n\n{table(heads, rows)}"
        case Folded(_, blocks):
            for each in blocks:
                yield from _markdown(each)
        case Picture():
            return


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; columns of numbers stand to the right."""
    told = [[_cell(each) for each in row] for row in rows]
    numbers = [all(not row[place] or row[place][0] in "-.0123456789" for row in told) for place in range(len(heads))]
    lines = [map(_cell, heads), ["---:" if number else "---" for number in numbers], *told]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: object) -> str:
    text = re.sub(r"<[^>]*>", "", text) if isinstance(text, page.Html) else text
    return _plain(str(text)).replace("|", "\\|")


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")

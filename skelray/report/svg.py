"""A matplotlib figure as SVG that stands in a page: its text stays text, its colours follow the page, it has a name."""

import io
import re
from contextlib import AbstractContextManager
from html import escape

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Stand-ins, drawn nowhere else: the page says what they are, and says it again in the dark.
INK, RULE, DIM = "#010203", "#040506", "#070809"
_NAMED = {INK: "currentColor", RULE: "var(--rule)", DIM: "var(--dim)"}
METHODS = tuple(f"#0a0b{place:02x}" for place in range(8))  # style of report.html: --method-0 .. --method-7
_NAMED |= {colour: f"var(--method-{place})" for place, colour in enumerate(METHODS)}
_LOOK = {
    "svg.fonttype": "none", "svg.hashsalt": "skelray", "text.parse_math": False, "font.size": 9.0,
    "text.color": INK, "axes.edgecolor": DIM, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.titlecolor": INK, "axes.facecolor": "none", "legend.frameon": False, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "axes.grid.axis": "y", "grid.color": RULE, "axes.axisbelow": True,
    "grid.linewidth": 0.7, "axes.linewidth": 0.7,
}  # fmt: skip


def figure(width: float = 4.0, height: float = 2.8) -> Figure:
    """An empty figure of inches; at 100 % an inch is 96 pixels, and a letter about 12 high."""
    with matplotlib.rc_context(_LOOK):
        made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(made)
    return made


def look() -> AbstractContextManager[None]:
    """What everything on a figure must be drawn under."""
    return matplotlib.rc_context(_LOOK)


def inline(drawn: Figure, name: str, title: str, told: str) -> str:
    """The figure as one <svg>; `name` makes its ids its own, `title` and `told` are what a screen reader reads out."""
    text = io.StringIO()
    with look():
        drawn.savefig(
            text, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    found = text.getvalue()
    inside = found[found.index(">", found.index("<svg")) + 1 : found.rindex("</svg>")]
    (box,) = re.findall(r'viewBox="([^"]+)"', found[: found.index(">", found.index("<svg"))])
    inside = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", inside, flags=re.DOTALL)
    # Markup alone is changed; between tags stand names that people gave.
    inside = re.sub(r"<[^>]*>", lambda tag: _tag(tag[0], name), inside)
    inside = re.sub(r"\n\s*", "\n", inside)
    width = float(box.split()[2])
    return (
        f'<svg role="img" aria-labelledby="{name}-title {name}-told" viewBox="{box}" '
        f'style="--width: {width / 72:.2f}in">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-told">{escape(told)}</desc>{inside}</svg>'
    )


def _tag(tag: str, name: str) -> str:
    tag = tag.replace("xlink:href", "href")
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    tag = re.sub(r'(href="|url\()#', rf"\1#{name}-", tag)
    tag = re.sub(r"font-family: [^;\"]+", "font-family: inherit", tag)
    tag = re.sub(r"(font: [^;\"]*?px) [^;\"]+", r"\1 system-ui, sans-serif", tag)
    return re.sub(r"#[0-9a-f]{6}", lambda colour: _NAMED.get(colour[0], colour[0]), tag)

"""Bars of a page about data, as HTML that a screen reader can read out."""

from html import escape

import numpy as np
from numpy.typing import NDArray

from skelray.page import Html

BINS = 40  # bars of a histogram, at most


def bars(count: int, most: int) -> Html:
    """A cell with a bar; the number itself stands in a cell beside it."""
    return Html(f'<td class="bar" aria-hidden="true"><i style="width: {100 * count / max(1, most):.1f}%"></i></td>')


def histogram(values: NDArray[np.int32], of: str, unit: str) -> str:
    """How whole numbers spread, as bars of equal width, told in a sentence too."""
    least, most = int(values.min()), int(values.max())
    width = max(1, -(-(most - least + 1) // BINS))
    edges = np.arange(least, most + 1 + width, width)
    counts, _ = np.histogram(values, edges)
    high, wide = int(counts.max()), len(counts)
    fullest = int(counts.argmax())
    drawn = "".join(
        _bar(place, 100 * count / high, f"{_range(edges, place)} {unit}: {count:,} {of}")
        for place, count in enumerate(counts)
        if count
    )
    told = (
        f"{of.capitalize()} by {unit}: from {least} to {most}, median {np.median(values):g}; "
        f"most often {_range(edges, fullest)} {unit}, {high:,} {of}"
    )
    return (
        f'<figure class="lengths"><div><span>{high:,} {of}</span></div>'
        f'<svg role="img" aria-label="{escape(told)}" viewBox="0 0 {wide} 100" preserveAspectRatio="none">{drawn}</svg>'
        f"<div><span>{least}</span><span>{most} {unit}</span></div><p>{escape(told)}.</p></figure>"
    )


def _bar(place: int, high: float, told: str) -> str:
    box = f'x="{place + 0.05:.2f}" y="{100 - high:.1f}" width="0.9" height="{high:.1f}"'
    return f"<rect {box}><title>{told}</title></rect>"


def _range(edges: NDArray[np.int64], place: int) -> str:
    first, last = int(edges[place]), int(edges[place + 1]) - 1
    return str(first) if first == last else f"{first} to {last}"

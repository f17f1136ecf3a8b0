"""The report as one HTML file that needs nothing else: no network, no script; from the results folder alone."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from skelray import page
from skelray.report import (
    added,
    blocks,
    by_class,
    comparisons,
    curves,
    generated,
    influence,
    openings,
    robust,
    sections,
    svg,
)
from skelray.report.blocks import Part
from skelray.report.once import Once
from skelray.results import Results

LIGHT = ("#0072b2", "#c04a00", "#00805a", "#b0508a", "#9a6a00", "#3d7fae", "#8c564b", "#4d4d4d")
DARK = ("#62b8ff", "#ff9b5e", "#3fcf9f", "#f0a0cc", "#f0b840", "#a5d8ff", "#d8a598", "#c8c8c8")


def text(results: Results, told: Sequence[Part]) -> str:
    """The whole file, of parts by `parts`. The same results give the same text."""
    name = results.folder.resolve().name
    lead = "".join(
        f"<p><strong>{escape(key)}:</strong> {escape(words)}</p>" for key, words in sections.question(results.sweep())
    )
    places = range(len(svg.METHODS))
    return page.filled(
        Path(__file__).with_name("report.html"),
        {
            "title": escape(name),
            "light": " ".join(f"--method-{place}: {LIGHT[place]};" for place in places),
            "dark": " ".join(f"--method-{place}: {DARK[place]};" for place in places),
            "contents": blocks.contents(told),
            "lead": lead,
            "body": blocks.html(told),
        },
    )


def parts(results: Results) -> list[Part]:
    """All parts in the order of reading; those without anything to say are empty.

    Raises BadInput when the folder is not whole.
    """
    results = Once(results.folder)
    compared, refused = comparisons.comparisons(results)
    cost = sections.used(results)
    return [
        sections.leaderboard(results),
        comparisons.part(results, compared, refused),
        added.part(results, list(compared)),
        by_class.part(compared, results.environment().get("data", {}).get("classes", [])),
        robust.part(results),
        generated.part(results),
        openings.part(results),
        Part(cost.heading, [*curves.costs(results), *cost.blocks]),
        curves.learning(results),
        influence.part(results),
        sections.signalled(results),
        sections.failures(results),
        sections.setting(results.sweep()),
        sections.listed(results),
        *sections.environment(results),
    ]

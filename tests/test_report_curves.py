"""Curves in the report: their numbers are those of the tables, in every unit that was counted; blocks in Markdown."""

import random

import made_up_report as full
import made_up_sweep as made_up
import pytest

from skelray.events import Ended
from skelray.page import Html
from skelray.report import blocks, cost_curve, curves
from skelray.report.blocks import Folded, Items, Part, Picture, Table, Title, Warn


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return full.folder(tmp_path_factory.mktemp("full") / "r", trials=6)


def test_the_front_in_numbers_is_the_front_of_the_cost_curves(results):
    picture, *others = curves.costs(results)
    assert others == []  # every unit was counted
    assert len(picture.drawings) == 3
    for unit, spoken in (("clips", "clips"), ("flops", "FLOPs"), ("device_seconds", "device-seconds")):
        front = cost_curve.pareto(results, unit)
        told = [row for row in picture.numbers.rows if row[1] == spoken]
        assert told[0][2:4] == [front["method"].iloc[0], f"{100 * front['mean'].iloc[0]:.4g}"]
        assert told[-1][2:4] == [front["method"].iloc[-1], f"{100 * front['mean'].iloc[-1]:.4g}"]


def test_a_unit_that_was_not_counted_is_named_with_its_methods(tmp_path):
    events = full.search("amr", 4, random.Random(0)) + full.search("mamp", 4, random.Random(1))
    uncounted = [
        each.model_copy(update={"flops": None}) if isinstance(each, Ended) and "mamp" in each.trial else each
        for each in events
    ]
    picture, sentence = curves.costs(made_up.folder(tmp_path / "r", uncounted))
    assert len(picture.drawings) == 3
    assert sentence == "Without a curve, for not every trial was counted: FLOPs of mamp."


def test_learning_curves_in_numbers_are_the_history(results):
    picture = curves.learning(results).blocks[0]
    assert picture.caption.startswith("val/linear by clips seen")
    assert len(picture.drawings) == 3
    history = results.history()
    points = history[(history["trial"] == "mamp-003") & (history["metric"] == "val/linear")].sort_values("clips")
    row = dict(
        zip(picture.numbers.heads, next(row for row in picture.numbers.rows if row[0] == "mamp-003"), strict=True)
    )
    assert [row[f"{clips:,}"] for clips in points["clips"]] == [f"{100 * value:.4g}" for value in points["value"]]


def test_a_trial_that_ended_early_has_no_later_numbers(results):
    picture = curves.learning(results).blocks[0]
    row = next(row for row in picture.numbers.rows if row[0] == "amr-901")  # pruned at 24,000 clips
    cells = dict(zip(picture.numbers.heads, row, strict=True))
    assert cells["24,000"] != "-"
    assert cells["60,000"] == "-"


def test_methods_look_different_in_more_than_colour():
    assert len({(look["linestyle"], look["marker"]) for look in map(curves.look, range(8))}) == 8


PART = Part(
    "A <part>",
    ["a < b", Warn("mind"), Title("Then"), Items(("one", "two")), Table("Told", ["name", "count"], [["a|b", "1"]]),
     Folded("More", ["hidden words", Table("Shaded", ["x"], [[Html("<td>7</td>")]])]),
     Picture("Drawn", ["<svg></svg>"])],
)  # fmt: skip


def test_markdown_has_the_words_and_tables_and_leaves_out_pictures():
    told = blocks.markdown([PART, Part("Only pictures", [Picture("Drawn", [])]), Part("Empty", [])])
    assert told == (
        "## A <part>\n\na &lt; b\n\n**Warning**: mind\n\n### Then\n\n- one\n- two\n\nTold:\n\n"
        "| name | count |\n| --- | ---: |\n| a\\|b | 1 |\n\nhidden words\n\nShaded:\n\n| x |\n| ---: |\n| 7 |"
    )


def test_html_has_everything_and_links_lead_to_the_parts():
    told = blocks.html([PART])
    assert "<p>a &lt; b</p>" in told
    assert '<p class="warn"><strong>Warning:</strong> mind</p>' in told
    assert "<summary>More</summary>" in told
    assert "<svg></svg>" in told
    assert blocks.contents([PART, Part("Empty", [])]).count("<li>") == 1
    assert 'href="#a-part"' in blocks.contents([PART])
    assert 'id="a-part"' in told

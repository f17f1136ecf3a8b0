"""`skelray data page`: one file with the facts, the tables and a moving clip of each class."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import read_tables
from people import people, stored
from pictures import read
from shell import skelray

from skelray.show import dataset, tables


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("stores") / "people.arrow", people(), about={"frame_rate": 12.5})


@pytest.fixture(scope="module")
def text(opened):
    return dataset.text(opened)


def test_the_tables_hold_the_counts(text):
    found = read_tables.read(text).found
    facts = dict(found["What the store says"])
    assert facts["frames"] == "348; 40 to 47 a clip, median 43.5 (3.5 s)"
    assert facts["layout"] == "five: 5 joints, 3 coordinates, float32"
    assert found["Clips on each side"][1] == ["given", "4", "4", "0", "-"]
    assert found["Clips of each class"][1:] == [["wave <b>", "", "4", "43"], ["pick_up", "", "4", "44"]]
    assert found["Clips of each subject before each camera"] == [
        ["subject", "camera 0", "camera 1", "all"],
        *([str(subject), "1", "1", "2"] for subject in range(4)),
        ["all", "4", "4", "8"],
    ]


def test_the_bars_are_as_long_as_the_counts(text):
    assert re.findall(r'<i style="width: ([\d.]+)%">', text) == ["100.0", "100.0"]
    heights = [float(each) for each in re.findall(r'<rect x="[\d.]+" y="[\d.]+" width="0.9" height="([\d.]+)"', text)]
    assert heights == [100.0] * 8  # every length from 40 to 47 once
    assert 'aria-label="Clips by frames: from 40 to 47, median 43.5; most often 40 frames, 1 clips"' in text


@pytest.mark.parametrize("values", [[7], [1, 1, 1], [1, 500], list(range(41)), [3, 3, 9]])
def test_a_histogram_counts_every_value_once(values):
    drawn = tables.histogram(np.array(values, np.int32), "clips", "frames")
    bars = re.findall(r"<title>(\d+)(?: to (\d+))? frames: (\d+) clips</title>", drawn)
    assert sum(int(count) for *_, count in bars) == len(values)
    assert len(bars) <= tables.BINS
    for first, last, count in bars:
        assert sum(int(first) <= value <= int(last or first) for value in values) == int(count)


def test_names_cannot_become_markup_or_what_the_page_is_made_of(tmp_path):
    names = ['<script>alert("x")</script>', "@scene@ @body@"]
    clips = [replace(clip, clip_name=f"</script><b>{number}") for number, clip in enumerate(people())]
    opened = stored(tmp_path / "a.arrow", clips, classes=names, about={"licence": "<img src=x>"})
    text = dataset.text(opened)
    parser = read_tables.read(text)
    assert parser.tags.count("script") == 2
    assert not {"b", "img"} & set(parser.tags)
    assert [row[0] for row in parser.found["Clips of each class"][1:]] == names
    assert text.count('"panels":') == 1


def test_the_page_needs_nothing_and_tells_everybody(text):
    assert not re.search(r"\w+://|[\"'(=\s]//|\b(src|href)\s*=|url\(|@import|\bfetch\(|XMLHttp", text)
    assert "default-src 'none'" in text
    for need in (
        "prefers-reduced-motion",
        "prefers-color-scheme: dark",
        'lang="en"',
        '<button id="play"',
        "<noscript>",
    ):
        assert need in text
    assert all(panel.told.startswith("Animated skeleton, ") for panel in read(text))
    levels = [int(level) for level in re.findall(r"<h(\d)", text)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert text.count("<table") == text.count("<caption>")


def test_the_command_writes_a_page_and_quick_reads_less(opened, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert skelray("data", "page", opened.path) == 0
    assert capsys.readouterr().out == "people.html\n"
    assert (tmp_path / "people.html").read_text() == dataset.text(opened)
    assert skelray("data", "page", opened.path, "--quick", "-o", tmp_path / "quick.html") == 0
    assert "(coordinates not read: --quick)" in (tmp_path / "quick.html").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-o", "page.gif"), "--out page.gif: a name ending in .html is due"),
        (("-o", "no/page.html"), "there is no folder no"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused(words, told, opened, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert skelray("data", "page", opened.path, *words) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_set_whose_clips_all_test_has_a_page_of_tables(tmp_path):
    clips = [replace(clip, sides={"given": 1}) for clip in people()]
    told = dataset.text(stored(tmp_path / "tests.arrow", clips))
    assert read(told) == []
    assert "No clip to show of: " in told

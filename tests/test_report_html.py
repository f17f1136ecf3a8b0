"""The page: one file, whole HTML, its figures are those of the tables, and names that people gave stay names."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import made_up_report as full
import made_up_sweep as made_up
import pytest
import read_tables
from conftest import REPOSITORY

from skelray import report
from skelray.events import Ended, Started
from skelray.report import html, tables
from skelray.results import Results
from skelray.statistics.compare import compare

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in order, ids are single, pictures have names that exist."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.open, self.ids, self.used = text, [], [], []
        self.headings, self.pictures, self.attributes, self.captions = [], [], [], 0
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        assert len(known) == len(attributes), f"an attribute twice in {tag}"
        self.attributes += [(tag, key, value or "") for key, value in attributes]
        self.ids += [known["id"]] if "id" in known else []
        for key in ("aria-labelledby", "aria-describedby"):
            self.used += known.get(key, "").split()
        self.used += [known["href"][1:]] if known.get("href", "").startswith("#") else []
        self.used += re.findall(r"url\(#([^)]+)\)", " ".join(value or "" for value in known.values()))
        self.headings += [int(tag[1])] if re.fullmatch(r"h[1-6]", tag) else []
        self.pictures += [known] if tag in ("svg", "img") else []
        self.captions += tag == "caption"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def drawn(results: Results) -> str:
    return html.text(results, html.parts(results))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Results:
    return full.folder(tmp_path_factory.mktemp("full") / "made-up")


@pytest.fixture(scope="module")
def text(results) -> str:
    return drawn(results)


def valid(text: str) -> Page:
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.used) <= set(page.ids)
    assert all(picture.get("aria-labelledby") or picture.get("alt") for picture in page.pictures)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert text.count("<table") == page.captions
    assert "<script" not in text
    addresses = [value for _, key, value in page.attributes if key in ("src", "href", "srcset", "data", "xlink:href")]
    assert all(value.startswith("#") for value in addresses)
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    return page


def test_the_page_is_whole_and_needs_nothing_else(text):
    page = valid(text)
    assert len(page.pictures) > 10
    assert "default-src 'none'" in text
    assert '<html lang="en">' in text
    assert page.used[0] == "main"  # the first link skips to the report


def test_what_scrolls_can_be_reached_by_keyboard_and_has_a_name(text):
    regions = re.findall(r'<div class="scroll"([^>]*)>', text)
    assert regions
    assert all('tabindex="0"' in each and "aria-label=" in each for each in regions)
    assert ":focus-visible" in text
    assert "prefers-color-scheme: dark" in text


def test_every_cell_in_the_head_says_what_it_heads(text):
    assert not re.search(r"<th(?! scope=\"(col|row)\")[ >]", text)


def test_text_in_pictures_is_text_and_their_colours_follow_the_page(text):
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert all("<text" in each and "<title" in each and "<desc" in each for each in pictures)
    assert any(">skeletonmae</text>" in each for each in pictures)
    assert not re.search(r"#0[147]0[258]0[369]|#0a0b0", "".join(pictures))
    assert "currentColor" in pictures[0]


def test_the_leaderboard_is_that_of_the_tables(results, text):
    found = read_tables.read(text).found["Finalists: mean ± standard deviation over 5 seeds, in percent"]
    rows = {row[0]: row for row in found[1:]}
    for row in tables.leaders(results).to_dict("records")[:3]:
        assert rows[row["name"]][4] == tables.percent(row["test/linear"], row["test/linear spread"])
    from scipy import stats

    values = results.finals().query("method == 'amr' and kind == 'final'")["test/linear"]
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    bounds = read_tables.read(text).found[
        "95 % t interval of the mean over seeds, in percent: another training, these clips"
    ]
    assert bounds[1] == ["amr", f"{100 * low:.1f} to {100 * high:.1f}", bounds[1][2]]


def test_comparisons_are_those_of_the_statistics_without_the_untrained(results, text):
    told = full.predicted().query("~trial.str.contains('floor')")
    for protocol in ("linear", "knn"):
        expected = compare(told, protocol)
        for pair in expected.pairs:
            assert pair.sentence.replace("<", "&lt;").replace("'", "&#x27;") in text
    best = compare(told, "linear").methods[0]
    cells = read_tables.read(text).found[
        f"What {best.name} took each class for, linear, over 5 seeds: a row is a true class"
    ]
    assert [list(map(int, row[1:])) for row in cells[1:]] == [list(row) for row in best.confusion]
    classes = read_tables.read(text).found[f"Accuracy of {best.name} by class, linear, in percent"]
    assert [row[2] for row in classes[1:]] == [f"{100 * each.mean:.1f}" for each in best.classes]
    assert "Critical-difference diagram" in text
    assert text.index("Under linear") < text.index("Under knn")  # the sweep selected by linear


def test_clips_without_a_known_subject_are_taken_as_independent(results, tmp_path, monkeypatch):
    told = results.predictions()
    told.loc[told["clip"] == "clip0000", "subject"] = -1
    monkeypatch.setattr(Results, "predictions", lambda _: told)
    assert "subjects of the clips are not known" in drawn(results)


def test_a_run_that_lacks_clips_is_told_and_the_other_protocol_stands(results, monkeypatch):
    told = results.predictions()
    lost = (told["trial"] == "amr-000-seed-1") & (told["protocol"] == "linear") & (told["clip"] == "clip0003")
    monkeypatch.setattr(Results, "predictions", lambda _: told[~lost])
    text = drawn(results)
    assert "the trial amr-000-seed-1 lacks 1 of 240 clips (clip0003)" in text
    assert "Accuracy under knn on 240 clips of 12 subjects" in text


def test_several_finalists_of_a_method_are_told_apart(tmp_path):
    draw = full.random.Random(5)
    other = full.drawn(draw, "amr")
    events = [
        each.model_copy(update={"trial": each.trial.replace("000", "007")}
                        | ({"config": other | {"seed": each.seed}} if isinstance(each, Started) else {}))
        for each in full.finals(("amr",)) if "floor" not in each.trial
    ]  # fmt: skip
    results = made_up.folder(tmp_path / "r", [*full.search("amr", 3, draw), *full.finals(("amr",)), *events])
    assert set(tables.leaders(results)["name"]) == {"amr-000", "amr-007", "untrained amr"}
    assert "Whether amr-000 and amr-007 differ is open" in drawn(results)


HOSTILE = "<script>alert(1)</script> & @body@ $x_1$ \"q\" 'a'"


def test_names_that_people_gave_stay_names(tmp_path):
    events = full.search("amr", 3, full.random.Random(0))
    renamed = [each.model_copy(update={"method": HOSTILE}) if isinstance(each, Started) else each for each in events]
    renamed[-1] = Ended(trial="amr-002", state="failed", reason=HOSTILE, time=1.0, seconds=1.0)
    results = Results(tmp_path / "a<b>&")
    results.create(
        full.SWEEP | {"question": HOSTILE, "spaces": [full.SWEEP["spaces"][0] | {"method": HOSTILE}]},
        made_up.ENVIRONMENT | {"command": HOSTILE},
    )
    results.write(renamed, "val/linear")
    text = drawn(results)
    valid(text)
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; @body@ $x_1$") > 5
    assert "a&lt;b&gt;&amp;" in text
    assert report.write(results.folder).exists()


SHORT = {
    "nothing": [],
    "failures only": made_up.life("amr-000", "amr", full.random.Random(0), began=0.0, clips=6000, state="failed"),
    "no finals": full.search("amr", 12, full.random.Random(0)),
    "one method": [*full.search("amr", 2, full.random.Random(0)), *full.finals(("amr",), peeked=False)],
    "finals that failed": [
        each.model_copy(update={"state": "failed", "reason": "broke"}) if isinstance(each, Ended) else each
        for each in full.finals(("amr",))
    ],
}
SAID = {
    "nothing": "No trial ended.",
    "failures only": "Diverged: the loss was nan at step 912",
    "no finals": "No finalist was tested: there is nothing to compare.",
    "one method": "One finalist: there is nothing to compare it with.",
    "finals that failed": "broke",
}


@pytest.mark.parametrize("case", SHORT)
def test_however_little_there_is_the_page_is_whole_and_says_so(tmp_path, case):
    text = drawn(made_up.folder(tmp_path / "r", SHORT[case]))
    valid(text)
    assert SAID[case] in text


@pytest.mark.parametrize("name", ["nw_ucla_quick", "nw_ucla_methods"])
def test_folders_from_before_predictions_are_reported_and_claim_nothing(name):
    results = Results(REPOSITORY / "results" / name)
    text = drawn(results)
    valid(text)
    if not (results.folder / "predictions.parquet").exists():
        assert "This sweep kept no predictions of single clips" in text
        assert "is better than" not in text
        assert text.count("differ is open: predictions of single clips are missing") >= 3
        assert "Ledger and finals agree" in text


def test_the_page_is_made_without_torch_and_ray(tmp_path):
    results = made_up.folder(tmp_path / "r", full.search("amr", 10, full.random.Random(0)))
    code = f"import sys; from skelray import report; report.write({str(results.folder)!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "ray", "mlflow"} & set(loaded.stdout.split())
    assert "optuna" in loaded.stdout.split()
    assert loaded.stderr == ""
    assert Path(results.folder / "report.html").read_text(encoding="utf-8") == drawn(results)

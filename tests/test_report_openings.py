"""The ledger of the test side against the finals, and the gap between honest selection and the best epoch on test."""

import made_up_report as full
import pytest

from skelray import ledger, yaml_file
from skelray.report import blocks, openings, tables
from skelray.report.blocks import Folded, Table, Warn


@pytest.fixture
def results(tmp_path):
    return full.folder(tmp_path / "r", trials=2, methods=("amr", "mamp"))


def told(results) -> str:
    return blocks.markdown([openings.part(results)])


def test_a_ledger_that_agrees_is_told_to_with_its_counts(results):
    opened = openings.lines(results)
    assert len(opened) == 20
    assert openings.disagreements(results, opened) == []
    assert "opened 20 times: 20 times by 20 finals and untrained encoders, never by others" in told(results)
    assert "Ledger and finals agree" in told(results)
    assert "| amr-000-seed-1 | 2026-01-01 00:00:00 | xview | 240 | 240 | linear, knn | - |" in told(results)


def without_one(lines: list[dict]) -> list[dict]:
    return [line for line in lines if line["who"] != "amr-000-seed-2"]


def opened_thrice(lines: list[dict]) -> list[dict]:
    return [*lines, lines[0], lines[0]]


def fewer_clips(lines: list[dict]) -> list[dict]:
    return [lines[0] | {"clips": 239}, *lines[1:]]


def by_a_trial(lines: list[dict]) -> list[dict]:
    return [*lines, lines[0] | {"who": "mamp-001"}]


@pytest.mark.parametrize(("change", "sentence"), [
    (without_one, "No opening is written down for amr-000-seed-2, though test figures of it are in the tables."),
    (opened_thrice, "opened more often than once a protocol by amr-000-seed-1 (3 times)."),
    (fewer_clips, "count test clips differently: amr-000-seed-1 (239 clips, 240 in the tables)."),
    (by_a_trial, "Trials of the search read the test side: mamp-001."),
])  # fmt: skip
def test_what_does_not_agree_is_a_warning(results, change, sentence):
    full.write_ledger(results, change(openings.lines(results)))
    (warning,) = openings.disagreements(results, openings.lines(results))
    assert sentence in warning
    assert any(isinstance(each, Warn) and each.text == warning for each in openings.part(results).blocks)
    assert "Ledger and finals agree" not in told(results)


def test_a_later_reader_is_named_and_is_no_disagreement(results):
    first = openings.lines(results)
    full.write_ledger(results, [*first, first[0] | {"who": "skelray features"}])
    assert openings.others(results, openings.lines(results)) == ["skelray features"]
    assert "Others that read it: skelray features." in told(results)
    assert "once by others" in told(results)
    assert "Ledger and finals agree" in told(results)


def test_looks_on_the_way_are_counted_apart(results):
    first = openings.lines(results)
    full.write_ledger(results, [*first, *[first[0] | {"who": "amr-000-seed-1 (peek)"}] * 3])
    assert openings.others(results, openings.lines(results)) == []
    assert "20 times by 20 finals and untrained encoders, 3 times by finals on their way" in told(results)
    assert openings.disagreements(results, openings.lines(results)) == []


def test_test_figures_without_a_ledger_are_a_warning_and_no_figures_without_one_are_not(results, tmp_path):
    (results.folder / ledger.FILE).unlink()
    assert "how often the test side was read is unknown" in told(results)
    searched = full.made_up.folder(tmp_path / "s", full.search("amr", 2, full.random.Random(0)))
    assert "The test side was never opened." in told(searched)


def test_the_gap_is_the_best_epoch_less_the_last_as_a_mean_over_seeds(results):
    found = openings.peeking(results)
    assert set(found["name"]) == {"amr", "mamp"}
    assert (found["seeds"] == 5).all()
    assert found["gap"].tolist() == pytest.approx([0.02] * 4)
    honest = tables.leaders(results).set_index("name").loc["amr", "test/linear"]
    row = found[(found["name"] == "amr") & (found["metric"] == "test/linear")].iloc[0]
    assert row["honest"] == pytest.approx(honest)
    assert "what not to do" in told(results)
    assert f"| amr | test/linear | 5 | {100 * honest:.1f} | {100 * honest + 2:.1f} | 2.0 |" in told(results)


def test_where_nobody_peeked_the_report_says_that_it_was_not_measured(tmp_path):
    results = full.folder(tmp_path / "r", trials=2, peeked=False, methods=("amr",))
    assert openings.peeking(results).empty
    assert "was not measured" in told(results)
    assert "what not to do" not in told(results)


def test_metrics_in_detail_are_folded_unless_the_sweep_selected_on_one(results):
    table = results.history()
    fives = table[table["metric"] == "test/knn"]
    more = [fives.assign(metric=name) for name in ("test/knn_5", "test/knn_20")]
    full.pd.concat([table, *more]).to_parquet(results.folder / "history.parquet", index=False)
    finals = results.finals()
    columns = {f"test/knn_{k}": finals["test/knn"] for k in (5, 20)}
    finals.assign(**columns).to_parquet(results.folder / "finals.parquet", index=False)
    yaml_file.write(results.folder / "sweep.yaml", full.SWEEP | {"objective": {"metric": "val/knn_20", "mode": "max"}})
    first, folded = (
        block for block in openings.part(results).blocks
        if isinstance(block, Table | Folded) and "Every" not in getattr(block, "summary", "")
    )  # fmt: skip
    order = [name for name in tables.leaders(results)["name"] if not name.startswith(tables.FLOOR)]
    assert [row[0] for row in first.rows] == [name for name in order for _ in range(3)]
    assert {row[1] for row in first.rows} == {"test/linear", "test/knn", "test/knn_20"}
    assert [row[:2] for row in folded.blocks[0].rows] == [[name, "test/knn_5"] for name in order]

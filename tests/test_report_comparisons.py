"""Comparisons in a report with many protocols: one in full, the others in a line each, draws of labels together."""

import made_up_report as full
import numpy as np
import pandas as pd
import pytest
from made_up_predictions import coins, predictions

from skelray.report import by_class, comparisons, html
from skelray.report.blocks import Folded, Items, Table, Title, markdown
from skelray.results import Results
from skelray.statistics.compare import compare_all
from skelray.statistics.correction import holm

KEPT = ["trial", "protocol", "clip", "subject", "label", "predicted"]
PROTOCOLS = ["finetune", "knn_20", "knn_5", "semi_10_draw0", "semi_10_draw1", "semi_10_draw2", "semi_1_draw0"]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Results:
    """Three methods, whose predictions under linear are given under other names too."""
    made = full.folder(tmp_path_factory.mktemp("full") / "r", trials=2)
    told = full.predicted()[KEPT]
    linear = told[told["protocol"] == "linear"]
    every = [told, *(linear.assign(protocol=name) for name in PROTOCOLS)]
    made.write_predictions([table.to_dict("list") for table in every])
    return made


def many(chances=(0.9, 0.8, 0.7, 0.6, 0.5), protocols=("linear", "knn", "knn_5", "knn_10", "finetune", "semi_1")):
    """Five methods, ten pairs each."""
    tables = [
        predictions(
            {f"method{place}": coins(100 * each + place, 4, 90, chance) for place, chance in enumerate(chances)},
            protocol=protocol,
        )
        for each, protocol in enumerate(protocols)
    ]
    return compare_all(pd.concat(tables), resamples=20)


def shown(part) -> list:
    return [block for block in part.blocks if not isinstance(block, Folded)]


def test_draws_are_one_comparison_and_protocols_stand_in_the_order_of_reading(results):
    found, refused = comparisons.comparisons(results)
    assert refused == []
    assert list(found) == ["linear", "finetune", "knn", "knn_5", "knn_20", "semi_1", "semi_10"]
    assert found["semi_10"].draws == 3
    told = markdown([comparisons.part(results, found, refused)])
    assert "_draw" not in told
    assert "means over 3 draws of labels" in told
    assert "Nothing is said of other draws" in told  # of semi_1, of which there is one


def test_of_many_protocols_one_is_shown_and_each_other_is_a_line(results):
    found = many()
    blocks = shown(comparisons.part(results, found, []))
    assert [block.text for block in blocks if isinstance(block, Title)] == ["Under linear", "Under other protocols"]
    sentences = [text for block in blocks if isinstance(block, Items) for text in block.texts]
    assert sum(" than " in text or "difference between" in text for text in sentences) == 10
    (lines,) = (block for block in blocks if isinstance(block, Table) and "other protocols" in block.caption)
    assert [row[0] for row in lines.rows] == list(found)[1:]
    assert [row[2] for row in lines.rows] == [
        str(sum(pair.verdict == "better" for pair in each.pairs)) for each in list(found.values())[1:]
    ]


def test_every_sentence_is_there_unfolded_or_folded(results):
    found = many()
    told = markdown([comparisons.part(results, found, [])])
    for protocol, each in found.items():
        assert f"### Under {protocol}" in told
        assert all(pair.sentence.replace("<", "&lt;") in told for pair in each.pairs)


def test_which_family_is_corrected_is_said(results):
    words = " ".join(block for block in shown(comparisons.part(results, many(), [])) if isinstance(block, str))
    assert "those under the protocol that the sweep selected by: linear" in words
    assert "Holm's correction covers its 10 pairs" in words
    assert "all 60 pairs of all protocols are corrected together" in words
    for others in (("finetune", "knn"), ("finetune",)):
        found = many(protocols=others)
        words = " ".join(block for block in shown(comparisons.part(results, found, [])) if isinstance(block, str))
        assert "finetune, for of linear, by which the sweep selected, no clip's prediction is kept" in words


def test_what_stands_over_all_protocols_is_holms_over_all_pairs(results):
    found = many((0.8, 0.7, 0.66))
    (lines,) = (
        block for block in comparisons.part(results, found, []).blocks
        if isinstance(block, Table) and "other protocols" in block.caption
    )  # fmt: skip
    pairs = [(name, pair.difference.p) for name, each in found.items() for pair in each.pairs]
    adjusted = holm([p for _, p in pairs])
    expected = [
        sum(p < 0.05 for (name, _), p in zip(pairs, adjusted, strict=True) if name == row[0]) for row in lines.rows
    ]
    assert [int(row[3]) for row in lines.rows] == expected
    assert sum(expected) < sum(int(row[2]) for row in lines.rows)


def test_one_protocol_has_no_others(results):
    blocks = comparisons.part(results, many(protocols=("linear",)), []).blocks
    assert not any(isinstance(block, Title | Folded) for block in blocks)


def test_classes_have_their_names_and_the_matrix_counts_draws():
    right = {"amr": coins(1, 3, 40, 0.7)}
    table = pd.concat([predictions(right, protocol=f"semi_1_draw{draw}") for draw in range(3)])
    accuracy, matrix = by_class.part(compare_all(table, resamples=10), ["sit", "stand", "walk", "wave"]).blocks[1:]
    assert [row[0] for row in accuracy.rows] == ["sit", "stand", "walk", "wave"]
    assert [row[0] for row in matrix.rows] == ["0 sit", "1 stand", "2 walk", "3 wave"]
    assert "over 3 seeds and 3 draws of labels" in matrix.caption
    cells = [[int(cell.split(">")[1].split("<")[0]) for cell in row[1:]] for row in matrix.rows]
    assert np.sum(cells) == 3 * 3 * 40


def test_one_pair_needs_no_correction(tmp_path):
    results = full.folder(tmp_path / "r", trials=2, methods=("amr", "mamp"))
    text = html.text(results, [comparisons.part(results, *comparisons.comparisons(results))])
    assert "Pairs under linear: differences in points<" in text
    assert "over 1 pair" not in text

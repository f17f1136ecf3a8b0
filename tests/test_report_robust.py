"""Robustness in the report: means over seeds of what the finals' curves hold, and nothing where there are none."""

import made_up_report as full
import pytest

from skelray.report import blocks, html, robust

LEVELS = {"dropped_frames": [0, 0.5], "occluded_held": ["none", "left arm <b>"]}


@pytest.fixture
def results(tmp_path):
    made = full.folder(tmp_path / "r", trials=2, methods=("amr", "mamp"))
    made.write_curves({
        f"{method}-{stem}-seed-{seed}": {
            curve: [{"level": each, "accuracy": base - 0.1 * place + 0.01 * seed} for place, each in enumerate(levels)]
            for curve, levels in LEVELS.items()
        }
        for method, base in (("amr", 0.8), ("mamp", 0.7)) for stem in ("000", "floor") for seed in full.SEEDS
    })  # fmt: skip
    return made


def test_the_points_are_means_over_the_seeds_of_finalists_in_the_order_of_levels(results):
    found = robust.points(results)
    assert set(found["name"]) == {"amr", "mamp"}
    assert (found["seeds"] == 5).all()
    amr = found[(found["name"] == "amr") & (found["curve"] == "dropped_frames")]
    assert amr["level"].tolist() == ["0", "0.5"]
    assert amr["accuracy"].tolist() == pytest.approx([0.83, 0.73])
    assert amr["spread"].tolist() == pytest.approx([0.0158] * 2, abs=1e-4)
    assert "| amr | dropped_frames | 0.5 | 73.0 ± 1.6 | 5 |" in blocks.table(
        ["", "", "", "", ""], robust.part(results).blocks[0].numbers.rows
    )


def test_levels_may_be_words_and_stay_text(results):
    text = html.text(results, html.parts(results))
    assert "left arm &lt;b&gt;" in text
    assert "Accuracy under dropped frames" in text


def test_no_curves_no_part(tmp_path):
    made = full.folder(tmp_path / "r", trials=2, methods=("amr",))
    assert robust.points(made).empty
    assert robust.part(made).blocks == []


def test_draws_of_labels_are_no_corruption(results):
    kept = results.curves()
    for found in kept.values():
        found["semi"] = [{"share": 0.1, "draw": draw, "clips": 10, "made": 0, "accuracy": 0.4} for draw in range(5)]
    results.write_curves(kept)
    assert set(robust.points(results)["curve"]) == set(LEVELS)

"""What finalists generate: their means over seeds beside their untrained encoders, references, and who is left out."""

import math

import made_up_sweep as made_up
import pytest

from skelray.events import Ended, Reported, Started
from skelray.report import blocks, generated, sections, tables

FREE = {"frechet": 3200.0, "frechet_training": 26.06, "bone_ratio": 6.4, "bone_variation": 0.64,
        "bone_variation_real": 0.132}  # fmt: skip
SEEN = {"mpjpe_mm": 1680.4, "frechet_conditional": 27.2, "bone_ratio_conditional": 1.01,
        "bone_variation_conditional": 0.415}  # fmt: skip
REFERENCES = ("frechet_training", "bone_variation_real")


def measured(figures: dict[str, float], factor: float) -> dict[str, float]:
    own = {name: value if name in REFERENCES else value * factor for name, value in figures.items()}
    return {f"test/generation_{name}": value for name, value in own.items()}


def folder(path, by_method, seeds=3, protocols=("linear", "generation")):
    """Finalists and floors of each method with the figures of `by_method`; a floor's are twice as large."""
    told = []
    for place, (method, figures) in enumerate(by_method.items()):
        for kind, clips in (("final", 60000), ("floor", 0)):
            for seed in range(seeds):
                name = f"{method}-{kind}-{seed}"
                config = {"method": {"name": method}, "seed": seed}
                metrics = {"test/linear": (0.5 if kind == "floor" else 0.9) - place / 10 + seed / 100}
                metrics |= measured(figures, (0.9 + seed / 10) * (2 if kind == "floor" else 1))
                told += [
                    Started(trial=name, method=method, kind=kind, seed=seed, config=config, time=made_up.BEGAN),
                    Reported(trial=name, clips=clips, metrics=metrics, time=made_up.BEGAN + 1),
                    Ended(trial=name, state="complete", time=made_up.BEGAN + 2, seconds=2),
                ]
    results = made_up.Results(path)
    final = {"top": 1, "seeds": seeds, "protocols": list(protocols)}
    results.create(made_up.SWEEP | {"final": final}, made_up.ENVIRONMENT)
    results.write(told, "val/linear")
    return results


@pytest.fixture
def results(tmp_path):
    return folder(tmp_path / "r", {"amr": {}, "umd": FREE, "macdiff": FREE | SEEN})


def told(results) -> str:
    return blocks.markdown([generated.part(results)])


def test_each_method_that_generates_is_followed_by_its_floor_in_the_order_of_the_leaderboard(results):
    names = ["umd", "untrained umd", "macdiff", "untrained macdiff"]
    assert generated.rows(results)["name"].tolist() == names
    freely = next(block for block in generated.part(results).blocks if isinstance(block, blocks.Table))
    assert [row[0] for row in freely.rows] == names


def test_a_mean_stands_with_its_deviation_over_seeds_and_a_reference_alone(results):
    assert "| umd | 3,200 ± 320 | 26.1 | 6.40 ± 0.64 | 64.0 ± 6.4 | 13.2 |" in told(results)
    assert "| untrained umd | 6,400 ± 640 | 26.1 | 12.8 ± 1.3 | 128 ± 13 | 13.2 |" in told(results)


def test_what_is_made_again_from_clips_has_a_table_of_those_methods_that_can(results):
    free, again = (block for block in generated.part(results).blocks if isinstance(block, blocks.Table))
    assert "mpjpe_mm" not in free.heads
    assert [row[0] for row in again.rows] == ["macdiff", "untrained macdiff"]
    assert dict(zip(again.heads, again.rows[0], strict=True)) == {
        "method": "macdiff", "mpjpe_mm": "1,680 ± 168", "frechet_conditional": "27.2 ± 2.7", "frechet_training": "26.1",
        "bone_ratio_conditional": "1.01 ± 0.10", "bone_variation_conditional": "41.5 ± 4.2",
        "bone_variation_real": "13.2",
    }  # fmt: skip
    assert "in millimetres" in told(results)


def test_units_and_what_is_better_are_said(results):
    for words in ("less is better", "where a perfect method would stand", "1 is right", "in percent"):
        assert words in told(results)


def test_without_metres_there_are_no_millimetres(tmp_path):
    figures = FREE | {name: value for name, value in SEEN.items() if name != "mpjpe_mm"}
    text = told(folder(tmp_path / "r", {"macdiff": figures}))
    assert "frechet_conditional" in text
    assert "mpjpe" not in text


def test_one_seed_has_no_deviation(tmp_path):
    assert "| umd | 2,880 | 26.1 | 5.76 | 57.6 | 13.2 |" in told(folder(tmp_path / "r", {"umd": FREE}, seeds=1))


def test_where_nobody_generates_there_is_no_such_part(tmp_path):
    results = folder(tmp_path / "r", {"amr": {}}, protocols=["linear"])
    assert generated.part(results).blocks == []
    assert generated.rows(results).empty


@pytest.mark.parametrize(("mean", "spread", "text"), [
    (3208.766, 196.9, "3,209 ± 197"), (26.06, 0.04, "26.1 ± 0.0"), (6.366, math.nan, "6.37"), (math.nan, 1.0, "-"),
])  # fmt: skip
def test_a_number_has_as_many_digits_as_are_read(mean, spread, text):
    assert generated.number(mean, spread) == text


def test_a_protocol_is_said_to_be_left_out_for_whom_it_was_and_why(results):
    assert tables.left_out(results) == {"generation": ["amr"]}
    board = blocks.markdown([sections.leaderboard(results)])
    assert "generation was asked for and is left out for amr: nothing is generated" in board


def test_a_method_whose_finals_failed_was_not_left_out(tmp_path):
    results = folder(tmp_path / "r", {"umd": FREE}, protocols=["linear", "generation", "knn"])
    finals = results.finals()
    assert tables.left_out(results) == {"knn": ["umd"]}
    finals.assign(state="failed").to_parquet(results.folder / "finals.parquet", index=False)
    assert tables.left_out(results) == {}

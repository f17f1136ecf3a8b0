"""The report says of each finalist what training added to its own untrained encoder."""

import made_up_report as full

from skelray.report import added, comparisons
from skelray.report.blocks import Folded, Items


def test_each_finalist_is_held_against_its_own_floor(tmp_path):
    results = full.folder(tmp_path / "r", trials=2)
    compared, _ = comparisons.comparisons(results)
    told = added.part(results, list(compared))
    (sentences,) = (block.texts for block in told.blocks if isinstance(block, Items))
    assert len(sentences) == len(full.METHODS)
    assert all(f"untrained {method}" in " ".join(sentences) for method in full.METHODS)
    assert sum(isinstance(block, Folded) for block in told.blocks) == len(compared) - 1


def test_without_floors_there_is_nothing_to_say(tmp_path):
    results = full.folder(tmp_path / "r", trials=2, methods=("amr",))
    assert added.part(results, []).blocks == []


def test_draws_of_labels_are_one_protocol(tmp_path):
    results = full.folder(tmp_path / "r", trials=2)
    table = full.predicted()
    draws = [table[table["protocol"] == "knn"].assign(protocol=f"semi_10_draw{draw}") for draw in range(3)]
    kept = ["trial", "protocol", "clip", "subject", "label", "predicted"]
    results.write_predictions([each[kept].to_dict("list") for each in draws])
    (sentences,) = (block for block in added.part(results, ["semi_10"]).blocks if isinstance(block, Items))
    assert len(sentences.texts) == len(full.METHODS)

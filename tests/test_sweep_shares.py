"""One small sweep under a real Ray whose methods share FLOPs: what the tables say they used is what they were given."""

import json
from pathlib import Path

import pytest
from tiny_store import tiny_clips, tiny_store

from skelray import yaml_file
from skelray.report import spent
from skelray.results import Results
from skelray.sweep import driver

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ENCODER = {"frames": 12, "patch": 4, "width": 16, "depth": 1, "heads": 2}


def make_sweep(folder: Path, **budget) -> Path:
    tiny_store(folder / "tiny.arrow", tiny_clips(repeats=2))
    rate = {"optim.lr": {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True}}
    settings = {
        "data": {"store": str(folder / "tiny.arrow"), "split": "xview", "val_subjects": 2},
        "train": {"batch": 8, "reports": 4}, "evaluate": {"linear": {"epochs": 3, "lr": [0.1]}},
        "method": {"decoder_depth": 1, "mask_ratio": 0.6, "encoder": ENCODER},
    }  # fmt: skip
    file = folder / "shares.yaml"
    yaml_file.write(
        file,
        {
            "question": "?", "price": "?", "expected": "?", "trial": settings, "budget": budget,
            "spaces": [{"method": name, "search": rate} for name in ("skeletonmae", "mamp")],
            "overrides": {"mamp": {"method.decoder_depth": 5}}, "final": {"seeds": 1, "protocols": ["knn"]},
        },
    )  # fmt: skip
    return file


def test_methods_of_unequal_price_use_equal_flops(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = make_sweep(tmp_path, trials=3, unit="flops", share=6e9, grace=6e9 / 12, reduction=3)
    results = Results(driver.sweep(file, tracking_uri="none"))
    found = spent.ledger(results)
    search, finals = found[found["stage"] == "search"], found[found["stage"] == "finals"]
    assert list(search["method"]) == ["skeletonmae", "mamp"]
    assert (search["off"].abs() < 0.05).all(), search
    assert search["clips"].iloc[0] > 2 * search["clips"].iloc[1]
    assert list(finals["flops"]) == pytest.approx([2e9, 2e9], rel=0.06)  # what one trial gets
    assert (found["device_seconds"] > 0).all()
    lengths = [json.loads(text)["train"] for text in results.trials()["config"]]
    assert all(train["epochs"] is None and train["clips"] % 8 == 0 for train in lengths)
    assert "of its share" in capsys.readouterr().out
    assert {"bodies", "clips", "devices", "seconds"} == set(results.costs())

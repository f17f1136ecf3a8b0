"""`skelray train FILE`: the same number again, and one clear message for each mistake."""

import numpy as np
import pytest
import torch
from shell import skelray

from skelray import trial, trial_config, yaml_file
from skelray.data import store
from skelray.data.clip import Clip
from skelray.errors import BadInput


@pytest.fixture
def document(tmp_path, five_joints) -> dict:
    """A trial of four steps on a store of 24 random clips."""
    random = np.random.default_rng(0)
    clips = (
        Clip(
            f"{i}",
            random.normal(size=(1, 12, 5, 3)).astype(np.float32),
            i % 2,
            i // 2 % 4,
            sides={"given": int(i > 19)},
        )
        for i in range(24)
    )
    store.write(tmp_path / "tiny.arrow", clips, five_joints, "tiny", ("left", "right"))
    encoder = {"frames": 8, "patch": 4, "width": 8, "depth": 1, "heads": 2}
    return {
        "data": {"store": str(tmp_path / "tiny.arrow"), "split": "given", "val_subjects": 1},
        "method": {"name": "mamp", "encoder": encoder, "decoder_depth": 1, "mask_ratio": 0.5},
        "train": {"clips": 32, "batch": 8, "reports": 2},
        "evaluate": {"linear": {"epochs": 3}},
    }


def written(document: dict, tmp_path):
    yaml_file.write(tmp_path / "best.yaml", document)
    return tmp_path / "best.yaml"


def test_the_whole_document_of_a_trial_gives_its_numbers_again_digit_for_digit(document, tmp_path, capsys):
    config = trial_config.TrialConfig.model_validate(document)
    trial.settle(config)
    expected = trial.run(config, folder=tmp_path / "first", report=lambda *_: None)
    assert skelray("train", written(config.model_dump(mode="json"), tmp_path)) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert {name: float(value) for name, value in printed.items()} == expected
    assert "val/linear" in printed


def test_a_folder_keeps_what_was_done(document, tmp_path, capsys):
    file, folder = written(document, tmp_path), tmp_path / "kept"
    assert skelray("train", file, "--folder", folder) == 0
    first = capsys.readouterr()
    assert list(folder.glob("step-*"))
    assert skelray("train", file, "--folder", folder) == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert len(second.err.splitlines()) < len(first.err.splitlines())  # nothing was trained again


def test_each_mistake_is_told_with_file_line_and_key_before_anything_starts(document, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(trial, "run", lambda *_, **__: pytest.fail("a refused trial was started"))
    document["method"]["tua"] = 0.5
    document["train"]["batch"] = "many"
    file = written(document, tmp_path)
    assert skelray("train", file) == 2
    told = capsys.readouterr().err
    line = 1 + next(i for i, text in enumerate(file.read_text().splitlines()) if "tua" in text)
    assert f'best.yaml:{line}: method.tua: unknown key; did you mean "tau"?' in told
    assert "train.batch" in told
    assert "'many'" in told


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("train.clips", "32", "train.clips: Input should be a valid integer, not '32'"),
        ("train.clips", True, "train.clips: Input should be a valid integer, not True"),
        ("optim.lr", "1e-3", "optim.lr: Input should be a valid number, not '1e-3'"),
        ("method.normalise", "yes", "method.normalise: Input should be a valid boolean, not 'yes'"),
        ("method.encoder.width", "8", "method.encoder.width: Input should be a valid integer, not '8'"),
        ("method.crop", [1.0, 0.5], "method.crop: [1.0, 0.5] is not a range within 0..1"),
        ("method.augment", ["rotte"], "method: augment: no 'rotte'; did you mean \"rotate\"?"),
        ("optim.lr", 1e30, "the training diverged"),
        ("train.threads", 10**6, "train.threads: Input should be less than or equal to 1024"),
    ],
)
def test_a_value_of_the_wrong_kind_or_range_leaves_with_code_2(key, value, told, document, tmp_path, capsys):
    part = document
    *sections, last = key.split(".")
    for section in sections:
        part = part.setdefault(section, {})
    part[last] = value
    assert skelray("train", written(document, tmp_path)) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["best.yaml", "--folder", "best.yaml/inside"], "cannot be made: Not a directory"),
        (["missing.yaml"], "missing.yaml"),
        (["best.yaml", "--device", "gpu"], "cpu or cuda"),
        (["best.yaml", "--folder", "best.yaml"], "is a file"),
    ],
)
def test_bad_words_leave_with_code_2(words, told, document, tmp_path, capsys, monkeypatch):
    written(document, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert skelray("train", *words) == 2
    assert told in capsys.readouterr().err


def test_a_missing_cuda_device_is_told(monkeypatch):
    from skelray.cli import train

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match="no CUDA device"):
        train.usable("cuda")
    train.usable("cpu")

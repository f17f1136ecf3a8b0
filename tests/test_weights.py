"""Folders of weights: whole, unchanged, written at once, and for every method."""

import json
import shutil
from pathlib import Path

import pytest
import released
import torch
from cases import CASES, build
from safetensors import SafetensorError
from test_cli_train import skelray
from tiny_trial import Heard, Killed, clips, one_thread, stored, tiny  # noqa: F401  # fixtures

from skelray import methods, trial, weights
from skelray.errors import BadInput
from skelray.method import Method
from skelray.skeletons import Skeleton
from skelray.trial_config import TrialConfig
from skelray.weights import folder

AVAILABLE = sorted(set(CASES) & set(methods.available()))


def kept(method: Method, skeleton: Skeleton, out: Path, **more) -> Path:
    """A folder of weights of a method that nobody trained."""
    folder.write(weights.Weights(method, skeleton, weights.Origin(), folder.parts_of(method), **more), out)
    return out


@pytest.fixture
def trained(stored, tmp_path_factory) -> Path:  # noqa: F811
    """The folder of a trial that ended."""
    place = tmp_path_factory.mktemp("trial")
    trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=place, report=Heard())
    return place


@torch.no_grad()
def features(method: Method, joints: int = 5) -> torch.Tensor:
    shape = (3, method.cfg.encoder.frames, joints, 3)
    return method.eval().pretrained(torch.randn(shape, generator=torch.Generator().manual_seed(4)))


@pytest.mark.parametrize("name", AVAILABLE)
def test_every_method_comes_back_unchanged(name, five_joints, tmp_path):
    method = build(name, five_joints)
    with torch.no_grad():
        for each in (*method.parameters(), *method.buffers()):
            each.add_(0.01 * torch.rand_like(each)) if each.is_floating_point() else None
    loaded = weights.load(kept(method, five_joints, tmp_path / "out"))
    state = method.state_dict()
    assert loaded.cfg == method.cfg
    assert not loaded.training
    assert state.keys() == loaded.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in loaded.state_dict().items())
    assert torch.equal(features(loaded), features(method))


@pytest.mark.parametrize("name", ["amr", "mamp", "macdiff"])
def test_a_trial_is_exported_with_what_is_known_about_it(name, stored, tmp_path):  # noqa: F811
    config = TrialConfig.model_validate(tiny(name, store=stored))
    trial.run(config, folder=tmp_path / "trial", report=Heard())
    assert skelray("weights", "export", tmp_path / "trial", tmp_path / "out") == 0
    expected = trial.prepare(config, "cpu", None).method
    expected.load_state_dict(weights.exported.checkpoint.latest(tmp_path / "trial")["model"])
    assert torch.equal(features(weights.load(tmp_path / "out")), features(expected))

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    said = json.loads((tmp_path / "out/config.json").read_text())
    assert said["origin"]["clips"] == 64
    assert said["origin"]["side"] == "training side without its validation clips"
    assert TrialConfig.model_validate(said["origin"]["trial"]) == config
    assert said["skeleton"]["name"] == "five"
    measured = "standard.mean" in said["buffers"]
    assert measured == (name == "macdiff")
    card = (tmp_path / "out/README.md").read_text()
    for words in (
        f"# {name}",
        "val/linear",
        said["origin"]["fingerprint"],
        "clips seen | 64",
        "weights.load(",
        "Licence",
    ):
        assert words in card


def test_a_final_tells_its_test(stored, tmp_path):  # noqa: F811
    config = TrialConfig.model_validate(tiny(store=stored))
    trial.final(config, folder=tmp_path / "final", report=Heard(), ledger=tmp_path / "opened.jsonl")
    made = weights.export(tmp_path / "final", tmp_path / "out")
    assert "test/linear" in made.origin.metrics
    assert made.origin.side == "whole training side"


def test_a_trial_that_was_killed_gives_its_newest_checkpoint(stored, tmp_path):  # noqa: F811
    with pytest.raises(Killed):
        trial.run(TrialConfig.model_validate(tiny(store=stored)), folder=tmp_path / "trial", report=Heard(last=2))
    assert weights.export(tmp_path / "trial", tmp_path / "out").origin.clips == 32


def test_a_folder_of_weights_is_exported_again_and_in_part(five_joints, tmp_path):
    source = kept(build("mamp", five_joints), five_joints, tmp_path / "source")
    weights.export(source, tmp_path / "encoder", parts=("encoder",))
    whole, part = weights.load(source), weights.load(tmp_path / "encoder")
    assert torch.equal(features(whole), features(part))
    assert json.loads((tmp_path / "encoder/config.json").read_text())["parts"] == ["encoder"]
    assert "not here, untrained when loaded | decoder" in (tmp_path / "encoder/README.md").read_text()
    sizes = [(tmp_path / each / "model.safetensors").stat().st_size for each in ("encoder", "source")]
    assert sizes[0] < sizes[1]
    with pytest.raises(BadInput, match=r"no part 'head' \(there are encoder, decoder\)"):
        weights.export(source, tmp_path / "head", parts=("head",))
    with pytest.raises(
        BadInput, match=r"decoder alone does not give mamp's features again: they come through encoder$"
    ):
        weights.export(source, tmp_path / "decoder", parts=("decoder",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder", "source"]


@pytest.mark.parametrize(
    ("name", "parts"), [("sjepa", "teacher"), ("slim", "teacher"), ("macdiff", "encoder and standard")]
)
def test_who_leaves_out_what_features_come_through_is_told_what_that_is(name, parts, five_joints, tmp_path):
    method = build(name, five_joints)
    with torch.no_grad():
        for each in (*method.parameters(), *method.buffers()):
            each.add_(0.01 * torch.rand_like(each)) if each.is_floating_point() else None
    source = kept(method, five_joints, tmp_path / "source")
    with pytest.raises(BadInput, match=rf"encoder alone .* they come through {parts}$"):
        weights.export(source, tmp_path / "encoder", parts=("encoder",))
    weights.export(source, tmp_path / "enough", parts=tuple(parts.split(" and ")))


def test_a_full_disk_is_told_and_leaves_nothing(trained, tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError("No space left on device")

    monkeypatch.setattr(folder, "save_file", full)
    with pytest.raises(BadInput, match="out cannot be written: No space left"):
        weights.export(trained, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_without_its_store_a_trial_needs_the_name_of_a_layout(trained, tmp_path, monkeypatch):
    def moved(name):
        raise BadInput(f"no store at {name}")

    monkeypatch.setattr(weights.exported.locate, "find", moved)
    with pytest.raises(BadInput, match=r"the trial's store is not here: no store at .*--skeleton"):
        weights.export(trained, tmp_path / "out")
    with pytest.raises(BadInput, match=r"encoder.embedding.positions.joint is 1 x 5 x 16 where 1 x 20 x 16 is due"):
        weights.export(trained, tmp_path / "out", skeleton="kinect20")


def test_a_store_that_changed_is_not_taken_for_the_trials(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(weights.exported.locate, "find", lambda name: other)
    other = tmp_path / "other.arrow"
    from skelray.data import store
    from skelray.data.clip import Clip

    five = Skeleton(name="five", joints=tuple("abcde"), parents=(0, 0, 0, 0, 0))
    store.write(other, [Clip("a", torch.ones(1, 4, 5, 3).numpy(), 0, 0)], five, "tiny", ("one",))
    with pytest.raises(BadInput, match="holds other clips than the trial was trained on"):
        weights.export(trained, tmp_path / "out")


def test_an_existing_folder_is_replaced_on_request_alone_and_only_by_its_like(five_joints, tmp_path):
    out = kept(build("mamp", five_joints), five_joints, tmp_path / "out")
    other = kept(build("amr", five_joints), five_joints, tmp_path / "other")
    with pytest.raises(BadInput, match="out exists; choose another name, or replace it with --force"):
        weights.export(other, out)
    weights.export(other, out, force=True)
    assert weights.load(out).cfg.name == "amr"
    (out / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="not a folder of weights alone"):
        weights.export(other, out, force=True)
    assert (out / "notes.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


def test_a_kill_while_writing_leaves_nothing(five_joints, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder.card, "text", killed)
    with pytest.raises(KeyboardInterrupt):
        kept(build("mamp", five_joints), five_joints, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def edited(**changes):
    def edit(place: Path) -> None:
        said = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(said | changes))

    return edit


def flipped(place: Path) -> None:
    raw = bytearray((place / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (place / "model.safetensors").write_bytes(raw)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (flipped, "is torn or altered"),
        (lambda place: (place / "model.safetensors").unlink(), "holds no weights that can be read"),
        (lambda place: (place / "config.json").write_text("{"), "does not describe weights"),
        (shutil.rmtree, "holds no weights that can be read"),
        (edited(method={"name": "mampp"}), "no method 'mampp'"),
        (edited(method={"name": "mamp", "tua": 1}), 'method: tua: unknown key; did you mean "tau"'),
        (edited(parts=["encoder"]), "unknown: decoder"),
        (edited(format=2), "format: "),
        (edited(method={"name": "mamp", "decoder_depth": 2}), "missing: decoder.body.blocks.1"),
    ],
)
def test_a_folder_that_is_damaged_is_refused(damage, told, five_joints, tmp_path):
    out = kept(build("mamp", five_joints), five_joints, tmp_path / "out")
    damage(out)
    with pytest.raises(BadInput, match=told):
        weights.load(out)


def test_the_commands_refuse_with_code_2_and_one_line(tmp_path, capsys):
    (tmp_path / "text.pth").write_text("hello")
    for words in (("import", "mamp", tmp_path / "text.pth"), ("export", tmp_path)):
        assert skelray("weights", *words, tmp_path / "out") == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    torch.save({"model": released.mamp()}, tmp_path / "released.pth")
    assert skelray("weights", "import", "mamp", tmp_path / "released.pth", tmp_path / "out", "--heads", 2) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: mamp, encoder, decoder\n"
    card = (tmp_path / "out/README.md").read_text()
    assert "imported from | `released.pth`, sha256 " in card
    assert "Nothing that this folder knows of" in card

"""Released checkpoints: what they compute is what the imported method computes, and whatever is odd is refused."""

import argparse
import os
import zipfile

import pytest
import released
import torch
from safetensors.torch import save_file

from skelray import skeletons, weights
from skelray.errors import BadInput
from skelray.masking import Mask
from skelray.weights import imported as imported_module

HEADS = 2
CLOSE = {"atol": 1e-5, "rtol": 0}


def saved(content: object, tmp_path, name: str = "checkpoint.pth"):
    torch.save(content, tmp_path / name)
    return tmp_path / name


def imported(method: str, content: object, tmp_path, **options):
    weights.import_(method, saved(content, tmp_path), tmp_path / "out", heads=HEADS, **options)
    return weights.load(tmp_path / "out")


def bodies(frames: int = 12) -> torch.Tensor:
    return torch.randn(3, frames, 25, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["mamp", "skeletonmae"])
@torch.no_grad()
def test_features_are_those_of_the_authors_forward(name, tmp_path):
    state = released.mamp()
    method = imported(name, {"model": state}, tmp_path)
    torch.testing.assert_close(method.pretrained(bodies()), released.features(bodies(), state, HEADS), **CLOSE)


@torch.no_grad()
def test_the_decoder_of_mamp_predicts_what_the_authors_predicts(tmp_path):
    state = released.mamp()
    method = imported("mamp", {"model": state}, tmp_path)
    shuffle = torch.rand(3, 75, generator=torch.Generator().manual_seed(2)).argsort(1)
    keep = shuffle[:, :7].sort(1).values
    mask = Mask(keep, torch.ones(3, 75, dtype=torch.bool).scatter(1, keep, False))
    predicted = method.decoder(method.encoder(bodies(), mask), mask)
    torch.testing.assert_close(predicted, released.predictions(bodies(), state, HEADS, shuffle, 7), **CLOSE)


@pytest.mark.parametrize(
    ("statistics", "mean", "variance"),
    [
        (None, (-0.0058, -0.1333, -0.0246), (0.0206, 0.0805, 0.0218)),
        ("pkummd2", (-0.0459, -0.0680, 1.3642), (0.2356, 0.2351, 1.9492)),
    ],
)
@torch.no_grad()
def test_macdiff_is_whole_with_the_statistics_that_its_authors_keep_in_their_code(statistics, mean, variance, tmp_path):
    state = released.macdiff()
    method = imported("macdiff", {"model": state}, tmp_path, statistics=statistics)
    x = (bodies() - torch.tensor(mean)) / torch.tensor(variance).sqrt()
    torch.testing.assert_close(method.pretrained(bodies()), released.features(x, state, HEADS), **CLOSE)
    z, step = torch.randn(3, 75, 16, generator=torch.Generator().manual_seed(3)), 417
    told = method.decoder(x, torch.full((3,), step), z)
    due = released.denoised(x, step, z, state, HEADS)
    torch.testing.assert_close(told / due.abs().max(), due / due.abs().max(), **CLOSE)


@pytest.fixture
def few_prototypes(monkeypatch):
    """SLiM's heads, which no released file holds, at a size that is quick to start anew."""
    small = {"prototypes": 8, "head_width": 8, "bottleneck": 8}
    monkeypatch.setitem(imported_module.LAYOUTS["methods"]["slim"], "fixed", small)


@pytest.mark.parametrize("heads_too", [False, True])
@torch.no_grad()
def test_slim_is_evaluated_by_the_teacher_that_was_released(heads_too, few_prototypes, tmp_path):
    state = released.slim()
    backbone = {f"backbone.{key}": value for key, value in state.items()}
    heads = {"dino_head.mlp.0.weight": torch.ones(3, 3), "ibot_head.last_layer.weight_v": torch.ones(2)}
    method = imported("slim", {"teacher": backbone | (heads if heads_too else {}), "note": "epoch 120"}, tmp_path)
    assert (method.cfg.encoder.frames, method.cfg.encoder.patch, method.cfg.encoder.registers) == (64, 8, 4)
    x = bodies(64)
    torch.testing.assert_close(method.pretrained(x), released.compact(x, state, HEADS), **CLOSE)
    assert torch.equal(method.encoder(x), method.teacher(x))
    short = weights.import_("slim", tmp_path / "checkpoint.pth", tmp_path / "short", heads=HEADS, frames=32).method
    torch.testing.assert_close(short.pretrained(x[:, :32]), released.compact(x[:, :32], state, HEADS), **CLOSE)


def test_the_encoder_that_slim_released_has_its_published_size(few_prototypes, tmp_path):
    made = weights.import_("slim", saved({"teacher": released.slim(256, 8)}, tmp_path), tmp_path / "out")
    assert made.parts == ("encoder", "teacher")
    assert sum(weight.numel() for weight in made.method.teacher.parameters()) == 6_368_768


def test_the_sizes_of_the_published_model_are_read_off_its_tensors(tmp_path):
    """Eight and three blocks as in the scripts for NTU RGB+D 60: 6,336,000 numbers and 2,453,004."""
    weights.import_("mamp", saved({"model": released.mamp(256, 8, 3, steps=30)}, tmp_path), tmp_path / "out")
    method = weights.load(tmp_path / "out")
    size = method.cfg.encoder
    assert (size.frames, size.patch, size.width, size.depth, size.heads) == (120, 4, 256, 8, 8)
    assert method.cfg.decoder_depth == 3
    assert sum(weight.numel() for weight in method.encoder.parameters()) == 6_336_000
    assert sum(weight.numel() for weight in method.decoder.parameters()) == 2_453_004


def test_safetensors_are_read_as_well(few_prototypes, tmp_path):
    """As SLiM's authors publish their encoder on a hub."""
    save_file(released.slim(), tmp_path / "model.safetensors")
    made = weights.import_("slim", tmp_path / "model.safetensors", tmp_path / "out", heads=HEADS)
    assert torch.equal(made.method.teacher.mask_token.flatten(), released.slim()["mask_token"].flatten())
    (tmp_path / "model.safetensors").write_text("hello")
    with pytest.raises(BadInput, match="is not a checkpoint"):
        weights.import_("slim", tmp_path / "model.safetensors", tmp_path / "other")


@pytest.mark.parametrize("wrap", ["bare", "module", "whole"])
def test_wrappings_come_off(wrap, tmp_path):
    state = released.mamp()
    content = {
        "bare": state,
        "module": {"model": {f"module.{key}": value for key, value in state.items()}},
        "whole": {"model": state, "optimizer": {}, "epoch": 399, "args": argparse.Namespace(lr=1e-3, output_dir="x")},
    }[wrap]
    method = imported("mamp", content, tmp_path)
    assert torch.equal(method.encoder.body.norm.weight, state["norm.weight"])


def test_the_layout_of_the_joints_follows_from_their_number(tmp_path):
    made = weights.import_("mamp", saved(released.mamp(joints=25), tmp_path), tmp_path / "out", heads=HEADS)
    assert made.skeleton == skeletons.layout("kinect25")
    with pytest.raises(BadInput, match=r"20 joints .*name their layout with --skeleton \(kinect20 or utd20\)"):
        weights.import_("mamp", saved(released.mamp(joints=20), tmp_path), tmp_path / "other", heads=HEADS)
    with pytest.raises(BadInput, match="21 joints of 3 coordinates; name their layout with --skeleton"):
        weights.import_("mamp", saved(released.mamp(joints=21), tmp_path), tmp_path / "other", heads=HEADS)
    with pytest.raises(BadInput, match="20 joints of 3 coordinates, kinect25 has 25"):
        weights.import_(
            "mamp", saved(released.mamp(joints=20), tmp_path), tmp_path / "other", heads=HEADS, skeleton="kinect25"
        )


def without(*names: str):
    return lambda state: {key: value for key, value in state.items() if key not in names}


def grown(name: str, value: torch.Tensor):
    return lambda state: state | {name: value}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("norm.bias", "blocks.1.attn.qkv.bias"), r"missing: blocks.1.attn.qkv.bias, norm.bias$"),
        (grown("cls_token", torch.ones(1)), r"unknown: cls_token$"),
        (grown("module.norm.bias", torch.ones(16)), r"unknown: module.norm.bias$"),
        (grown("norm.bias", torch.ones(16).to_sparse()), "norm.bias holds what is no finite number"),
        (without("joints_embed.proj.weight"), r"missing: joints_embed.proj.weight$"),
        (grown("blocks.7.norm1.weight", torch.ones(16)), r"missing: blocks.2.*unknown: blocks.7.norm1.weight$"),
        (grown("norm.weight", torch.ones(17)), "norm.weight is 17 where 16 is due"),
        (grown("blocks.0.mlp.fc1.weight", torch.ones(16, 16)), "blocks.0.mlp.fc1.weight is 16 x 16 where 64 x 16"),
        (grown("temp_embed", torch.ones(16)), "temp_embed is 16, which has no axis 1"),
        (grown("joints_embed.proj.weight", torch.ones(16, 3, 4, 5)), "a token of several joints"),
        (grown("joints_embed.proj.weight", torch.ones(15, 3, 4, 1)), "heads 2 does not divide 15"),
        (grown("norm.bias", torch.full((16,), torch.nan)), "norm.bias holds what is no finite number"),
        (grown("norm.bias", torch.ones(16, dtype=torch.int64)), "norm.bias holds what is no finite number"),
        (grown("epoch", 3), "no table of tensors, neither by itself nor as 'model': epoch is something else"),
        (lambda state: {}, "no table of tensors"),
        (lambda state: [1, 2], "no table of tensors"),
    ],
)
def test_odd_tables_are_refused_by_name(change, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        imported("mamp", change(released.mamp()), tmp_path)
    assert not (tmp_path / "out").exists()


class Runs:
    """Unpickled carelessly, it makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("it_ran",)


def hostile(file):
    torch.save({"model": Runs()}, file)


def cut_short(file):
    torch.save({"model": released.mamp()}, file)
    file.write_bytes(file.read_bytes()[:-200])


def another_archive(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("letter.txt", "dear reader")


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (hostile, "asks to run [a-z]+.mkdir; only tensors"),
        (cut_short, "is not a checkpoint of PyTorch, or is cut short"),
        (another_archive, "is not a checkpoint of PyTorch"),
        (lambda file: file.write_text("hello"), "is not a checkpoint of PyTorch"),
        (lambda file: file.write_bytes(b""), "is not a checkpoint of PyTorch"),
        (lambda file: file.mkdir(), "cannot be read: Is a directory"),
        (lambda file: None, "cannot be read: No such file"),
    ],
)
def test_files_that_are_no_checkpoint_are_refused_in_one_sentence(write, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "file.pth")
    with pytest.raises(BadInput, match=told) as refused:
        weights.import_("mamp", tmp_path / "file.pth", tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["file.pth"])  # nothing ran, nothing was written


def test_methods_without_a_known_layout_are_refused(tmp_path):
    with pytest.raises(
        BadInput, match=r"no released layout of 'amr' is known.*there are macdiff, mamp, skeletonmae, slim"
    ):
        weights.import_("amr", tmp_path / "file.pth", tmp_path / "out")
    with pytest.raises(BadInput, match="--statistics: this method keeps none"):
        imported("mamp", released.mamp(), tmp_path, statistics="ntu")
    with pytest.raises(BadInput, match="was trained on 12 frames, not 64"):
        imported("mamp", released.mamp(), tmp_path, frames=64)
    with pytest.raises(BadInput, match="no 'ntv'; did you mean"):
        imported("macdiff", released.macdiff(), tmp_path, statistics="ntv")

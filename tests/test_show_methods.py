"""Pictures of what methods predict and make up, and the words of `skelray show`."""

import re

import numpy as np
import pytest
import torch
from pictures import ENCODER, SIZES, read, skelray, trained
from pictures import clips as clips

from skelray import methods, weights
from skelray.layers.patch import motion, patchify, standardise
from skelray.layers.reconstruct import reconstruction
from skelray.masking import uniform
from skelray.rng import generator
from skelray.show import page, sample, source
from skelray.show import reconstruction as question
from skelray.skeletons import Skeleton

MASKED = ("skeletonmae", "mamp", "amr")


def built(name, clips, **rest):
    torch.manual_seed(0)
    method = methods.load(name)
    return method(method.Config(name=name, encoder=ENCODER, **SIZES[name] | rest), clips.skeleton).eval()


@pytest.mark.parametrize("normalise", ["cell", "axis", "none"])
def test_a_perfect_answer_is_the_truth_in_metres(normalise, clips):
    x = source.resampled(clips, 1, 12)
    target = {
        "cell": standardise(patchify(x, 3)),
        "axis": patchify((x - x.mean((1, 2), keepdim=True)) / (x.var((1, 2), keepdim=True) + 1e-6).sqrt(), 3),
        "none": patchify(x, 3),
    }[normalise]
    found = reconstruction(uniform(2, 20, 0.5, generator(0)), target, x, 3, normalise)
    torch.testing.assert_close(found.predicted, x)
    means = {"cell": patchify(x, 3).mean(-1), "axis": x.mean((1, 2)), "none": torch.zeros(1)}[normalise]
    assert found.nothing.unique().numel() == means.unique().numel()  # an answer of zero is the mean and nothing more


@pytest.mark.parametrize("name", MASKED)
def test_the_answer_is_the_one_that_the_loss_judges(name, clips):
    method, x = built(name, clips), source.resampled(clips, 1, 12)
    with torch.no_grad():
        found = method.reconstruct(x, generator(3))
        truth = motion(x) if found.stride else x
        cells = standardise(patchify(truth, found.cell))
        again = (patchify(found.predicted - truth, found.cell)) / (patchify(truth, found.cell).var(-1) + 1e-6).sqrt()[
            ..., None
        ]
        if name == "amr":
            mask = method.mask(x, generator(3))
            predicted = method.decoder(method.encoder(x, mask))
        else:
            mask, predicted = method.predict(x, generator(3))
    assert torch.equal(found.mask.hidden, mask.hidden)
    torch.testing.assert_close(again, predicted - cells, atol=1e-4, rtol=1e-4)


def test_a_perfect_motion_leads_along_the_truth(clips):
    x = source.resampled(clips, 1, 12)
    begins = torch.zeros(2, 12, 5, dtype=torch.bool)
    torch.testing.assert_close(question.walked(x, motion(x), begins), x)
    begins[:, ::4] = True
    still = question.walked(x, torch.zeros_like(x), begins)
    torch.testing.assert_close(still, x[:, ::4].repeat_interleave(4, 1))


@pytest.mark.parametrize("name", MASKED)
def test_what_is_seen_is_what_the_mask_leaves(name, clips):
    method = built(name, clips)
    panels = read(page.text(question.scene(clips, 1, method, known="never trained", seed=4)))
    hidden = method.reconstruct(source.resampled(clips, 1, 12), source.chance(4)).mask.hidden
    assert np.array_equal(panels[1].hidden, hidden.unflatten(1, (4, 5)).repeat_interleave(3, 1).flatten().numpy())
    assert len(panels) == 3
    assert len(panels[2].ghosts) == len(panels[2].lines) == 2 * len(clips.skeleton.bones)


@pytest.mark.parametrize("name", MASKED[:2])
def test_visible_joints_stay_at_their_true_place(name, clips):
    drawn = question.scene(clips, 1, built(name, clips), known="never trained", seed=0)
    clip, seen, predicted = drawn.panels
    np.testing.assert_allclose(predicted.joints[~seen.hidden], clip.joints[~seen.hidden], atol=1e-6)
    assert (predicted.joints[seen.hidden] != clip.joints[seen.hidden]).any()


@pytest.mark.parametrize(
    ("name", "told"), [("skeletonmae", "lie where"), ("mamp", "goes on from"), ("amr", "Every 6 frames")]
)
def test_the_page_says_how_a_prediction_is_drawn_and_what_was_given(name, told, clips):
    text = page.text(question.scene(clips, 0, built(name, clips), known="never trained", seed=0))
    assert told in text
    assert "the mean and the spread of each cell, its frames and coordinates together, are taken from the truth" in text
    assert re.search(r"off by [\d.]+ mm on average; a network that answers zero would be off by [\d.]+ mm", text)
    bare = {"normalise": "none" if name == "amr" else False}
    text = page.text(question.scene(clips, 0, built(name, clips, **bare), known="never trained", seed=0))
    assert "nothing is taken from the truth" in text


@pytest.mark.parametrize(("name", "rows"), [("macdiff", 3), ("umd", 2)])
def test_samples_stand_beside_the_data_and_repeat_by_seed(name, rows, clips):
    def drawn(seed):
        return sample.scene(
            clips, built(name, clips), known="trained", number=2, steps=3, guidance=0.0, eta=None, seed=seed
        )

    scene = drawn(0)
    assert [len(panels) for _, panels in scene.groups()] == [2] * rows
    assert all(panel.note.startswith("Bones ") for panel in scene.panels)
    first, again, other = page.text(scene), page.text(drawn(0)), page.text(drawn(1))
    assert first == again
    assert first != other


def test_a_body_of_one_joint_has_no_bones_to_speak_of():
    dot = Skeleton(name="dot", joints=("dot",), parents=(0,))
    assert sample.sizes(torch.zeros(2, 3, 1, 3), torch.zeros(2, 3, 1, 3), dot) == ["", ""]


def test_each_question_is_answered_from_the_command_line(clips, tmp_path, capsys):
    mae, umd = trained("skeletonmae", clips, tmp_path / "mae"), trained("umd", clips, tmp_path / "umd")
    for words in (
        ["clip", clips.path, "--clip", 1],
        ["mask", clips.path, "--frames", 12, "--patch", 3],
        ["reconstruction", clips.path, "--weights", mae],
        ["reconstruction", clips.path, "--untrained", "mamp"],
        ["sample", "--weights", umd, "--number", 1, "--steps", 2],
    ):
        out = tmp_path / "out.html"
        assert skelray(*words, "-o", out) == 0, capsys.readouterr().err
        assert capsys.readouterr().out.strip() == str(out)
        assert read(out.read_text())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["clip", "STORE", "--clip", "99"], "--clip 99: five & more has the clips 0..5"),
        (["clip", "no-such-store"], "no store named 'no-such-store'"),
        (["clip", "STORE", "-o", "picture.png"], "a name ending in .html or .gif is due"),
        (["clip", "STORE", "-o", "nowhere/picture.html"], "there is no folder nowhere"),
        (["mask", "STORE", "--patch", "7"], "patch 7 does not divide 120"),
        (["reconstruction", "STORE"], "--untrained METHOD"),
        (["reconstruction", "STORE", "--weights", "FOLDER", "--untrained", "amr"], "one of them"),
        (["reconstruction", "STORE", "--untrained", "gfp"], "gfp predicts no coordinates and no motion"),
        (["reconstruction", "STORE", "--untrained", "mapm"], 'did you mean "mamp"'),
        (["reconstruction", "STORE", "--weights", "FOLDER"], "holds no checkpoint"),
        (["reconstruction", "STORE", "--weights", "missing"], "--weights missing: no such folder"),
        (["reconstruction", "synthetic-small", "--weights", "MAE"], "trained on bodies of 5 joints"),
        (["sample", "STORE"], "give --weights FOLDER"),
        (["sample", "STORE", "--weights", "MAE"], "skeletonmae generates nothing; macdiff and umd do"),
        (["sample", "--weights", "UMD", "--number", "0"], "--number 0"),
        (["sample", "--weights", "UMD", "--eta", "2"], "--eta 2: a share between 0 and 1 is due"),
        (["sample", "--weights", "UMD", "--guidance", "1"], "--guidance 1: umd takes no condition"),
        (["sample", "--weights", "UMD", "--guidance", "inf"], "--guidance inf: a number is due"),
        (["sample", "--weights", "UMD", "--steps", "0"], "steps"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(words, told, clips, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path / "stores"))
    (tmp_path / "FOLDER").mkdir()
    for name, method in (("MAE", "skeletonmae"), ("UMD", "umd")):
        if name in words:
            trained(method, clips, tmp_path / name)
    assert skelray(*(clips.path if word == "STORE" else word for word in words)) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("*.html"))


def test_exported_weights_draw_the_same_picture_and_an_encoder_alone_draws_none(clips, tmp_path, capsys):
    trial = trained("mamp", clips, tmp_path / "mamp")
    weights.export(trial, tmp_path / "whole")
    weights.export(trial, tmp_path / "encoder", parts=("encoder",))
    drawn = []
    for folder in (trial, tmp_path / "whole"):
        assert skelray("reconstruction", clips.path, "--weights", folder, "-o", tmp_path / "page.html") == 0
        drawn.append((tmp_path / "page.html").read_text())
    assert drawn[0] == drawn[1]
    assert skelray("reconstruction", clips.path, "--weights", tmp_path / "encoder") == 2
    assert "holds no decoder of mamp, which draws the picture" in capsys.readouterr().err


def test_a_whole_sweep_is_told_to_name_a_trial(clips, tmp_path, capsys):
    trained("amr", clips, tmp_path / "runs" / "trials" / "amr-000")
    assert skelray("reconstruction", clips.path, "--weights", tmp_path / "runs") == 2
    assert "is a whole sweep; name one of its trials" in capsys.readouterr().err

"""`skelray check` trains one step at both ends of every dimension; `skelray methods` lists what there is."""

import re
from importlib import import_module

import pytest
import torch
from sweep_folder import folder as folder
from typer.testing import CliRunner

from skelray import cli, methods
from skelray.cli import application
from skelray.cli.methods import told
from skelray.errors import BadInput
from skelray.methods.amr import AMR
from skelray.skeletons import layout
from skelray.sweep import check

SMALL = ["trial.method.encoder={frames: 24, width: 8, depth: 1, heads: 1}", "trial.data.store=nowhere"]


def plan(folder, *sets):
    return folder.load("search_spaces/amr.yaml", "sweeps/both.yaml", *SMALL, *sets)


def ends(folder, *sets):
    return list(check.ends(plan(folder, *sets), layout("kinect20")))


def test_every_end_of_every_dimension_is_tried_and_conditions_hold(folder):
    found = ends(folder)
    tried = {(end.dimension, end.key): end.value for end in found}
    assert len(tried) == len(found)
    assert tried["", ""] is None
    assert (tried["method.mask_ratio", "low"], tried["method.mask_ratio", "high"]) == (0.8, 0.95)
    assert tried["method.windows", "values.1"] == [4, 8, 12]
    assert (tried["method.tau", "low"], tried["method.tau", "high"]) == (0.5, 2.0)
    assert {end.fault for end in found} == {""}


def test_a_loss_that_is_no_number_is_told_with_its_end(folder, monkeypatch):
    real = AMR.loss

    def loss(self, batch):
        found = real(self, batch)
        return found if self.cfg.k < 1 else {"loss": found["loss"] * float("nan")}

    monkeypatch.setattr(AMR, "loss", loss)
    (end,) = [end for end in ends(folder) if end.fault]
    assert (end.dimension, end.key, end.value) == ("method.k", "high", 1.0)
    assert "the loss is nan" in end.fault


def test_a_gradient_that_is_no_number_is_told(folder, monkeypatch):
    real = AMR.loss

    def loss(self, batch):
        zero = (self.decoder.queries - self.decoder.queries.detach()).abs().sum()
        return {"loss": real(self, batch)["loss"] + 0 * zero.sqrt()}  # finite, of a gradient that is not

    monkeypatch.setattr(AMR, "loss", loss)
    assert "is not finite" in ends(folder)[0].fault


def test_an_error_of_a_method_is_one_line_and_the_rest_goes_on(folder, monkeypatch):
    def loss(self, batch):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(AMR, "loss", loss)
    assert {end.fault for end in ends(folder)} == {"RuntimeError: two lines"}


def test_the_layout_is_that_of_the_store_or_said_to_be_made_up(folder):
    skeleton, said = check.skeleton_of(plan(folder))
    assert skeleton == layout("kinect25")
    assert said == "the store nowhere is not here: with the kinect25 layout"
    skeleton, said = check.skeleton_of(plan(folder, "trial.data.store=synthetic-small"))
    assert "with the joints of synthetic-small" in said


def test_made_up_bodies_have_the_shape_of_the_views_and_one_is_absent():
    cfg = methods.load("slim").Config()
    batch = check.Walks(cfg.views, layout("kinect25")).batch(0, 2)
    assert [view.shape for view in batch.views] == [(2, 2, view.frames, 25, 3) for view in cfg.views]
    assert batch.present.tolist() == [[True, False]] * 2
    assert all(torch.isfinite(view).all() and not view[:, 1].any() for view in batch.views)


@pytest.mark.parametrize("broken", [False, True])
def test_the_command_prints_a_table_and_fails_with_key_and_sentence(folder, monkeypatch, broken):
    if broken:
        monkeypatch.setattr(check, "fault", lambda trial, skeleton: "too hot" if trial.method.mask_ratio > 0.9 else "")
    space = str(folder.path / "search_spaces" / "amr.yaml")
    words = ["check", space, "--under", str(folder.path / "sweeps" / "both.yaml")]
    done = CliRunner().invoke(application(), [*words, *(word for each in SMALL for word in ("--set", each))])
    assert "method.mask_ratio" in done.output
    assert "dropped: amr: method.coarse 10" in done.output
    if not broken:
        assert done.exit_code == 0
        assert "FAILED" not in done.output
    else:
        assert isinstance(done.exception, BadInput)  # which leaves with 2
        assert str(done.exception).endswith(
            "amr.yaml: amr: search.method.mask_ratio.high: method.mask_ratio = 0.95: too hot"
        )


def test_what_goes_wrong_everywhere_is_said_once(folder, monkeypatch):
    monkeypatch.setattr(check, "fault", lambda trial, skeleton: "too hot")
    space, under = folder.path / "search_spaces" / "amr.yaml", folder.path / "sweeps" / "both.yaml"
    words = ["check", str(space), "--under", str(under)]
    done = CliRunner().invoke(application(), [*words, *(word for each in SMALL for word in ("--set", each))])
    assert isinstance(done.exception, BadInput)
    assert re.fullmatch(r".*amr.yaml: amr: too hot \(so do \d+ other ends\)", str(done.exception))


def test_a_stop_while_commands_are_loaded_leaves_with_its_code(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "application", interrupted)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 130
    assert capsys.readouterr().err == "skelray: stopped\n"


def test_methods_are_listed_with_their_ideas():
    done = CliRunner().invoke(application(), ["methods"])
    assert done.exit_code == 0
    assert all(name in done.output for name in methods.available())
    assert all(told(import_module(f"skelray.methods.{name}").__doc__)[1] for name in methods.available())


def test_the_idea_is_one_paragraph_of_the_head():
    head = "X: a title.\n\nwords\n\nIdea        one\n            two\nEquations   no\n"
    assert told(head) == ("X: a title.", "one two")


def test_a_listed_question_is_checked_at_its_points(folder):
    found = ends(folder, "only_points=true")
    assert [(end.dimension, end.value["method.k"], end.fault) for end in found] == [
        ("points.0", 0.02, ""),
        ("points.1", 0.5, ""),
    ]

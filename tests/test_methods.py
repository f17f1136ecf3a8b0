"""The conformance suite: a method is whatever passes every test here. A new method adds one row to cases.CASES."""

import copy
import inspect
import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import CASES, batch_for, build
from conftest import REPOSITORY

from skelray import methods
from skelray.batch import Batch
from skelray.method import Method
from skelray.optim import OptimConfig
from skelray.rng import generator
from skelray.train import TrainConfig, train


class TinySource:
    """The same few clips again and again; the randomness of the loss still depends on the step."""

    clips = 4

    def __init__(self, method: Method):
        self.batch_of_all = batch_for(method)

    def batch(self, step: int, size: int) -> Batch:
        return replace(self.batch_of_all, generator=generator(0, "loss", step))


@pytest.fixture(params=sorted(CASES))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def method(name, five_joints) -> Method:
    return build(name, five_joints)


@pytest.fixture
def batch(method) -> Batch:
    return batch_for(method)


def loss_of(method: Method, batch: Batch, seed: int = 0) -> torch.Tensor:
    """The loss of one batch; a copy computes it, so that what a method keeps from batch to batch stays."""
    return copy.deepcopy(method)(replace(batch, generator=generator(seed, "loss")))["loss"]


def with_views(batch: Batch, change: Any) -> Batch:
    return replace(batch, views=[change(view.clone()) for view in batch.views])


def test_every_method_has_a_case():
    assert methods.available() == sorted(CASES)


def test_every_method_has_a_search_space_that_stands_at_both_ends(name):
    from skelray.sweep import config as sweep_config

    plan = sweep_config.load(REPOSITORY / f"search_spaces/{name}.yaml")
    assert list(plan.spaces) == [name]
    assert plan.spaces[name].search


def test_the_head_of_the_file_says_what_a_reader_needs(name):
    doc = inspect.getmodule(methods.load(name)).__doc__
    for heading in ("Idea", "Equations", "Symbols", "Departures", "Reproduces"):
        assert f"\n{heading} " in doc
    assert re.search(r"https://(arxiv\.org/abs/|www\.ecva\.net/|sjepa\.github\.io)", doc)


def test_first_loss(name, method, batch):
    assert loss_of(method, batch).item() == pytest.approx(CASES[name].first_loss, rel=1e-4)


def test_losses_are_finite_scalars_and_name_the_loss(method, batch):
    losses = method(batch)
    assert losses["loss"].requires_grad
    assert all(value.ndim == 0 and torch.isfinite(value) for value in losses.values())


def test_forward_is_the_loss(method, batch):
    direct = copy.deepcopy(method).loss(replace(batch, generator=generator(0, "loss")))
    assert torch.equal(loss_of(method, batch), direct["loss"])


def test_the_generator_of_the_batch_is_the_only_chance(method, batch):
    torch.manual_seed(1)
    one = loss_of(method, batch)
    torch.manual_seed(2)
    assert torch.equal(one, loss_of(method, batch))
    assert not torch.equal(one, loss_of(method, batch, seed=1))


def test_labels_are_never_read(method, batch):
    assert torch.equal(loss_of(method, batch), loss_of(method, replace(batch, label=batch.label * 3 + 1)))


def test_absent_bodies_do_not_count(method, batch):
    def filled(view: torch.Tensor) -> torch.Tensor:
        view[~batch.present] = 7 * torch.randn_like(view[~batch.present])
        return view

    torch.testing.assert_close(loss_of(method, batch), loss_of(method, with_views(batch, filled)))


def test_absent_bodies_are_not_even_encoded(name, method, batch):
    seen = []
    method.encoder.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    method(batch)
    assert sum(seen) == CASES[name].encoded  # each time without the second body of clip 1


def test_absent_bodies_count_when_asked(name, method, batch, five_joints):
    asked = build(name, five_joints, count_absent=True)
    assert not torch.equal(loss_of(asked, batch), loss_of(method, batch))


def test_one_body_of_a_clip_when_asked(name, batch, five_joints):
    """The first body that is there: what the second one does is not read."""

    def moved(view: torch.Tensor) -> torch.Tensor:
        view[:, 1] += torch.randn_like(view[:, 1])
        return view

    first = build(name, five_joints, bodies="first")
    assert torch.equal(loss_of(first, batch), loss_of(first, with_views(batch, moved)))
    random = build(name, five_joints, bodies="random")
    assert not torch.equal(loss_of(random, batch), loss_of(random, with_views(batch, moved)))


def test_a_batch_without_any_body_has_a_loss_of_zero(method, batch):
    nobody = replace(batch, present=torch.zeros_like(batch.present))
    assert loss_of(method, nobody).item() == 0


def test_the_encoder_sees_visible_tokens_only(name, method, batch):
    """Of all tokens, exactly as many as are visible can move the encoder's output."""
    seen = []
    method.encoder.body.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[1]))
    method(batch)
    assert seen[0] == CASES[name].visible


def test_every_weight_moves_within_eight_steps(method):
    before = {key: value.clone() for key, value in method.named_parameters()}
    cfg = TrainConfig(clips=32, batch=4, reports=1)
    train(method, TinySource(method), cfg, OptimConfig(lr=1e-2, warmup=0), seed=0)
    still = [key for key, value in method.named_parameters() if torch.equal(value, before[key])]
    assert not still


def test_after_step_leaves_trained_weights_alone(method):
    before = {key: value.clone() for key, value in method.named_parameters() if value.requires_grad}
    method.after_step(0.5, 100)
    assert all(torch.equal(value, before[key]) for key, value in method.named_parameters() if key in before)


def test_the_loss_falls(method):
    seen = []
    cfg = TrainConfig(clips=4 * 120, batch=4, reports=6)
    source = TinySource(method)
    train(
        method,
        source,
        cfg,
        OptimConfig(lr=3e-3),
        seed=0,
        report=lambda clips, metrics, state: seen.append(metrics["train/loss"]),
    )
    assert seen[-1] < 0.9 * seen[0]


def test_a_resume_is_exact(name, five_joints):
    """Six steps at once, and three steps, a stop, and three more: the same weights, bit for bit."""
    cfg, optim = TrainConfig(clips=24, batch=4, reports=2), OptimConfig(lr=1e-2)
    states = []
    whole = build(name, five_joints)

    train(
        whole, TinySource(whole), cfg, optim, seed=5, report=lambda c, m, state: states.append(copy.deepcopy(state()))
    )
    half = build(name, five_joints)
    train(half, TinySource(half), cfg, optim, seed=5, resume=states[0])
    assert states[0]["step"] == 3
    for a, b in zip(whole.state_dict().values(), half.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_evaluation_gets_every_token_at_rest(method, batch):
    x = batch.bodies()
    method.eval()
    with torch.no_grad():
        tokens = method.pretrained(x)
    assert tokens.shape == (8, 20, 16)
    torch.testing.assert_close(tokens.mean(-1), torch.zeros(8, 20), atol=1e-5, rtol=0)  # the final norm is applied


def test_each_body_is_encoded_by_itself(method, batch):
    x = batch.bodies()
    method.eval()
    with torch.no_grad():
        together, alone = method.pretrained(x), method.pretrained(x[2:3])
    torch.testing.assert_close(together[2:3], alone)


def test_the_config_survives_json(name, method):
    text = method.cfg.model_dump_json()
    assert methods.load(name).Config.model_validate_json(text) == method.cfg


def test_tables_are_parameters_that_no_layer_multiplies(method):
    trained = {key for key, value in method.named_parameters() if value.requires_grad}
    kinds = {key.rpartition(".")[2] for key in method.tables() & trained}
    assert kinds <= {"time", "joint", "mask_token", "queries", "registers", "class_token"}
    assert "joint" in kinds


def test_no_two_methods_share_six_lines():
    texts = {name: inspect.getsource(inspect.getmodule(methods.load(name))) for name in CASES}
    for one, two in itertools.combinations(texts, 2):
        runs = [windows_of_six(texts[each]) for each in (one, two)]
        assert not runs[0] & runs[1], f"{one} and {two} share six lines"


def windows_of_six(text: str) -> set[tuple[str, ...]]:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("import ", "from ", "#"))]
    return {tuple(lines[i : i + 6]) for i in range(len(lines) - 5)}

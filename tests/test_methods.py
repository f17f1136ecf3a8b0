"""The conformance suite: a method is whatever passes every test here. A new method adds one row to CASES."""

import copy
import inspect
import itertools
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from conftest import REPOSITORY, tiny_batch

from skelray import methods
from skelray.batch import Batch
from skelray.method import Method
from skelray.optim import OptimConfig
from skelray.rng import generator
from skelray.train import TrainConfig, train

ENCODER = {"frames": 8, "patch": 2, "width": 16, "depth": 2, "heads": 2}


class Case(NamedTuple):
    """One method at toy size."""

    first_loss: float  # at seed 0 on the tiny batch; changes only when the method's mathematics changes
    settings: dict[str, Any] = {}


CASES = {
    "amr": Case(2.101491, {"coarse": 2, "windows": (2, 4), "decoder_depth": 1}),
    "mamp": Case(2.200316, {"decoder_depth": 1}),
    "skeletonmae": Case(2.179238, {"decoder_depth": 1}),
}


class TinySource:
    """The same few clips again and again; the randomness of the loss still depends on the step."""

    clips = 4

    def batch(self, step: int, size: int) -> Batch:
        return replace(tiny_batch(), generator=generator(0, "loss", step))


@pytest.fixture(params=sorted(CASES))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def method(name, five_joints) -> Method:
    return build(name, five_joints)


def build(name: str, skeleton, **more: Any) -> Method:
    torch.manual_seed(0)
    method_class = methods.load(name)
    settings = {"encoder": ENCODER, "mask_ratio": 0.75, **CASES[name].settings, **more}
    return method_class(method_class.Config(**settings), skeleton)


def loss_of(method: Method, batch: Batch, seed: int = 0) -> torch.Tensor:
    return method(replace(batch, generator=generator(seed, "loss")))["loss"]


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
    assert "https://arxiv.org/abs/" in doc


def test_first_loss(name, method):
    assert loss_of(method, tiny_batch()).item() == pytest.approx(CASES[name].first_loss, rel=1e-4)


def test_losses_are_finite_scalars_and_name_the_loss(method):
    losses = method(tiny_batch())
    assert losses["loss"].requires_grad
    assert all(value.ndim == 0 and torch.isfinite(value) for value in losses.values())


def test_forward_is_the_loss(method):
    batch = tiny_batch()
    assert torch.equal(loss_of(method, batch), method.loss(replace(batch, generator=generator(0, "loss")))["loss"])


def test_the_generator_of_the_batch_is_the_only_chance(method):
    torch.manual_seed(1)
    one = loss_of(method, tiny_batch())
    torch.manual_seed(2)
    assert torch.equal(one, loss_of(method, tiny_batch()))
    assert not torch.equal(one, loss_of(method, tiny_batch(), seed=1))


def test_labels_are_never_read(method):
    batch = tiny_batch()
    assert torch.equal(loss_of(method, batch), loss_of(method, replace(batch, label=batch.label * 3 + 1)))


def test_absent_bodies_do_not_count(method):
    batch = tiny_batch()
    view = batch.views[0].clone()
    view[~batch.present] = 7 * torch.randn_like(view[~batch.present])
    torch.testing.assert_close(loss_of(method, batch), loss_of(method, replace(batch, views=[view])))


def test_absent_bodies_are_not_even_encoded(method):
    seen = []
    method.encoder.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    method(tiny_batch())
    assert seen[0] == 7  # of 8; the second body of clip 1 is absent


def test_absent_bodies_count_when_asked(name, five_joints):
    asked = build(name, five_joints, count_absent=True)
    assert not torch.equal(loss_of(asked, tiny_batch()), loss_of(build(name, five_joints), tiny_batch()))


def test_a_batch_without_any_body_has_a_loss_of_zero(method):
    batch = tiny_batch()
    nobody = replace(batch, present=torch.zeros_like(batch.present))
    assert loss_of(method, nobody).item() == 0


def test_the_encoder_sees_visible_tokens_only(method):
    """Of all tokens, exactly as many as are visible can move the encoder's output."""
    seen = []
    method.encoder.body.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[1]))
    method(tiny_batch())
    assert seen[0] == int(20 * 0.25)


def test_every_weight_moves_within_eight_steps(method):
    before = {key: value.clone() for key, value in method.named_parameters()}
    cfg = TrainConfig(clips=32, batch=4, reports=1)
    train(method, TinySource(), cfg, OptimConfig(lr=1e-2, warmup=0), seed=0)
    still = [key for key, value in method.named_parameters() if torch.equal(value, before[key])]
    assert not still


def test_after_step_leaves_trained_weights_alone(method):
    before = {key: value.clone() for key, value in method.named_parameters() if value.requires_grad}
    method.after_step(0.5)
    assert all(torch.equal(value, before[key]) for key, value in method.named_parameters() if key in before)


def test_the_loss_falls(method):
    seen = []
    cfg = TrainConfig(clips=4 * 120, batch=4, reports=6)
    source = TinySource()
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

    train(whole, TinySource(), cfg, optim, seed=5, report=lambda c, m, state: states.append(copy.deepcopy(state())))
    half = build(name, five_joints, count_absent=False)
    train(half, TinySource(), cfg, optim, seed=5, resume=states[0])
    assert states[0]["step"] == 3
    for a, b in zip(whole.state_dict().values(), half.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_evaluation_gets_every_token_at_rest(method):
    x = tiny_batch().bodies()
    method.eval()
    with torch.no_grad():
        tokens = method.pretrained(x)
    assert tokens.shape == (8, 20, 16)
    torch.testing.assert_close(tokens.mean(-1), torch.zeros(8, 20), atol=1e-5, rtol=0)  # the final norm is applied


def test_each_body_is_encoded_by_itself(method):
    x = tiny_batch().bodies()
    method.eval()
    with torch.no_grad():
        together, alone = method.pretrained(x), method.pretrained(x[2:3])
    torch.testing.assert_close(together[2:3], alone)


def test_the_config_survives_json(name, method):
    text = method.cfg.model_dump_json()
    assert methods.load(name).Config.model_validate_json(text) == method.cfg


def test_tables_are_parameters_that_no_layer_multiplies(method):
    kinds = {key.rpartition(".")[2] for key in method.tables()}
    assert kinds <= {"time", "joint", "mask_token", "queries"}
    assert {"time", "joint"} <= kinds


def test_no_two_methods_share_six_lines():
    texts = {name: inspect.getsource(inspect.getmodule(methods.load(name))) for name in CASES}
    for one, two in itertools.combinations(texts, 2):
        runs = [windows_of_six(texts[each]) for each in (one, two)]
        assert not runs[0] & runs[1], f"{one} and {two} share six lines"


def windows_of_six(text: str) -> set[tuple[str, ...]]:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("import ", "from ", "#"))]
    return {tuple(lines[i : i + 6]) for i in range(len(lines) - 5)}

"""The protocols against independent transcriptions, on features whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from skelray import evaluate
from skelray.batch import Batch
from skelray.errors import BadInput
from skelray.evaluate import features, knn, linear
from skelray.evaluate.features import Labelled
from skelray.evaluate.knn import KnnConfig
from skelray.evaluate.linear import LinearConfig
from skelray.rng import generator
from skelray.train import Diverged


def clusters(clips: int, seed: int = 0, classes: int = 4, width: int = 8, spread: float = 1.0) -> Labelled:
    """Clips around one centre a class; the centres are the same for every seed."""
    centres = torch.randn(classes, width, generator=torch.Generator().manual_seed(99)) * 2
    random = torch.Generator().manual_seed(seed)
    label = torch.arange(clips) % classes
    return Labelled(centres[label] + spread * torch.randn(clips, width, generator=random), label)


def batch_of(view: torch.Tensor, present: list[list[bool]]) -> Batch:
    label = torch.arange(len(view))
    return Batch([view], torch.tensor(present), label, generator(0, "test"))


def tokens(x: torch.Tensor) -> torch.Tensor:
    """An encoder whose tokens are the frames: (B, T, V*C)."""
    return x.flatten(2)


def test_a_feature_is_the_mean_over_tokens_and_over_the_bodies_that_are_present():
    x = torch.randn(3, 2, 5, 2, 3)
    present = [[True, True], [True, False], [False, True]]
    found = features.extract(tokens, [batch_of(x, present)])
    body = x.flatten(3).mean(2)
    expected = torch.stack([body[0].mean(0), body[1, 0], body[2, 1]])
    torch.testing.assert_close(found.features, expected)


def test_an_absent_body_is_never_shown_to_the_encoder():
    x = torch.randn(2, 2, 5, 2, 3)
    x[1, 1] = torch.nan
    found = features.extract(tokens, [batch_of(x, [[True, True], [True, False]])])
    assert found.features.isfinite().all()


def test_features_keep_the_order_of_the_clips_and_no_gradient():
    x = torch.randn(5, 1, 5, 2, 3)
    whole = batch_of(x, [[True]] * 5)
    parts = [
        replace(whole, views=[x[a:b]], present=whole.present[a:b], label=whole.label[a:b]) for a, b in [(0, 2), (2, 5)]
    ]
    layer = nn.Linear(6, 4)
    found = features.extract(lambda x: layer(tokens(x)), parts)
    torch.testing.assert_close(found.features, features.extract(lambda x: layer(tokens(x)), [whole]).features)
    assert found.label.tolist() == [0, 1, 2, 3, 4]
    assert not found.features.requires_grad


def test_features_that_are_not_finite_are_a_divergence():
    with pytest.raises(Diverged, match="finite"):
        features.extract(lambda x: tokens(x) / 0, [batch_of(torch.zeros(2, 1, 5, 2, 3), [[True], [True]])])


def brute_force(train: Labelled, query: torch.Tensor, k: int) -> list[int]:
    """Retrieval as its definition reads, one pair at a time, in float64."""
    known, asked = train.features.double().numpy(), query.double().numpy()
    answers = []
    for q in asked:
        similarity = [float(q @ x) / (np.linalg.norm(q) * np.linalg.norm(x)) for x in known]
        nearest = [int(train.label[i]) for i in sorted(range(len(known)), key=lambda i: (-similarity[i], i))[:k]]
        answers.append(max(nearest, key=lambda label: (nearest.count(label), -nearest.index(label))))
    return answers


@pytest.mark.parametrize("k", [1, 2, 5])
def test_retrieval_equals_its_definition_whatever_the_chunk(k, monkeypatch):
    train, query = clusters(60, spread=4.0), clusters(37, seed=1, spread=4.0).features
    expected = brute_force(train, query, k)
    assert len(set(expected)) > 1
    for chunk in (1, 7, 1024):
        monkeypatch.setattr(knn, "CHUNK", chunk)
        assert knn.vote(knn.neighbours(train, query, 5)[:, :k]).tolist() == expected


def test_retrieval_does_not_see_the_length_of_a_feature():
    train, val = clusters(60, spread=3.0), clusters(30, seed=1, spread=3.0)
    longer = Labelled(train.features * torch.arange(1, 61)[:, None], train.label)
    assert knn.neighbours(longer, val.features * 100, 5).equal(knn.neighbours(train, val.features, 5))


def test_of_equally_near_neighbours_the_first_counts():
    copies = torch.randn(1, 24, generator=generator(0, "copies")).expand(101, 24).contiguous()
    train = Labelled(copies, torch.arange(101))
    assert knn.neighbours(train, copies[:7], 4).tolist() == [[0, 1, 2, 3]] * 7


def test_similarities_are_ordered_below_and_above_zero():
    train = Labelled(torch.tensor([[-1.0, 0.1], [0.0, 1.0], [1.0, 1.0], [-0.0, -1.0], [1.0, 0.0]]), torch.arange(5))
    assert knn.neighbours(train, torch.tensor([[2.0, 0.0]]), 5).tolist() == [[4, 2, 1, 3, 0]]


@pytest.mark.parametrize("k", [5, [], [1, 1], [5, 1], [1, -2]])
def test_the_numbers_of_neighbours_rise_from_one(k):
    with pytest.raises(ValueError, match=r"rise from 1|at least 1"):
        KnnConfig(k=k)


def test_one_number_of_neighbours_reads_as_older_configs_have_it():
    assert KnnConfig.model_validate_json('{"k": 1}', strict=True) == KnnConfig(k=(1,)) == KnnConfig(k=1)


def plain_probe(known: Labelled, lr: float, cfg: LinearConfig, seed: int) -> nn.Sequential:
    """The recipe written with torch's own parts: batch norm, linear, SGD, a cosine scheduler."""
    head = nn.Sequential(nn.BatchNorm1d(known.features.shape[1], eps=1e-6, affine=False), nn.Linear(8, 4))
    start = linear.Heads(8, 4, cfg, seed)
    with torch.no_grad():
        head[1].weight.copy_(start.weight[0])
        head[1].bias.zero_()
    source, size = linear.Shuffled(known, seed), min(cfg.batch, len(known))
    steps = cfg.epochs * (len(known) // size)
    optimiser = torch.optim.SGD(head.parameters(), lr=lr, momentum=cfg.momentum)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        batch = source.batch(step, size)
        optimiser.zero_grad()
        nn.functional.cross_entropy(head(batch.features), batch.label).backward()
        optimiser.step()
        schedule.step()
    return head.eval()


def test_heads_trained_side_by_side_equal_probes_trained_alone():
    known, cfg = clusters(100), LinearConfig(lr=(0.01, 0.1, 1.0), epochs=8, batch=32)
    together = linear.fit(known, cfg, seed=3).eval()
    scores = together.logits(known.features)
    for number, lr in enumerate(cfg.lr):
        alone = plain_probe(known, lr, cfg, seed=3)
        torch.testing.assert_close(scores[number], alone(known.features), rtol=1e-4, atol=1e-5)
        single = linear.fit(known, cfg.model_copy(update={"lr": (lr,)}), seed=3).eval()
        torch.testing.assert_close(scores[number], single.logits(known.features)[0], rtol=1e-4, atol=1e-5)


def test_an_epoch_of_the_probe_shows_every_clip_once_in_an_order_of_its_own():
    source = linear.Shuffled(Labelled(torch.arange(12.0)[:, None], torch.arange(12)), seed=0)
    epochs = [torch.cat([source.batch(step, 4).label for step in range(3 * e, 3 * e + 3)]).tolist() for e in (0, 1)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(12))
    assert epochs[0] != epochs[1]
    assert source.batch(1, 4).label.tolist() == epochs[0][4:8]  # whatever was asked before


def test_the_probe_repeats_bit_for_bit_and_its_seed_matters():
    known, cfg = clusters(80, spread=3.0), LinearConfig(epochs=5)
    first = linear.fit(known, cfg, seed=1).weight
    assert linear.fit(known, cfg, seed=1).weight.equal(first)
    assert not linear.fit(known, cfg, seed=2).weight.equal(first)


def test_the_probe_learns_what_is_there_and_nothing_from_noise():
    train, val = clusters(400, spread=0.5), clusters(400, seed=1, spread=0.5)
    found, _ = linear.choose(train, val, LinearConfig(), seed=0)
    assert found["linear"] > 0.98
    shuffled = Labelled(train.features, train.label[torch.randperm(400, generator=generator(0, "shuffle"))])
    found, _ = linear.choose(shuffled, val, LinearConfig(), seed=0)
    assert found["linear"] < 0.5


@pytest.mark.parametrize(
    ("right", "rate"),
    [
        ([3, 4, 4, 0], 0.03),  # 0.01 and 0.03 would be equal by the neighbours' mean but for the 0 beside 0.1
        ([0, 1, 4, 0, 3, 3, 3], 3.0),  # best all alone is best by chance
        ([2, 2, 2], 0.01),  # of equals the smallest
    ],
)
def test_the_learning_rate_is_chosen_on_validation_with_its_neighbours(monkeypatch, right, rate):
    class Known:
        """One head for each rate, with so many right answers of four."""

        def classes(self, features):
            return torch.tensor([[0] * count + [1] * (4 - count) for count in right])

    rates = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)[: len(right)]
    monkeypatch.setattr(linear, "fit", lambda *_, **__: Known())
    clips = Labelled(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long))
    found, chosen = linear.choose(clips, clips, LinearConfig(lr=rates[::-1]), seed=0)
    assert found == {"linear": right[rates.index(rate)] / 4, "linear_lr": rate}
    assert chosen == LinearConfig(lr=(rate,))


def test_a_grid_cannot_answer_for_a_test_clip():
    clips = clusters(20)
    with pytest.raises(ValueError, match="one learning rate"):
        linear.predict(clips, clips.features, LinearConfig(), seed=0)
    answers = linear.predict(clips, clips.features, LinearConfig(lr=(0.3,)), seed=0)
    assert (answers == clips.label).float().mean() > 0.9


def test_the_probe_does_not_see_scale_or_offset_of_a_feature():
    train, val = clusters(200), clusters(100, seed=1)
    cfg = LinearConfig(lr=(0.1,))
    expected = linear.predict(train, val.features, cfg, seed=0)
    scale, offset = torch.linspace(1, 50, 8), torch.linspace(-20, 20, 8)
    moved = Labelled(train.features * scale + offset, train.label)
    agree = linear.predict(moved, val.features * scale + offset, cfg, seed=0) == expected
    assert agree.float().mean() > 0.98


def test_the_folder_is_the_registry_of_protocols():
    assert {"knn", "linear", "signals"} <= set(evaluate.available())
    with pytest.raises(BadInput, match='did you mean "linear"'):
        evaluate.load("liner")
    for name in evaluate.available():
        protocol = evaluate.load(name)
        assert hasattr(protocol, "measure") or (callable(protocol.choose) and callable(protocol.predict))


@pytest.mark.parametrize(
    "predict",
    [
        lambda train, query: linear.predict(train, query, LinearConfig(lr=(0.3,), epochs=5), seed=0),
        lambda train, query: knn.vote(knn.neighbours(train, query, 3)),
    ],
)
def test_an_answer_does_not_depend_on_what_else_is_asked(predict):
    train, query = clusters(60, spread=3.0), clusters(20, seed=1, spread=3.0).features
    assert [predict(train, one[None]).item() for one in query] == predict(train, query).tolist()

"""A test clip cannot be read while something is still to be chosen, by whatever path its number was come by."""

import ast
import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_store import tiny_store
from tiny_trial import Heard, tiny
from tiny_trial import clips as clips
from tiny_trial import one_thread as one_thread
from tiny_trial import stored as stored

import skelray
from skelray import measure, trial
from skelray.batch import View, test_view
from skelray.data import splits
from skelray.data.loader import Loader, Pool, fixed
from skelray.data.quarantine import Openable, Quarantine
from skelray.errors import BadInput
from skelray.evaluate import classifier, clones, generation, knn, linear, robustness, signals
from skelray.evaluate.case import Case
from skelray.methods import load
from skelray.trial_config import TrialConfig

VIEW = View(frames=8, augment=())


@pytest.fixture
def pool(tmp_path):
    opened = tiny_store(tmp_path / "a.arrow")
    return Pool(opened, quarantine=Openable(opened, "xview"))


@pytest.fixture
def side(pool, tmp_path):
    return splits.open_test(pool.store, "xview", reader="me", ledger=tmp_path / "ledger.jsonl")


def test_a_search_that_reads_the_test_side_is_stopped_with_what_it_did(pool):
    cameras = np.flatnonzero(pool.store.camera == 3)  # the test side, found without asking for it
    with pytest.raises(BadInput, match=r"18 clips of the test side of xview cannot be read while a configuration is"):
        list(fixed(pool, cameras, test_view(8), 64))
    with pytest.raises(BadInput, match=r"1 clips of the test side of xview cannot be read"):
        list(fixed(pool, np.array([0, 1, 2]), test_view(8), 64))
    with pytest.raises(BadInput, match=r"1 clips of the test side of xview cannot be read"):
        list(fixed(pool, np.array([-1]), test_view(8), 64))  # the last one, counted from the end


def test_training_clips_are_read_as_ever(pool):
    selection = splits.select(pool.store, "xview", 2, seed=0)
    assert sum(len(batch.label) for batch in fixed(pool, selection.everything, test_view(8), 7)) == 36
    assert len(Loader(pool, selection.train, (VIEW,), seed=0).batch(0, 4).label) == 4


def test_the_key_opens_for_one_block_alone_and_never_to_training(pool, side):
    with pool.quarantine.showing(side):
        assert sum(len(batch.label) for batch in fixed(pool, side.standard, test_view(8), 7)) == 18
        with pytest.raises(BadInput, match="test side of xview cannot be trained on"):
            Loader(pool, side.standard, (VIEW,), seed=0)
    with pytest.raises(BadInput, match="cannot be read"):
        list(fixed(pool, side.standard, test_view(8), 64))


def test_it_closes_after_a_failure_too(pool, side):
    with pytest.raises(KeyError), pool.quarantine.showing(side):
        raise KeyError
    with pytest.raises(BadInput, match="cannot be read"):
        list(fixed(pool, side.standard, test_view(8), 64))


def test_the_key_of_another_split_does_not_fit(pool, side):
    other = replace(side, standard=np.arange(3))
    with pytest.raises(ValueError, match="not the test side of xview"), pool.quarantine.showing(other):
        pass


def test_nobody_cuts_a_key_but_who_writes_the_opening_down(pool):
    cameras = np.flatnonzero(pool.store.camera == 3)
    with pytest.raises(TypeError, match="open_test"):
        splits.TestSide(cameras, cameras)
    with pytest.raises(TypeError, match="ledger"):
        splits.open_test(pool.store, "xview", reader="me")


def test_features_that_were_computed_while_it_was_open_are_closed_with_it(pool, side):
    small = {"frames": 8, "patch": 4, "width": 8, "depth": 1, "heads": 2}
    method = load("mamp")(load("mamp").Config(encoder=small, decoder_depth=1), pool.skeleton)
    case = Case(method, pool, splits.select(pool.store, "xview", 2, seed=0), open_test=lambda: side)
    with case.scored() as clips:
        assert len(case.features(clips)) == len(side.standard)
    with pytest.raises(BadInput, match="cannot be read"):
        case.features(clips)


TEST = np.arange(36, 48)  # of the tiny store
WAYS = {  # what code that selects might do with what it is given
    "batches": lambda parts, case: list(case.batches(TEST)),
    "features": lambda parts, case: case.features(TEST),
    "everything in the store": lambda parts, case: case.features(np.arange(parts.store.clips)),
    "a loader": lambda parts, case: Loader(case.pool, TEST, parts.cfg.method.views, seed=0),
    "statistics": lambda parts, case: parts.method.begin(Loader(case.pool, TEST, parts.cfg.method.views, seed=0)),
    "clips made of test clips": lambda parts, case: ExitStack().enter_context(
        clones.enlarged(case, TEST, 1.0, steps=1, start=None, seed=0)
    ),
    "a classifier": lambda parts, case: classifier.fit(
        case.method, case.pool, TEST, classifier.Recipe(epochs=1, hidden=2), seed=0
    ),
    "a probe on views": lambda parts, case: linear.fit_on_views(
        case, TEST, linear.LinearConfig(form="full", epochs=1), None
    ),
    "another selection": lambda parts, case: knn.measure(
        replace(case, selection=splits.Selection(TEST[:6], TEST[6:])), knn.KnnConfig()
    ),
    "corrupted test clips": lambda parts, case: robustness.seen_through(case, TEST, robustness.slower(2)),
    "signals": lambda parts, case: signals.look(case, TEST),
    "reconstruction": lambda parts, case: measure.reconstruction(
        parts.method, parts.pool, TEST, measure.EvaluateConfig(reconstruction=2), seed=0
    ),
    "generation": lambda parts, case: generation.measure(
        replace(case, selection=splits.Selection(TEST[:6], TEST[6:])), generation.Config(clips=2, steps=1)
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_code_that_selects_reaches_no_test_clip_by_any_of_its_tools(way, stored):
    parts = trial.prepare(TrialConfig(**tiny("macdiff", store=stored)))
    with pytest.raises(BadInput, match="of the test side of given cannot be"):
        WAYS[way](parts, parts.case())


def test_no_key_fits_what_a_search_is_given_and_none_is_written_down(stored, tmp_path):
    parts, ledger = trial.prepare(TrialConfig(**tiny(store=stored))), tmp_path / "ledger.jsonl"
    assert type(parts.pool.quarantine) is Quarantine
    with pytest.raises(
        BadInput, match="test side of given cannot be opened here: a configuration is still to be chosen"
    ):
        parts.test(["knn"], ledger, "me")
    assert not ledger.exists()
    key = splits.open_test(parts.store, "given", reader="me", ledger=ledger)  # honestly written down
    for case in (parts.case(lambda: key), replace(parts.case(), open_test=lambda: key)):
        with pytest.raises(BadInput, match="cannot be opened here"), case.scored():
            pass
        with pytest.raises(BadInput, match="cannot be opened here"):
            knn.measure(case, knn.KnnConfig())


def test_a_protocol_that_peeks_during_the_search_ends_its_trial_before_it_has_a_number(stored, tmp_path, monkeypatch):
    def peeking(case, cfg):
        key = splits.open_test(case.pool.store, "given", reader="peek", ledger=tmp_path / "ledger.jsonl")
        return case.score("knn", lambda clips: case.features(key.standard).label)

    monkeypatch.setattr(knn, "measure", lambda case, cfg: peeking(replace(case, open_test=lambda: None), cfg))
    heard = Heard()
    with pytest.raises(BadInput, match="test side of given"):
        trial.run(TrialConfig(**tiny(store=stored)), folder=tmp_path / "run", report=heard)
    assert not heard
    assert [json.loads(line)["who"] for line in (tmp_path / "ledger.jsonl").read_text().splitlines()] == ["peek"]


UNCLOSED = {"clones.py": "a store of labelled training clips", "source.py": "a picture of a clip that somebody names"}


def test_every_pool_is_made_with_a_quarantine():
    """Pools are how clips are read: one without a quarantine would be a way around it."""
    without = set()
    for path in Path(skelray.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or path.name == "mapping.py":  # hands on what it is given
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            named = {each.arg for each in node.keywords}
            if name in ("Pool", "MappedPool") and "quarantine" not in named:
                without.add(path.name)
    assert without == set(UNCLOSED)

"""A test clip cannot be read while something is still to be chosen, by whatever path its number was come by."""

import numpy as np
import pytest
from tiny_store import tiny_store

from skelray.batch import View, test_view
from skelray.data import splits
from skelray.data.loader import Loader, Pool, fixed
from skelray.data.quarantine import Quarantine
from skelray.errors import BadInput

VIEW = View(frames=8, augment=())


@pytest.fixture
def pool(tmp_path):
    opened = tiny_store(tmp_path / "a.arrow")
    return Pool(opened, quarantine=Quarantine(opened, "xview"))


def test_a_search_that_reads_the_test_side_is_stopped_with_what_it_did(pool):
    cameras = np.flatnonzero(pool.store.camera == 3)  # the test side, found without asking for it
    with pytest.raises(BadInput, match=r"18 clips of the test side of xview cannot be read while a configuration is"):
        list(fixed(pool, cameras, test_view(8), 64))
    with pytest.raises(BadInput, match=r"1 clips of the test side of xview cannot be read"):
        list(fixed(pool, np.array([0, 1, 2]), test_view(8), 64))


def test_training_clips_are_read_as_ever(pool):
    selection = splits.select(pool.store, "xview", 2, seed=0)
    assert sum(len(batch.label) for batch in fixed(pool, selection.everything, test_view(8), 7)) == 36
    assert len(Loader(pool, selection.train, (VIEW,), seed=0).batch(0, 4).label) == 4


def test_the_key_opens_for_one_block_alone_and_never_to_training(pool):
    side = splits.open_test(pool.store, "xview", reader="me", ledger=None)
    with pool.quarantine.showing(side):
        assert sum(len(batch.label) for batch in fixed(pool, side.standard, test_view(8), 7)) == 18
        with pytest.raises(BadInput, match="test side of xview cannot be trained on"):
            Loader(pool, side.standard, (VIEW,), seed=0)
    with pytest.raises(BadInput, match="cannot be read"):
        list(fixed(pool, side.standard, test_view(8), 64))


def test_it_closes_after_a_failure_too(pool):
    side = splits.open_test(pool.store, "xview", reader="me", ledger=None)
    with pytest.raises(KeyError), pool.quarantine.showing(side):
        raise KeyError
    with pytest.raises(BadInput, match="cannot be read"):
        list(fixed(pool, side.standard, test_view(8), 64))


def test_the_key_of_another_split_does_not_fit(pool):
    with (
        pytest.raises(ValueError, match="not the test side of xview"),
        pool.quarantine.showing(splits.TestSide(np.arange(3), np.arange(3))),
    ):
        pass


def test_features_that_were_computed_while_it_was_open_are_closed_with_it(pool):
    from skelray.evaluate.case import Case
    from skelray.methods import load

    small = {"frames": 8, "patch": 4, "width": 8, "depth": 1, "heads": 2}
    method = load("mamp")(load("mamp").Config(encoder=small, decoder_depth=1), pool.skeleton)
    side = splits.open_test(pool.store, "xview", reader="me", ledger=None)
    case = Case(method, pool, splits.select(pool.store, "xview", 2, seed=0), open_test=lambda: side)
    with case.scored() as clips:
        assert len(case.features(clips)) == len(side.standard)
    with pytest.raises(BadInput, match="cannot be read"):
        case.features(clips)

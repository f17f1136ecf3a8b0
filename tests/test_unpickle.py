"""The reader of pickles gives back plain data as it was, whatever wrote it, and leaves large arrays in the file."""

import pickle
import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st

from skelray.data import unpickle
from skelray.data.pickled import Array, Held
from skelray.errors import BadInput

TYPES = ["<f2", "<f4", "<f8", ">f4", "i1", "<i2", "<i4", "<i8", "u1", "<u2", ">u8", "?"]
SHAPES = numpy_st.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)
ARRAYS = st.sampled_from(TYPES).flatmap(lambda kind: numpy_st.arrays(np.dtype(kind), SHAPES))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**120), 2**120)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=40)
    | ARRAYS
)
PLAIN = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=9) | st.integers(-(2**60), 2**60), inner, max_size=4)
    ),
    max_leaves=12,
)


def assert_same(found, expected, path):
    if isinstance(expected, np.ndarray):
        array = found.read(path)
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        assert array.tobytes() == expected.tobytes()
    elif isinstance(expected, list | tuple):
        assert type(found) is type(expected)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other, path)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key], path)
    else:
        assert type(found) is type(expected)
        assert found == expected


@settings(max_examples=150, deadline=None)
@given(value=PLAIN, protocol=st.integers(2, 5))
def test_plain_data_come_back_as_they_were(tmp_path_factory, value, protocol):
    path = tmp_path_factory.mktemp("pickles") / "plain.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    assert_same(unpickle.load(path), value, path)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(TYPES), number=st.integers(0, 100), protocol=st.integers(2, 5))
def test_numpy_numbers_become_numbers(tmp_path_factory, kind, number, protocol):
    path = tmp_path_factory.mktemp("pickles") / "number.pkl"
    value = np.dtype(kind).type(number)
    path.write_bytes(pickle.dumps([value, value], protocol))
    first, second = unpickle.load(path)
    assert first == second == value
    assert type(first) in (bool, int, float)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_array_stays_in_the_file_until_it_is_read(tmp_path, protocol, order):
    value = np.asarray(np.random.default_rng(0).normal(0, 1, (3, 40, 25, 3)).astype(np.float16), order=order)
    path = tmp_path / "large.pkl"
    path.write_bytes(pickle.dumps({"a": value, "b": [value]}, protocol))
    found = unpickle.load(path)
    assert found["a"] is found["b"][0]
    assert isinstance(found["a"].content, Held)
    sent = pickle.loads(pickle.dumps(found["a"]))  # as it goes to a process that reads
    np.testing.assert_array_equal(sent.read(path), value)


def test_opening_a_pickle_does_not_take_its_memory(tmp_path):
    path = tmp_path / "large.pkl"
    with path.open("wb") as file:
        pickle.dump([np.full((4, 1000, 1000), number, np.float32) for number in range(12)], file)  # 192 MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = unpickle.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024
    assert [array.read(path)[3, 999, 999] for array in found] == list(range(12))


def test_python_2_wrote_bytes_as_strings(tmp_path):
    """A dict of an array, as Python 2's cPickle spells it: no instruction tells bytes from text there."""
    path = tmp_path / "old.pkl"
    path.write_bytes(
        b"\x80\x02}q\x01U\x08keypointq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04"
        b"K\x00\x85U\x01b\x87Rq\x05(K\x01K\x02K\x02\x86cnumpy\ndtype\nq\x06U\x02f2K\x00K\x01\x87Rq\x07"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x3c\x00\xc0\x00\x42\x00\xc4tbs."
    )
    array = unpickle.load(path)["keypoint"]
    np.testing.assert_array_equal(array.read(path), [[1, -2], [3, -4]])


def test_text_that_is_shared_or_long_is_read(tmp_path):
    path = tmp_path / "text.pkl"
    path.write_bytes(pickle.dumps({"short": "é" * 200, "long": "é" * 2000}))
    found = unpickle.load(path)
    assert found["short"] == "é" * 200
    assert found["long"].length == 4000


def test_an_array_that_changed_after_it_was_opened_is_refused(tmp_path):
    value = np.arange(4000.0)
    path = tmp_path / "changing.pkl"
    path.write_bytes(pickle.dumps(value))
    array = unpickle.load(path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(BadInput, match=r"changing\.pkl: holds an array of the shape \[4000\] that is not whole"):
        array.read(path)
    path.unlink()
    with pytest.raises(BadInput, match=r"changing\.pkl: No such file"):
        array.read(path)
    with pytest.raises(BadInput, match="holds an array without contents"):
        Array().read(path)

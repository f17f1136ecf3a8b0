"""Hostile pickles: nothing they name is imported, called or allocated; each is one sentence that says what it asked."""

import builtins
import importlib
import operator
import os
import pickle
import resource
import struct
import subprocess
import sys
import time
from collections import OrderedDict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mutated_bytes import mutated

from skelray.data import unpickle
from skelray.errors import BadInput


class Asks:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.recipe = function, arguments

    def __reduce__(self):
        return self.recipe


def refused(path, content, message):
    """The pickle is refused with this message, quickly and without taking memory."""
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    with pytest.raises(BadInput, match=message) as told:
        unpickle.load(path)
    assert time.process_time() - begun < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024
    assert str(told.value).startswith(str(path))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    ("function", "arguments", "asked"),
    [
        (os.system, ("touch {mark}",), rf"{os.name}\.system"),
        (subprocess.Popen, (["touch", "{mark}"],), r"(subprocess|commands)\.Popen"),
        (builtins.eval, ("open({mark!r}, 'w')",), r"(__builtin__|builtins)\.eval"),
        (builtins.exec, ("open({mark!r}, 'w')",), r"(__builtin__|builtins)\.exec"),
        (builtins.open, ("{mark}", "w"), r"(io|_io|__builtin__)\.open"),
        (builtins.getattr, (os, "system"), r"getattr|module"),
        (builtins.__import__, ("this",), r"__import__"),
        (importlib.import_module, ("this",), r"importlib\.import_module"),
        (operator.attrgetter("system"), (), r"operator\.attrgetter"),
        (operator.methodcaller("touch"), (Path("{mark}"),), r"operator\.methodcaller"),
        (partial(os.system, "touch {mark}"), (), r"functools\.partial"),
        (np.load, ("{mark}", None, True), r"numpy\.load"),
        (np.fromfile, ("{mark}",), r"fromfile"),
        (np.memmap, ("{mark}", "u1", "w+", 0, (9,)), r"numpy\.memmap|numpy\.(_core|core)\.memmap"),
        (bytearray, (10**12,), "bytearray"),
        (OrderedDict, (), r"collections\.OrderedDict"),
        (Path, ("{mark}",), "pathlib"),
    ],
)
def test_what_a_pickle_asks_to_call_is_named_and_not_called(tmp_path, protocol, function, arguments, asked):
    mark = tmp_path / "mark"
    filled = tuple(each.format(mark=str(mark)) if isinstance(each, str) else each for each in arguments)
    if arguments and arguments[0] is os:
        filled = ("os", "system")
    sys.modules.pop("this", None)
    content = pickle.dumps({"annotations": [Asks(function, *filled)]}, protocol)
    refused(tmp_path / "bad.pkl", content, f"asks for .*({asked}).*, but plain dicts")
    assert not mark.exists()
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cthis\ns\n.", "asks for this.s"),
        (b"\x80\x04\x8c\x04this\x8c\x01s\x93.", "asks for this.s"),
        (b"\x80\x04\x8c\x05numpy\x8c\x16core.multiarray.scalar\x93.", "asks for numpy.core.multiarray.scalar"),
        (b"\x80\x04K\x01K\x02\x93.", "whose name is no text"),
        (b"(S'touch mark'\nios\nsystem\n.", "uses STRING of protocol 0; write it again with protocol 2"),
        (b"(ios\nsystem\n.", r"asks for os\.system"),
        (b"(inumpy\ndtype\n.", "uses INST, which plain"),
        (b"Pevil\n.", "uses PERSID, which plain"),
        (b"\x80\x02K\x01Q.", "uses BINPERSID, which plain"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "uses NEWOBJ, which plain"),
        (b"\x80\x04cnumpy\nndarray\n)}\x92.", "uses NEWOBJ_EX, which plain"),
        (b"\x80\x02(cnumpy\nndarray\no.", "uses OBJ, which plain"),
        (b"\x80\x02\x82\x01.", "uses EXT1, which plain"),
        (b"\x80\x05\x97.", "uses NEXT_BUFFER, which plain"),
        (b"\x80\x04\x8f.", "uses EMPTY_SET, which plain"),
        (b"I01\n.", "uses INT of protocol 0"),
        (b"\xff.", "is no pickle: there is no instruction 0xff"),
        (b"PK\x03\x04 a zip", "uses PERSID|not a whole pickle"),
    ],
)
def test_instructions_that_plain_data_do_not_need_are_refused(tmp_path, content, message):
    refused(tmp_path / "bad.pkl", content, message)


TYPE = b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
FRESH = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"


def array(shape=b"(K\x02t", kind=TYPE, fortran=b"\x89", content=b"U\x0812345678", fresh=FRESH):
    """An array in a pickle, each part as bytes."""
    return b"\x80\x02" + fresh + b"(K\x01" + shape + kind + fortran + content + b"tb."


def test_the_array_that_the_next_test_breaks_is_whole(tmp_path):
    path = tmp_path / "whole.pkl"
    path.write_bytes(array())
    np.testing.assert_array_equal(unpickle.load(path).read(path), np.frombuffer(b"12345678", "<f4"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            array(fresh=FRESH.replace(b"K\x00t", b"J\xff\xff\xff\x7ft")),
            "calls numpy's _reconstruct with what numpy never",
        ),
        (array(fresh=FRESH.replace(b"cnumpy\nndarray\n", b"cnumpy\ndtype\n")), "calls numpy's _reconstruct with what"),
        (array(shape=b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft"), r"shape \[2147483647, 2147483647\] with 8 bytes"),
        (array(shape=b"(K\x03t"), r"shape \[3\] with 8 bytes of contents, not 12"),
        (array(shape=b"(J\xfe\xff\xff\xfft"), "whose shape is not up to 8 whole numbers"),
        (array(shape=b"(\x88K\x02t"), "whose shape is not up to 8 whole numbers"),
        (array(shape=b"(" + b"K\x01" * 9 + b"t"), "whose shape is not up to 8 whole numbers"),
        (array(shape=b"K\x02"), "completes an array or a type with what numpy never"),
        (array(content=b"]K\x01a"), "whose contents are no bytes"),
        (array(content=b"X\x04\x00\x00\x00\xe2\x82\xac1"), "spelled with characters that are none"),
        (array(kind=TYPE.replace(b"f4", b"O8")), "an array of the type 'O8'; plain numbers alone"),
        (array(kind=TYPE.replace(b"f4", b"V4")), "an array of the type 'V4'"),
        (array(kind=TYPE.replace(b"f4", b"c8")), "an array of the type 'c8'"),
        (array(kind=TYPE.replace(b"\x02f4", b"\x051f4,O")), "an array of the type '1f4,O'"),
        (array(kind=TYPE.replace(b"NNN", b"N(U\x01at}")), "completes an array or a type with what numpy never"),
        (array(kind=TYPE.replace(b"\x01<", b"\x01!")), "completes an array or a type with what numpy never"),
        (array(kind=TYPE.partition(b"(K\x03")[0]), "uses a numpy type before it is complete"),
        (array(kind=b"U\x02f4"), "completes an array or a type with what numpy never"),
        (array()[:-1] + b"(K\x01K\x02tb.", "completes an array or a type with what numpy never"),
        (b"\x80\x02}}U\x01aK\x01sb.", "sets the state of what is no array"),
        (b"\x80\x02c_codecs\nencode\n(U\x04hellU\x05rot13tR.", "calls _codecs.encode with what numpy never"),
        (b"\x80\x02c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.", "calls bytes with what numpy never"),
        (b"\x80\x02cnumpy.core.multiarray\nscalar\n(" + TYPE + b"U\x03123tR.", "calls numpy's scalar with what"),
        (b"\x80\x02K\x01)R.", "calls what is no function"),
        (b"\x80\x02cnumpy\nndarray\n]R.", "calls numpy.ndarray with what numpy never"),
    ],
)
def test_crafted_arrays_are_refused(tmp_path, content, message):
    refused(tmp_path / "bad.pkl", content, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc", "claims 4,611,686,018,427,387,904 bytes, but 3 follow"),
        (b"\x80\x02X" + struct.pack("<I", 2**32 - 1), "claims 4,294,967,295 bytes, but 0 follow"),
        (b"\x80\x02\x8b" + struct.pack("<I", 2**31) + b"\xff" * 40, "holds a whole number of 2,147,483,648 bytes"),
        (b"\x80\x02T" + struct.pack("<i", -5) + b"\xff" * 40, "claims 4,294,967,291 bytes"),
        (b"\x80\x02}j\x01\x02\x03\x04.", "not a whole pickle"),
        (b"\x80\x02K\x01\x86.", "not a whole pickle"),
        (b"\x80\x02e.", "not a whole pickle"),
        (b"\x80\x02K\x01K\x02.", "is not a whole pickle"),
        (b"\x80\x02(K\x01.", "is not a whole pickle"),
        (b"\x80\x02.", "is not a whole pickle"),
        (b"\x80\x02K\x01", "not a whole pickle"),
        (b"\x80\x02X\x02\x00\x00\x00\xff\xff.", "not a whole pickle"),
        (b"\x80\x02K\x01K\x02a.", "appends to what is no list"),
        (b"\x80\x02]K\x01K\x02s.", "sets an item of what is no dict"),
        (b"\x80\x02}(K\x01u.", "holds a dict with a key"),
        (b"\x80\x02}]K\x02s.", "holds a dict with a key that is neither text nor a number"),
        (b"c" + b"x" * 5000, "not a whole pickle"),
        (b"", "cannot be read as a pickle"),
    ],
)
def test_broken_pickles_are_refused(tmp_path, content, message):
    refused(tmp_path / "bad.pkl", content, message)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing.pkl"):
        with pytest.raises(BadInput, match="cannot be read as a pickle"):
            unpickle.load(path)


def test_a_pickle_of_more_instructions_than_any_data_set_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpickle, "MOST", 1000)
    refused(tmp_path / "many.pkl", b"\x80\x02" + b"]" * 1001 + b".", "more than 1,000 instructions")


def test_2000_mutated_pickles_give_plain_data_or_one_sentence(tmp_path):
    random = np.random.default_rng(4)
    value = {"a": [np.arange(60, dtype=np.float16).reshape(5, 12), np.int64(3), 1.5, (1, "é", b"x", None, True)]}
    wholes = [pickle.dumps([value, value, 2**70, "text" * 300], protocol) for protocol in range(2, 6)]
    path = tmp_path / "mutated.pkl"
    given = 0
    for number in range(2000):
        path.write_bytes(mutated(wholes[number % 4], random))
        try:
            unpickle.load(path)
        except BadInput:
            continue
        given += 1
    assert 20 < given < 1500

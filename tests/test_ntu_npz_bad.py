"""Bad NTU arrays: each is one sentence that names the file and the array; none costs memory or a traceback."""

import io
import resource
import zipfile

import numpy as np
import pytest
from mutated_bytes import mutated
from written_npz import bodies, npz

from skelray.data import readers
from skelray.errors import BadInput

NTU_NPZ = readers.load("ntu_npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x_train": np.zeros((4, 9, 75), np.float32)},
            r"x_train has the shape \[4, 9, 75\], not \[clips, frames, 150\] or \[clips, 3, frames, 25, 2\]",
        ),
        ({"x_train": np.zeros((4, 2, 9, 25, 2), np.float32)}, r"x_train has the shape \[4, 2, 9, 25, 2\]"),
        ({"x_train": np.zeros((4, 3, 9, 17, 2), np.float32)}, r"x_train has the shape \[4, 3, 9, 17, 2\]"),
        ({"x_train": np.float32(3)}, r"x_train has the shape \[\]"),
        ({"y_train": np.zeros((4, 60))}, r"y_train\[0\] is not one-hot"),
        ({"y_train": np.zeros((4, 60, 1))}, r"y_train has the shape \[4, 60, 1\], not \[clips, classes\] or \[clips\]"),
        ({"y_train": np.array([0, 1, 2.5, 3])}, r"y_train\[2\] is 2\.5, not a class"),
        ({"y_train": np.array([0, -1, 2, 3])}, r"y_train\[1\] is -1, not a class"),
        ({"y_train": np.array([0, 1, 2, np.nan])}, r"y_train\[3\] is nan, not a class"),
        ({"y_train": np.array([0, 1, 2, 60])}, "has 60 classes|has 61 classes"),
        ({"y_train": np.eye(60)[:3]}, "x_train has 4 clips, y_train 3"),
        ({"y_test": np.eye(120)[:3]}, "differ in their number of classes"),
        ({"x_train": np.full((4, 9, 150), np.inf, np.float32)}, r"x_train\[0\] holds a coordinate that is not finite"),
        ({"x_train": np.full((4, 9, 150), 1e39)}, r"x_train\[0\] holds a coordinate that is not finite"),
        ({"x_train": np.asfortranarray(np.ones((4, 9, 150)))}, "C order"),
        ({"x_test": np.full((3, 9, 150), "a")}, "plain numbers"),
        ({"x_test": np.full((3, 9, 150), None)}, "plain numbers"),
        ({"x_test": np.ones((3, 9, 150), [("a", "f4")])}, "plain numbers"),
        ({"x_test": np.ones((3, 9, 150), np.complex64)}, "plain numbers"),
    ],
)
def test_bad_arrays_are_named(tmp_path, arrays, message):
    path = npz(tmp_path / "bad.npz", **arrays)
    with pytest.raises(BadInput, match=rf"bad\.npz: .*({message})"):
        list(NTU_NPZ.read(path).clips)


def test_one_bad_clip_does_not_cost_the_others(tmp_path):
    x, y = bodies()
    x[1, 2, 3] = np.nan
    found = NTU_NPZ.read(npz(tmp_path / "a.npz", x_train=x, y_train=y))
    loaded = list(found.read(found.parts))
    assert len(loaded) == len(found.parts) == 7
    assert [bool(one.error) for one in loaded] == [False, True] + [False] * 5
    assert "x_train[1] holds a coordinate that is not finite" in loaded[1].error
    assert [len(one.clips) for one in loaded] == [1, 0, 1, 1, 1, 1, 1]


def test_damaged_files_are_refused(tmp_path):
    whole = npz(tmp_path / "whole.npz").read_bytes()
    bad = tmp_path / "bad.npz"
    for content in (b"", whole[: len(whole) // 2], b"not a zip" * 100):
        bad.write_bytes(content)
        with pytest.raises(BadInput, match=r"bad\.npz: not a whole \.npz file"):
            NTU_NPZ.read(bad)
    with pytest.raises(BadInput, match=r"is a folder; name the \.npz file"):
        NTU_NPZ.read(tmp_path)
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("x_train.npy", b"")
    with pytest.raises(BadInput, match=r"bad\.npz: no array x_test, y_train, y_test"):
        NTU_NPZ.read(bad)
    altered = bytearray(whole)
    altered[len(whole) // 8] ^= 255
    bad.write_bytes(altered)
    with pytest.raises(BadInput, match=r"bad\.npz: x_train ends too early or is damaged"):
        list(NTU_NPZ.read(bad).clips)


@pytest.mark.parametrize("member", ["x_train", "y_test"])
def test_a_damaged_compressed_array_is_refused(tmp_path, member):
    path = npz(tmp_path / "bad.npz", save=np.savez_compressed)
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo(f"{member}.npy").header_offset + 30 + len(f"{member}.npy") + 20
    altered = bytearray(path.read_bytes())
    altered[place] = 0xFF  # a block type that deflate does not know
    path.write_bytes(altered)
    with pytest.raises(BadInput, match=rf"bad\.npz: {member} "):
        list(NTU_NPZ.read(path).clips)


def header(shape, descr="<f4"):
    """The beginning of an array that claims this shape."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize(
    ("member", "begin", "follow", "message"),
    [
        ("x_train", header((4, 10**12, 150)), 0, "bytes of numbers, but 0 follow"),
        ("y_train", header((4, 10**12)), 0, "bytes of numbers, but 0 follow"),
        ("x_train", header((4, -9, 150)), 21600, "not a whole numpy array"),
        ("x_train", header((4, 9, 150)), 21601, "but 21,601 follow"),
        ("y_train", header((4, 2**26)), 2**30, "too large for labels"),
        ("x_train", header((1, 2**20, 150)), 600 * 2**20, "which no recording has"),
    ],
)
def test_what_a_header_claims_is_checked_before_memory_is_taken(tmp_path, member, begin, follow, message):
    """The last two are what a packed file of a megabyte can unpack to."""
    path = tmp_path / "claims.npz"
    whole = npz(tmp_path / "whole.npz")
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in old.namelist():
            with new.open(name, "w", force_zip64=True) as file:
                file.write(begin if name == f"{member}.npy" else old.read(name))
                for first in range(0, follow if name == f"{member}.npy" else 0, 2**20):
                    file.write(bytes(min(2**20, follow - first)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadInput, match=message):
        NTU_NPZ.read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def repacked(path, whole, random):
    """The archive with one of its arrays damaged, but packed well: every checksum agrees."""
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        names = old.namelist()
        bad = names[int(random.integers(0, len(names)))]
        for name in names:
            content = old.read(name)
            new.writestr(name, mutated(content, random, marks=(b"\x93NUMPY",)) if name == bad else content)


def test_200_mutated_files_give_finite_clips_or_one_sentence(tmp_path):
    random = np.random.default_rng(20)
    wholes = [npz(tmp_path / f"{save.__name__}.npz", save) for save in (np.savez, np.savez_compressed)]
    path = tmp_path / "mutated.npz"
    read = refused = 0
    for number in range(200):
        if number % 2:
            repacked(path, wholes[0], random)
        else:
            path.write_bytes(mutated(wholes[number // 2 % 2].read_bytes(), random, marks=(b"PK", b"\x93NUMPY")))
        try:
            found = NTU_NPZ.read(path)
        except BadInput:
            refused += 1
            continue
        for loaded in found.read(found.parts):
            read += len(loaded.clips)
            refused += bool(loaded.error)
            assert all(np.isfinite(clip.joints).all() for clip in loaded.clips)
    assert refused > 100
    assert read > 50

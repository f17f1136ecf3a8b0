"""UTD-MHAD: the real files give the known counts, files made here exactly what they hold, bad ones are named."""

import zipfile
from functools import partial

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mutated import copies, survivors
from written_utd import utd_content, utd_file

from skelray.data import readers, splits
from skelray.data.store import Store
from skelray.errors import BadInput

UTD = readers.load("utd_mhad")


@pytest.fixture(scope="session")
def real_utd(imported) -> Store:
    return imported("utd_mhad")


def test_the_real_utd_mhad_has_its_known_counts(real_utd):
    assert (real_utd.clips, len(real_utd.classes), real_utd.name) == (861, 27, "utd-mhad")
    assert (real_utd.frames.min(), real_utd.frames.max()) == (41, 125)
    assert set(real_utd.subject) == set(range(1, 9))
    assert set(real_utd.replication) == {1, 2, 3, 4}
    assert set(real_utd.camera) == {1}
    counts = np.bincount(real_utd.label, minlength=27)
    assert sorted(counts.tolist()) == [31, 31, 31] + [32] * 24  # 27 x 8 x 4 but for three
    assert splits.sizes(real_utd, "xsub") == (431, 430)
    assert list(real_utd.clip_name[:2]) == ["a1_s1_t1", "a1_s1_t2"]
    assert real_utd.clip_name[-1] == "a27_s8_t3"  # trial 4 is one of the three that are missing


def test_every_real_file_holds_what_scipy_says(shared_data):
    folder = shared_data / "utd-mhad"
    clips = list(UTD.read(folder).aligned(()).clips)
    for clip in clips:
        raw = scipy.io.loadmat(folder / f"{clip.clip_name}_skeleton.mat")["d_skel"]
        np.testing.assert_array_equal(clip.joints[0], raw.transpose(2, 0, 1).astype(np.float32))


def test_the_real_bodies_stand_upright_and_face_the_camera(real_utd):
    names = real_utd.skeleton.joints
    first = np.stack([real_utd.joints(clip)[0, 0] for clip in range(real_utd.clips)])
    np.testing.assert_allclose(first[:, names.index("hip_center")], 0, atol=1e-6)
    assert (first[:, names.index("head"), 1] > 0.2).all()
    assert (first[:, names.index("foot_left"), 1] < -0.2).all()
    assert (first[:, names.index("shoulder_left"), 0] < first[:, names.index("shoulder_right"), 0]).all()


def test_a_utd_mhad_file_is_read(tmp_path):
    joints = utd_file(tmp_path, "a27_s8_t4")
    found = UTD.read(tmp_path)
    (clip,) = found.aligned(()).clips
    assert (clip.clip_name, clip.label, clip.subject, clip.replication, clip.camera) == ("a27_s8_t4", 26, 8, 4, 1)
    assert found.classes[clip.label] == "squat (two arms stretch out)"
    np.testing.assert_array_equal(clip.joints[0], joints.astype(np.float32))
    (aligned,) = found.clips
    np.testing.assert_allclose(aligned.joints[0, 0, found.skeleton.joints.index("hip_center")], 0, atol=1e-6)


def test_actions_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("a10_s1_t1", "a2_s1_t1", "a2_s1_t2", "a1_s2_t1"):
        utd_file(tmp_path, name)
    names = [clip.clip_name for clip in UTD.read(tmp_path).clips]
    assert names == ["a1_s2_t1", "a2_s1_t1", "a2_s1_t2", "a10_s1_t1"]


def test_an_archive_is_read_as_it_is(tmp_path):
    with zipfile.ZipFile(tmp_path / "Skeleton.zip", "w") as archive:
        archive.writestr("Skeleton/a1_s2_t3_skeleton.mat", utd_content(np.ones((2, 20, 3))))
        archive.writestr("__MACOSX/Skeleton/._a1_s2_t3_skeleton.mat", b"something else")
    for source in (tmp_path / "Skeleton.zip", tmp_path):
        (clip,) = UTD.read(source).aligned(()).clips
        assert clip.clip_name == "a1_s2_t3"
        np.testing.assert_array_equal(clip.joints, np.ones((1, 2, 20, 3)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"joints": np.zeros((4, 25, 3))}, r"has the shape \[25, 3, 4\], not \[20, 3, frames\]"),
        ({"joints": np.zeros((4, 20, 2))}, r"has the shape \[20, 2, 4\]"),
        ({"d_skel": np.zeros((20, 3))}, r"has the shape \[20, 3\]"),
        ({"joints": np.zeros((10_001, 20, 3), np.float32)}, r"\[20, 3, 10001\], not .* with 1 to 10,000 frames"),
        ({"joints": np.full((2, 20, 3), np.nan)}, "frame 0, joint 0: a coordinate is not finite"),
        ({"joints": np.full((2, 20, 3), 1e39)}, "not finite as float32"),
        ({"d_skel": np.zeros((20, 3, 4), np.int16)}, "must hold real floating numbers"),
        ({"d_skel": np.zeros((20, 3, 4)) + 1j}, "must hold real floating numbers"),
        ({"d_skel": "text"}, "must hold real floating numbers"),
        ({"other": {"a": 1}}, "holds the MATLAB class struct; only arrays of numbers and text are read"),
        ({"other": np.array([[1.0, "a"]], object)}, "holds the MATLAB class cell"),
        ({"name": "a28_s1_t1"}, "no action 28 .there are 1 to 27"),
        ({"name": "a1_s9_t1"}, "no subject 9 .there are 1 to 8"),
        ({"name": "a1_s1_t0"}, "no trial 0 .there are 1 to 4"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_bad_utd_mhad_file_is_named(tmp_path, content, message, packed):
    utd_file(tmp_path, packed=packed, **content)
    with pytest.raises(BadInput, match=rf"a\d+_s\d_t\d_skeleton\.mat: .*{message}"):
        list(UTD.read(tmp_path).clips)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a MATLAB 5 file"),
        (b"\x89HDF\r\n" * 100, "not a MATLAB 5 file"),
        (utd_content(None, d_skeleton=np.zeros(3)), "0 variables d_skel, not one .it holds 'd_skeleton'"),
        (utd_content(None), "0 variables d_skel, not one .it holds nothing"),
        (2 * utd_content(np.ones((2, 20, 3)), packed=False), "not a whole MATLAB file"),
        (utd_content(np.ones((9, 20, 3)))[:-9], "goes beyond the end"),
    ],
)
def test_what_is_no_such_file_is_named(tmp_path, content, message):
    (tmp_path / "a1_s1_t1_skeleton.mat").write_bytes(content)
    with pytest.raises(BadInput, match=message):
        list(UTD.read(tmp_path).clips)


def test_a_variable_that_stands_there_twice_is_refused(tmp_path):
    once = utd_content(np.ones((2, 20, 3)))
    (tmp_path / "a1_s1_t1_skeleton.mat").write_bytes(once + once[128:])
    with pytest.raises(BadInput, match="2 variables d_skel, not one"):
        list(UTD.read(tmp_path).clips)


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = utd_content(np.zeros((1 << 17, 20, 3)))
    assert len(bomb) < 100_000
    (tmp_path / "a1_s1_t1_skeleton.mat").write_bytes(bomb)
    with pytest.raises(BadInput, match="unpacks to more than 8,388,608 bytes"):
        list(UTD.read(tmp_path).clips)


def test_a_folder_without_files_is_refused(tmp_path):
    (tmp_path / "other.mat").write_bytes(utd_content(np.ones((2, 20, 3))))
    with pytest.raises(BadInput, match="no folder with files named like a1_s1_t1_skeleton"):
        UTD.read(tmp_path)
    with pytest.raises(BadInput, match="missing: neither a folder nor a whole zip archive"):
        UTD.read(tmp_path / "missing")


@pytest.mark.parametrize("packed", [True, False])
def test_damaged_files_give_a_sentence_or_finite_clips(tmp_path, packed):
    file = tmp_path / "a1_s1_t1_skeleton.mat"
    content, read = utd_content(np.random.default_rng(0).normal(0, 1, (3, 20, 3)), packed), 0
    for damaged in copies(content, separators=(b"\0", b"\x0e", b"d")):
        file.write_bytes(damaged)
        read += survivors(partial(UTD.read, tmp_path))
    assert read < 100


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    joints=st.integers(1, 4).flatmap(
        lambda frames: arrays(np.float32, (frames, 20, 3), elements=st.floats(-9, 9, width=32))
    ),
    numbers=st.tuples(st.integers(1, 27), st.integers(1, 8), st.integers(1, 4)),
    wide=st.booleans(),
    packed=st.booleans(),
)
def test_what_is_written_is_what_is_read(tmp_path, joints, numbers, wide, packed):
    folder = tmp_path / "one"
    folder.mkdir(exist_ok=True)
    name = "a{}_s{}_t{}".format(*numbers)
    utd_file(folder, name, joints.astype(np.float64) if wide else joints, packed)
    (clip,) = UTD.read(folder).aligned(()).clips
    (folder / f"{name}_skeleton.mat").unlink()
    assert (clip.label + 1, clip.subject, clip.replication) == numbers
    np.testing.assert_array_equal(clip.joints[0], joints)

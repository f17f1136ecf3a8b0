"""MSRC-12: the real file gives what it is known to hold, arrays made here what is in them, bad ones are named."""

import io
import zipfile
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as any_array
from mutated import copies, survivors

from skelray.data import readers, splits, store
from skelray.errors import BadInput

MSRC = readers.load("msrc12")


def written(path, clips=((3, 0, "1"), (2, 11, "2"), (4, 5, "2")), save=np.savez, **arrays):
    """A file of clips (frames, label, subject); `arrays` replaces or, with None, leaves out."""
    random = np.random.default_rng(0)
    lengths = [frames for frames, _, _ in clips]
    whole = {
        "x": random.integers(-2000, 4000, (sum(lengths), 1, 20, 3)).astype(np.int16),
        "ptr": np.cumsum([0, *lengths]),
        "y": np.array([label for _, label, _ in clips], np.int16),
        "subject": np.array([subject for _, _, subject in clips]),
        "name": np.array([f"P1_1_{label + 1}_p{subject.zfill(2)}" for _, label, subject in clips]),
        **arrays,
    }
    save(path, **{name: array for name, array in whole.items() if array is not None})
    return whole


@pytest.fixture(scope="module")
def real_msrc12(shared_data, tmp_path_factory):
    found = MSRC.read(shared_data / "msrc12.npz")
    loaded = list(found.read(found.parts))
    path = tmp_path_factory.mktemp("stores") / "msrc12.arrow"
    clips = [clip for one in loaded for clip in one.clips]
    store.write(path, clips, found.skeleton, found.name, found.classes, found.transforms)
    return store.open(path), loaded


def test_the_real_file_has_6241_clips_of_which_ten_are_empty(real_msrc12):
    opened, loaded = real_msrc12
    assert (opened.clips, len(opened.classes)) == (6231, 12)
    dropped = [entry for one in loaded for entry in one.dropped]
    assert dropped == [(f"P1_1_12A_p19-{number:02}", "every number is zero") for number in range(10)]
    assert sum(one.counts.get("frames without a body, kept", 0) for one in loaded) == 33
    assert (opened.frames.min(), np.median(opened.frames), opened.frames.max()) == (13, 45, 45)
    assert set(opened.subject) == set(range(1, 31))
    assert len(set(opened.recording)) == 592
    assert len(set(opened.clip_name)) == 6231


def test_the_real_split_is_by_odd_and_even_subjects(real_msrc12):
    opened, _ = real_msrc12
    assert splits.sizes(opened, "xsub") == (3104, 3127)
    train = splits.select(opened, "xsub", 2, seed=0).everything
    assert set(opened.subject[train] % 2) == {1}


def test_the_real_gestures_move_what_their_names_say(real_msrc12):
    opened, _ = real_msrc12
    joints = opened.skeleton.joints
    reach = np.zeros((12, 20))
    for label in range(12):
        clips = np.flatnonzero(opened.label == label)[::5]
        reach[label] = np.mean([np.ptp(opened.joints(clip)[0], axis=0).max(-1) for clip in clips], axis=0)
    most = {opened.classes[label]: joints[int(reach[label].argmax())] for label in range(12)}
    assert most["kick"] == "foot_right"
    assert most["duck"] == most["bow"] == "head"
    assert most["push right"] == most["throw"] == most["change weapon"] == "hand_right"
    median = np.median(np.linalg.norm(opened.rows[:, joints.index("spine")] - opened.rows[:, 0], axis=-1))
    assert 0.03 < median < 0.2  # metres


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_give_their_clips_in_metres(tmp_path, save):
    arrays = written(tmp_path / "a.npz", save=save)
    found = MSRC.read(tmp_path / "a.npz")
    clips = list(found.aligned(()).clips)
    assert (found.name, found.skeleton.name, found.frame_rate) == ("msrc12", "kinect20", 15.0)
    assert [clip.clip_name for clip in clips] == ["P1_1_1_p01-00", "P1_1_12_p02-00", "P1_1_6_p02-00"]
    assert [(clip.label, clip.subject, clip.recording) for clip in clips] == [(0, 1, 0), (11, 2, 1), (5, 2, 2)]
    assert [found.classes[clip.label] for clip in clips] == ["lift outstretched arms", "kick", "shoot"]
    for clip, (start, end) in zip(clips, ((0, 3), (3, 5), (5, 9)), strict=True):
        np.testing.assert_allclose(clip.joints[0], arrays["x"][start:end, 0] / 1000, atol=1e-6)


def test_names_of_gestures_cameras_and_unknown_people_come_from_the_file(tmp_path):
    written(
        tmp_path / "a.npz",
        clips=((3, 0, "x"), (3, 1, "4")),
        classes=np.array(["jump", "run"]),
        view=np.array([2, 3]),
        name=np.array(["a", "a"]),
    )
    found = MSRC.read(tmp_path / "a.npz")
    (loaded,) = found.read(found.parts)
    assert found.classes == ("jump", "run")
    assert [(clip.subject, clip.camera, clip.recording) for clip in loaded.clips] == [(-1, 2, 0), (4, 3, 0)]
    assert [clip.clip_name for clip in loaded.clips] == ["a-00", "a-01"]
    assert loaded.counts == {"clips of an unknown subject": 1}


def test_parts_may_be_read_from_any_of_them_on(tmp_path, monkeypatch):
    monkeypatch.setattr(MSRC, "PART", 2)
    written(tmp_path / "a.npz", clips=[(2 + number % 3, number % 12, "1") for number in range(7)])
    found = MSRC.read(tmp_path / "a.npz")
    whole = [clip for one in found.load(found.parts) for clip in one.clips]
    assert (len(found.parts), len(whole), found.together) == (4, 7, True)
    rest = [clip for one in found.load(found.parts[2:]) for clip in one.clips]
    assert [clip.clip_name for clip in rest] == [clip.clip_name for clip in whole[4:]]
    for one, other in zip(rest, whole[4:], strict=True):
        np.testing.assert_array_equal(one.joints, other.joints)


X = np.ones((9, 1, 20, 3), np.int16)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"name": None, "y": None}, r"no array name, y \(it holds ptr, subject, x\)"),
        ({"x": X.astype(np.float32)}, "x must be int16, millimetres, not float32"),
        ({"x": X[:, :, :19]}, r"x has the shape \[9, 1, 19, 3\], not \[frames, 1, 20, 3\]"),
        ({"x": X[:8]}, "ptr must rise from 0 to the 8 frames of x"),
        ({"ptr": np.array([0, 3, 3, 9])}, "ptr must rise from 0 to the 9 frames"),
        ({"ptr": np.array([0, 5, 3, 9])}, "ptr must rise"),
        ({"ptr": np.array([1, 3, 5, 9])}, "ptr must rise"),
        ({"ptr": np.array([0, 9])}, "y has 3 clips, ptr 1"),
        ({"ptr": np.array([0.0, 3, 5, 9])}, "ptr must be whole numbers in one row, not float64"),
        ({"y": np.array([0, 12, 1])}, "y holds 0 to 12, but the gestures are 0 to 11"),
        ({"y": np.array([0, -1, 1])}, "y holds -1 to 1"),
        ({"y": np.array([[0, 1, 1]])}, "y must be whole numbers in one row"),
        ({"subject": np.array(["1"])}, "y has 3 clips, subject 1"),
        ({"subject": np.array([None] * 3)}, "subject must hold plain"),
        ({"name": np.array([1, 2, 3])}, "name must hold plain text"),
        ({"view": np.array([1])}, "y has 3 clips, view 1"),
    ],
)
def test_bad_arrays_are_named(tmp_path, arrays, message):
    written(tmp_path / "bad.npz", **arrays)
    with pytest.raises(BadInput, match=rf"bad\.npz: .*{message}|bad\.npz: {message}"):
        list(MSRC.read(tmp_path / "bad.npz").clips)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for source in (tmp_path, tmp_path / "missing.npz"):
        with pytest.raises(BadInput, match=r"no such file; msrc12 reads one \.npz file with x, ptr, y"):
            MSRC.read(source)
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(BadInput, match=r"bad\.npz: not a whole \.npz file"):
        MSRC.read(tmp_path / "bad.npz")


def test_a_claim_of_many_clips_takes_no_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (10**12,)})
    written(tmp_path / "bad.npz", ptr=None)
    with zipfile.ZipFile(tmp_path / "bad.npz", "a") as archive:
        archive.writestr("ptr.npy", header.getvalue())
    with pytest.raises(BadInput, match="ptr is not a whole numpy array: 8,000,000,000,000 bytes of numbers, but 0"):
        MSRC.read(tmp_path / "bad.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_files_give_a_sentence_or_finite_clips(tmp_path, save):
    path = tmp_path / "a.npz"
    written(path, save=save)
    content, read = path.read_bytes(), 0
    for damaged in copies(content, separators=(b"\0", b"P", b"'")):
        path.write_bytes(damaged)
        read += survivors(partial(MSRC.read, path))
    assert read < 100


@pytest.mark.parametrize("code", [b"\xff\xff\xff\xff", b"\x00\xd8\0\0", b""])
def test_what_is_no_text_is_refused(tmp_path, code):
    written(tmp_path / "bad.npz", name=np.frombuffer(12 * code, "<U4"))
    with pytest.raises(BadInput, match=r"bad\.npz: name (holds what is no text|must be text in one row)"):
        list(MSRC.read(tmp_path / "bad.npz").clips)


MILLIMETRES = st.integers(1, 3).flatmap(
    lambda frames: any_array(np.int16, (frames, 20, 3), elements=st.integers(-9999, 9999))
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    joints=st.lists(MILLIMETRES, min_size=1, max_size=4),
    subject=st.integers(1, 30),
    label=st.integers(0, 11),
)
def test_what_is_written_is_what_is_read(tmp_path, joints, subject, label):
    for one in joints:
        one[0, 0, 0] = 1  # none is left out as empty
    written(
        tmp_path / "a.npz",
        clips=[(len(one), label, str(subject)) for one in joints],
        x=np.concatenate(joints)[:, None],
    )
    clips = list(MSRC.read(tmp_path / "a.npz").aligned(()).clips)
    assert {(clip.label, clip.subject) for clip in clips} == {(label, subject)}
    for clip, one in zip(clips, joints, strict=True):
        np.testing.assert_array_equal(np.rint(clip.joints[0] * 1000).astype(np.int16), one)

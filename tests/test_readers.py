"""Readers: real files give the known counts, files made here give exactly what they hold, bad ones are named."""

import json
import zipfile

import numpy as np
import pytest

from skelray import skeletons
from skelray.data import readers, splits, store
from skelray.errors import BadInput

NW_UCLA = readers.load("nw_ucla")
NTU_NPZ = readers.load("ntu_npz")


def test_the_folder_is_the_registry():
    assert {"nw_ucla", "ntu_npz"} <= set(readers.available())
    with pytest.raises(BadInput, match="no reader 'nw-ucla'; did you mean \"nw_ucla\""):
        readers.load("nw-ucla")


# --- NW-UCLA -------------------------------------------------------------------------------------------------------


def nw_ucla_file(folder, name="a01_s02_e03_v01", frames=None, **content):
    frames = np.random.default_rng(0).normal(0, 0.3, (6, 20, 3)).tolist() if frames is None else frames
    whole = {"file_name": name, "skeletons": frames, "label": 1, **content}
    (folder / f"{name}.json").write_text(json.dumps(whole))
    return frames


@pytest.fixture(scope="module")
def real_nw_ucla(shared_data, tmp_path_factory):
    found = NW_UCLA.read(shared_data / "nw-ucla")
    path = tmp_path_factory.mktemp("stores") / "nw-ucla.arrow"
    store.write(path, found.clips, found.skeleton, found.name, found.classes, found.transforms)
    return store.open(path)


def test_the_real_nw_ucla_has_its_known_counts(real_nw_ucla):
    assert (real_nw_ucla.clips, len(real_nw_ucla.classes)) == (1484, 10)
    assert (real_nw_ucla.frames.min(), np.median(real_nw_ucla.frames), real_nw_ucla.frames.max()) == (1, 31, 201)
    assert set(real_nw_ucla.subject) == set(range(1, 11))
    assert np.bincount(real_nw_ucla.label).tolist() == [150, 152, 141, 173, 148, 149, 142, 142, 145, 142]
    test = splits.open_test(real_nw_ucla, "xview", reader="test", ledger=None)
    assert splits.sizes(real_nw_ucla, "xview") == (1020, 464)
    assert (len(test.standard), len(test.clean)) == (464, 369)
    assert "hip" in real_nw_ucla.transforms[0]
    assert "yaw" in real_nw_ucla.transforms[1]


def test_the_copies_in_the_real_nw_ucla_are_the_known_ones(real_nw_ucla):
    test = splits.open_test(real_nw_ucla, "xview", reader="test", ledger=None)
    copies = real_nw_ucla.clip_name[np.setdiff1d(test.standard, test.clean)]
    assert sum(name.startswith("a02") for name in copies) == 50
    assert sum(name.startswith("a03") for name in copies) == 45
    assert all(name.endswith("v03") for name in copies)


def test_the_real_nw_ucla_can_hold_out_subjects(real_nw_ucla):
    selection = splits.select(real_nw_ucla, "xview", 2, seed=0)
    assert len(selection.everything) == 1020
    assert set(real_nw_ucla.label[selection.val]) == set(range(10))


def test_an_nw_ucla_file_is_read_and_aligned(tmp_path):
    frames = np.array(nw_ucla_file(tmp_path, "a12_s07_e04_v02", label=10))
    found = NW_UCLA.read(tmp_path)
    (clip,) = found.clips
    assert (clip.label, clip.subject, clip.camera, clip.replication) == (9, 7, 2, 4)
    assert found.classes[clip.label] == "carry"
    assert clip.joints.shape == (1, 6, 20, 3)
    np.testing.assert_allclose(clip.joints[0, 0, 0], 0, atol=1e-6)
    np.testing.assert_allclose(clip.joints[0, ..., 1], frames[..., 1] - frames[0, 0, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"frames": np.zeros((4, 25, 3)).tolist()}, r"shape \[4, 25, 3\], not \[frames, 20, 3\]"),
        ({"frames": []}, "shape"),
        ({"frames": [[[0, 0, 0]] * 20, [[0, 0, 0]] * 19]}, r"not \{\"label\""),
        ({"frames": [[[0, 0, "x"]] * 20]}, r"not \{\"label\""),
        ({"frames": [[[0, 0, float("nan")]] * 20]}, "not finite"),
        ({"label": 4}, "label 4, but action 01 is label 1"),
        ({"label": None}, "label None, but action 01 is label 1"),
        ({"name": "a07_s01_e00_v01"}, "no action a07"),
    ],
)
def test_a_bad_nw_ucla_file_is_named(tmp_path, content, message):
    nw_ucla_file(tmp_path, **content)
    with pytest.raises(BadInput, match=rf"a0\d_s0\d_e0\d_v01\.json: .*{message}"):
        list(NW_UCLA.read(tmp_path).clips)


def test_a_torn_nw_ucla_file_is_named_with_its_line(tmp_path):
    nw_ucla_file(tmp_path)
    file = tmp_path / "a01_s02_e03_v01.json"
    file.write_text(file.read_text()[:-30])
    with pytest.raises(BadInput, match=r"a01_s02_e03_v01\.json:1: not whole JSON"):
        list(NW_UCLA.read(tmp_path).clips)
    file.write_text("[1, 2]")
    with pytest.raises(BadInput, match=r"a01_s02_e03_v01\.json: not "):
        list(NW_UCLA.read(tmp_path).clips)


def test_a_folder_without_files_is_refused(tmp_path):
    for source in (tmp_path, tmp_path / "missing"):
        with pytest.raises(BadInput, match="no folder with files named like"):
            NW_UCLA.read(source)


# --- NTU arrays ----------------------------------------------------------------------------------------------------


def bodies(clips=4, frames=9, classes=60, seed=0, dtype=np.float32):
    """x and y of one side: clip i has i + 3 frames; even clips have one body."""
    random = np.random.default_rng(seed)
    x = np.zeros((clips, frames, 150), dtype)
    for number in range(clips):
        x[number, : number + 3] = random.normal(0, 1, (number + 3, 150))
        if number % 2 == 0:
            x[number, :, 75:] = 0
    return x, np.eye(classes, dtype=np.float64)[random.integers(0, classes, clips)]


def npz(path, save=np.savez, **arrays):
    x_train, y_train = bodies()
    x_test, y_test = bodies(3, seed=1)
    save(path, **{"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test, **arrays})
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_ntu_arrays_give_their_clips(tmp_path, save):
    path = npz(tmp_path / "NTU60_CS.npz", save)
    arrays = np.load(path)
    found = NTU_NPZ.read(path)
    clips = list(found.clips)
    assert (found.name, len(found.classes), len(clips)) == ("ntu60", 60, 7)
    assert [clip.side for clip in clips] == [0] * 4 + [1] * 3
    assert [len(clip.joints) for clip in clips] == [1, 2, 1, 2, 1, 2, 1]
    assert [clip.joints.shape[1] for clip in clips] == [3, 4, 5, 6, 3, 4, 5]
    assert {clip.subject for clip in clips} == {clip.camera for clip in clips} == {-1}
    for number, clip in enumerate(clips[:4]):
        assert clip.label == arrays["y_train"][number].argmax()
        for body in range(len(clip.joints)):
            expected = arrays["x_train"][number, : number + 3].reshape(-1, 2, 25, 3)[:, body]
            np.testing.assert_array_equal(clip.joints[body], expected)


def test_an_empty_side_is_no_error_and_the_given_split_is_served(tmp_path):
    path = npz(tmp_path / "a.npz", x_test=np.zeros((0, 9, 150), np.float32), y_test=np.zeros((0, 60)))
    found = NTU_NPZ.read(path)
    store.write(tmp_path / "a.arrow", found.clips, found.skeleton, found.name, found.classes, found.transforms)
    opened = store.open(tmp_path / "a.arrow")
    assert splits.available(opened) == ["given"]
    assert splits.sizes(opened, "given") == (4, 0)
    with pytest.raises(BadInput, match="subject numbers are unknown"):
        splits.select(opened, "xsub", 2, seed=0)


def test_a_duplicated_second_body_is_kept_and_120_classes_are_ntu120(tmp_path):
    x, y = bodies(classes=120)
    x[..., 75:] = x[..., :75]
    path = npz(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:0], y_test=y[:0])
    found = NTU_NPZ.read(path)
    assert found.name == "ntu120"
    for clip in found.clips:
        np.testing.assert_array_equal(clip.joints[0], clip.joints[1])


def test_zero_frames_within_a_clip_stay_and_empty_clips_are_left_out_and_said(tmp_path):
    x, y = bodies()
    x[1, 1] = 0
    x[2] = 0
    path = npz(tmp_path / "a.npz", x_train=x, y_train=y)
    with pytest.warns(UserWarning, match=r"1 clips without a frame were left out \(x_train\[2\]"):
        clips = [clip for clip in NTU_NPZ.read(path).clips if clip.side == 0]
    assert [clip.joints.shape[1] for clip in clips] == [3, 4, 6]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x_train": np.zeros((4, 9, 75), np.float32)},
            r"x_train has the shape \[4, 9, 75\], not \[clips, frames, 150\]",
        ),
        ({"y_train": np.zeros((4, 60))}, r"y_train\[0\] is not one-hot"),
        ({"y_train": np.arange(4)}, r"y_train has the shape \[4\], not \[clips, classes\]"),
        ({"y_train": np.eye(60)[:3]}, "x_train has 4 clips, y_train 3"),
        ({"y_test": np.eye(120)[:3]}, "differ in their number of classes"),
        ({"x_train": np.full((4, 9, 150), np.inf, np.float32)}, r"x_train\[0\] holds a coordinate that is not finite"),
        ({"x_train": np.asfortranarray(np.ones((4, 9, 150)))}, "C order"),
        ({"x_test": np.full((3, 9, 150), "a")}, "plain numbers"),
        ({"x_test": np.full((3, 9, 150), None)}, "plain numbers"),
    ],
)
def test_bad_ntu_arrays_are_named(tmp_path, arrays, message):
    path = npz(tmp_path / "bad.npz", **arrays)
    with pytest.raises(BadInput, match=rf"bad\.npz: .*{message}"):
        list(NTU_NPZ.read(path).clips)


def test_damaged_ntu_files_are_refused(tmp_path):
    whole = npz(tmp_path / "whole.npz").read_bytes()
    bad = tmp_path / "bad.npz"
    for content in (b"", whole[: len(whole) // 2], b"not a zip" * 100):
        bad.write_bytes(content)
        with pytest.raises(BadInput, match=r"bad\.npz: not a whole \.npz file"):
            NTU_NPZ.read(bad)
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("x_train.npy", b"")
    with pytest.raises(BadInput, match=r"bad\.npz: no array x_test, y_train, y_test"):
        NTU_NPZ.read(bad)
    altered = bytearray(whole)
    altered[len(whole) // 8] ^= 255
    bad.write_bytes(altered)
    with pytest.raises(BadInput, match=r"bad\.npz: "):
        list(NTU_NPZ.read(bad).clips)


@pytest.mark.parametrize("member", ["x_train", "y_test"])
def test_a_damaged_compressed_array_is_refused(tmp_path, member):
    path = npz(tmp_path / "bad.npz", save=np.savez_compressed)
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo(f"{member}.npy").header_offset + 30 + len(f"{member}.npy") + 20
    altered = bytearray(path.read_bytes())
    altered[place] = 0xFF  # a block type that deflate does not know
    path.write_bytes(altered)
    with pytest.raises(BadInput, match=r"bad\.npz: "):
        list(NTU_NPZ.read(path).clips)


@pytest.mark.parametrize(("file", "side"), [("NTU60_CS.npz", 1), ("NTU60_CV.npz", 0)])
def test_the_real_ntu_sample(shared_data, file, side):
    path = shared_data / "samples" / "ntu_npz" / file
    found = NTU_NPZ.read(path)
    clips = list(found.clips)
    assert [clip.label for clip in clips] == list(range(49, 60))
    assert {clip.side for clip in clips} == {side}
    assert {len(clip.joints) for clip in clips} == {2}
    array = np.load(path)["x_test" if side else "x_train"]
    for clip, row in zip(clips, array, strict=True):
        np.testing.assert_array_equal(clip.joints[1].reshape(-1, 75), row[: clip.joints.shape[1], 75:])
        assert not row[clip.joints.shape[1] :].any()
        clip.check(skeletons.layout("kinect25"), 60)

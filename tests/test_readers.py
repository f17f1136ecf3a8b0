"""Readers: real files give the known counts, files made here give exactly what they hold, bad ones are named."""

import json

import numpy as np
import pytest

from skelray.data import readers, splits, store
from skelray.errors import BadInput

NW_UCLA = readers.load("nw_ucla")


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

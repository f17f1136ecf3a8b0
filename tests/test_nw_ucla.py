"""NW-UCLA: the real files give the known counts, files made here exactly what they hold, bad ones are named."""

import hashlib
import json
import zipfile
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mutated import copies, survivors
from written_nw_ucla import nw_ucla_file

from skelray.data import readers, splits
from skelray.errors import BadInput

NW_UCLA = readers.load("nw_ucla")
# Of the coordinates in the real files, in the order of the store.
AS_DELIVERED = "25293277080e3f60cefb06370b7d811c1ee04d8e6ea31f9923fe71371035f487"


@pytest.fixture(scope="module")
def real_nw_ucla(imported):
    return imported("nw_ucla")


def test_the_real_nw_ucla_has_its_known_counts(real_nw_ucla, tmp_path):
    assert (real_nw_ucla.clips, len(real_nw_ucla.classes)) == (1484, 10)
    assert (real_nw_ucla.frames.min(), np.median(real_nw_ucla.frames), real_nw_ucla.frames.max()) == (1, 31, 201)
    assert set(real_nw_ucla.subject) == set(range(1, 11))
    assert np.bincount(real_nw_ucla.label).tolist() == [150, 152, 141, 173, 148, 149, 142, 142, 145, 142]
    test = splits.open_test(real_nw_ucla, "xview", reader="test", ledger=tmp_path / "opened.jsonl")
    assert splits.sizes(real_nw_ucla, "xview") == (1020, 464)
    assert (len(test.standard), len(test.clean)) == (464, 369)
    assert "hip" in real_nw_ucla.transforms[0]
    assert "yaw" in real_nw_ucla.transforms[1]


def test_the_real_coordinates_are_those_of_the_files(shared_data, real_nw_ucla):
    """As every reader before delivered them; the alignment is the only thing done to them."""
    found = NW_UCLA.read(shared_data / "nw-ucla").aligned(())
    whole = hashlib.sha256()
    for place, clip in enumerate(found.clips):
        whole.update(np.ascontiguousarray(clip.joints, "<f4").data)
        if place % 100 == 0:
            aligned = real_nw_ucla.joints(place)
            assert real_nw_ucla.clip_name[place] == clip.clip_name
            heights = clip.joints[..., 1] - clip.joints[0, 0, 0, 1]
            np.testing.assert_allclose(aligned[..., 1], heights, atol=1e-5)
            spread = np.linalg.norm(clip.joints - clip.joints[0, 0, 0], axis=-1)
            np.testing.assert_allclose(np.linalg.norm(aligned, axis=-1), spread, atol=1e-4)
    assert whole.hexdigest() == AS_DELIVERED


def test_the_copies_in_the_real_nw_ucla_are_the_known_ones(real_nw_ucla, tmp_path):
    test = splits.open_test(real_nw_ucla, "xview", reader="test", ledger=tmp_path / "opened.jsonl")
    copies_of_training = real_nw_ucla.clip_name[np.setdiff1d(test.standard, test.clean)]
    assert sum(name.startswith("a02") for name in copies_of_training) == 50
    assert sum(name.startswith("a03") for name in copies_of_training) == 45
    assert all(name.endswith("v03") for name in copies_of_training)


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


def test_an_archive_is_read_as_it_is(tmp_path):
    frames = nw_ucla_file(tmp_path)
    with zipfile.ZipFile(tmp_path / "all_sqe.zip", "w") as archive:
        archive.write(tmp_path / "a01_s02_e03_v01.json", "all_sqe/a01_s02_e03_v01.json")
        archive.writestr("__MACOSX/all_sqe/._a01_s02_e03_v01.json", b"something else")
    (clip,) = NW_UCLA.read(tmp_path / "all_sqe.zip").aligned(()).clips
    np.testing.assert_array_equal(clip.joints[0], np.array(frames, np.float32))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"frames": np.zeros((4, 25, 3)).tolist()}, r"shape \[4, 25, 3\], not \[frames, 20, 3\]"),
        ({"frames": []}, "shape"),
        ({"frames": [[[0, 0, 0]] * 20, [[0, 0, 0]] * 19]}, r"not \{\"label\""),
        ({"frames": [[[0, 0, "x"]] * 20]}, r"not \{\"label\""),
        ({"frames": [[[0, 0, "1.5"]] * 20]}, "a coordinate is not a number"),
        ({"frames": [[[0, 0, True]] * 20]}, "a coordinate is not a number"),
        ({"frames": [[[0, 0, [0]]] * 20]}, "a coordinate is not a number"),
        ({"frames": [[[0, 0, 10**400]] * 20]}, r"not \{\"label\".*too large"),
        ({"frames": [[[0, 0, 0]] * 20, [[0, 0, 0], [0, 1e39, 0]] * 10]}, "frame 1, joint 1: .* not finite as float32"),
        ({"frames": 5}, r"not \{\"label\""),
        ({"frames": {"0": [[0, 0, 0]] * 20}}, r"not \{\"label\""),
        ({"frames": [[[0, 0, float("nan")]] * 20]}, "not finite"),
        ({"frames": [[[0, 0, float("-inf")]] * 20]}, "-Infinity is not finite"),
        ({"label": 4}, "label 4, but action 01 is label 1"),
        ({"label": None}, "label None, but action 01 is label 1"),
        ({"label": True}, "label True, but action 01 is label 1"),
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"label": 1,\n\n "skeletons": [[[1 2]]]}', r"json:3: not whole JSON"),
        (b'{"label": 1,\n "skeletons": "\xff"}', r"json:2: not text"),
        (b'{"label": 1, "label": 1, "skeletons": []}', "the key 'label' stands there twice"),
        (b'{"label": 1}', "an object without these keys"),
        (b"[" * 100_000, "not JSON that can be read"),
        (b'{"label": ' + b"9" * 5000 + b"}", "not JSON that can be read"),
        (b"", r"json:1: not whole JSON"),
    ],
)
def test_a_file_that_no_writer_wrote_is_named(tmp_path, content, message):
    (tmp_path / "a01_s02_e03_v01.json").write_bytes(content)
    with pytest.raises(BadInput, match=message):
        list(NW_UCLA.read(tmp_path).clips)


def test_a_file_larger_than_any_is_not_read(tmp_path):
    with (tmp_path / "a01_s02_e03_v01.json").open("wb") as file:
        file.truncate((1 << 23) + 1)
    with pytest.raises(BadInput, match="larger than 8,388,608 bytes"):
        list(NW_UCLA.read(tmp_path).clips)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no folder with files named like"):
        NW_UCLA.read(tmp_path)
    with pytest.raises(BadInput, match="missing: neither a folder nor a whole zip archive"):
        NW_UCLA.read(tmp_path / "missing")


def test_damaged_files_give_a_sentence_or_finite_clips(tmp_path):
    nw_ucla_file(tmp_path)
    file = tmp_path / "a01_s02_e03_v01.json"
    file.write_text(json.dumps(json.loads(file.read_text()), indent=1))
    content, read = file.read_bytes(), 0
    for damaged in copies(content, separators=(b"\n", b",", b"[")):
        file.write_bytes(damaged)
        read += survivors(partial(NW_UCLA.read, tmp_path))
    assert 0 < read < 100


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    joints=st.integers(1, 4).flatmap(
        lambda frames: arrays(np.float32, (frames, 20, 3), elements=st.floats(-9, 9, width=32))
    ),
    action=st.sampled_from([(1, 1), (3, 3), (8, 7), (12, 10)]),
    numbers=st.tuples(st.integers(1, 10), st.integers(0, 99), st.integers(1, 3)),
)
def test_what_is_written_is_what_is_read(tmp_path, joints, action, numbers):
    folder = tmp_path / "one"
    folder.mkdir(exist_ok=True)
    name = "a{:02}_s{:02}_e{:02}_v{:02}".format(action[0], *numbers)
    nw_ucla_file(folder, name, joints.tolist(), label=action[1])
    (clip,) = NW_UCLA.read(folder).aligned(()).clips
    (folder / f"{name}.json").unlink()
    assert (clip.clip_name, clip.label) == (name, action[1] - 1)
    assert (clip.subject, clip.replication, clip.camera) == numbers
    np.testing.assert_array_equal(clip.joints[0], joints)

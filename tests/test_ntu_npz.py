"""The reader of NTU arrays: real files give the known clips, files made here exactly what they hold."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_npz import bodies, ctrgcn, npz, write

from skelray import skeletons
from skelray.data import readers, splits, store
from skelray.errors import BadInput

NTU_NPZ = readers.load("ntu_npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_give_their_clips(tmp_path, save):
    path = npz(tmp_path / "NTU60.npz", save)
    arrays = np.load(path)
    found = NTU_NPZ.read(path)
    clips = list(found.clips)
    assert (found.name, len(found.classes), len(clips)) == ("ntu60", 60, 7)
    assert [dict(clip.sides) for clip in clips] == [{"given": 0}] * 4 + [{"given": 1}] * 3
    assert [len(clip.joints) for clip in clips] == [1, 2, 1, 2, 1, 2, 1]
    assert [clip.joints.shape[1] for clip in clips] == [3, 4, 5, 6, 3, 4, 5]
    assert {clip.subject for clip in clips} == {clip.camera for clip in clips} == {-1}
    for number, clip in enumerate(clips[:4]):
        assert clip.label == arrays["y_train"][number].argmax()
        for body in range(len(clip.joints)):
            expected = arrays["x_train"][number, : number + 3].reshape(-1, 2, 25, 3)[:, body]
            np.testing.assert_array_equal(clip.joints[body], expected)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("NTU60_CS", "xsub"),
        ("NTU60_XSub", "xsub"),
        ("NTU120_CSub", "xsub"),
        ("NTU60_CV", "xview"),
        ("ntu60-xview", "xview"),
        ("NTU120_XSet", "xset"),
        ("NTU120_CSet_5d", "xset"),
    ],
)
def test_a_file_name_tells_the_protocol(tmp_path, name, split):
    found = NTU_NPZ.read(npz(tmp_path / f"{name}.npz"))
    assert [dict(clip.sides) for clip in found.clips][3:5] == [{"given": 0, split: 0}, {"given": 1, split: 1}]


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
    found = NTU_NPZ.read(npz(tmp_path / "a.npz", x_train=x, y_train=y))
    loaded = list(found.read(found.parts))
    assert [clip.joints.shape[1] for one in loaded[:4] for clip in one.clips] == [3, 4, 6]
    assert loaded[2].dropped == [("train-000002", "a clip without a frame")]
    assert sum(len(one.dropped) for one in loaded) == 1


def test_reading_begins_at_any_part_and_the_reader_goes_to_another_process(tmp_path):
    found = NTU_NPZ.read(npz(tmp_path / "a.npz", np.savez_compressed))
    whole = list(found.clips)
    load = pickle.loads(pickle.dumps(found.load))
    for first in range(len(found.parts)):
        rest = [clip for one in load(found.parts[first:]) for clip in one.clips]
        assert [clip.clip_name for clip in rest] == [clip.clip_name for clip in whole[first:]]
        for clip, same in zip(rest, whole[first:], strict=True):
            np.testing.assert_array_equal(clip.joints, same.joints)


@pytest.mark.parametrize("whole_labels", [False, True])
def test_ctrgcn_arrays_of_five_dimensions_are_the_same_clips(tmp_path, whole_labels):
    (x, y), (other, z) = bodies(), bodies(3, seed=1)
    arrays = {"y_train": y.argmax(1), "y_test": z.argmax(1)} if whole_labels else {}
    five = npz(tmp_path / "NTU60_CS_5d.npz", x_train=ctrgcn(x), x_test=ctrgcn(other), **arrays)
    flat = NTU_NPZ.read(npz(tmp_path / "NTU60_CS.npz"))
    found = NTU_NPZ.read(five)
    assert (found.name, found.classes) == (flat.name, flat.classes)
    for clip, same in zip(found.clips, flat.clips, strict=True):
        assert (clip.clip_name, clip.label, clip.sides) == (same.clip_name, same.label, same.sides)
        np.testing.assert_array_equal(clip.joints, same.joints)


def test_whole_labels_take_their_number_of_classes_from_the_name_the_option_or_themselves(tmp_path):
    labels = {"y_train": np.array([0, 5, 2, 3]), "y_test": np.array([1, 1, 9])}
    for name, classes in (("ntu60_a", 60), ("NTU120_CSub", 120), ("mine", 10)):
        assert len(NTU_NPZ.read(npz(tmp_path / f"{name}.npz", **labels)).classes) == classes
    found = NTU_NPZ.read(tmp_path / "mine.npz", NTU_NPZ.Options(classes=51))
    assert (len(found.classes), found.name) == (51, "mine")
    with pytest.raises(BadInput, match=r"mine\.npz: has 10 classes, not 8; set classes"):
        NTU_NPZ.read(tmp_path / "mine.npz", NTU_NPZ.Options(classes=8))
    with pytest.raises(BadInput, match=r"hot\.npz: has 60 classes, not 61"):
        NTU_NPZ.read(npz(tmp_path / "hot.npz"), NTU_NPZ.Options(classes=61))


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.sampled_from(["train", "test"]), st.integers(1, 2), st.integers(1, 9)), min_size=1),
    seed=st.integers(0, 2**32 - 1),
    five=st.booleans(),
    whole_labels=st.booleans(),
    save=st.sampled_from([np.savez, np.savez_compressed]),
)
def test_clips_come_back_as_they_were_written(tmp_path_factory, lengths, seed, five, whole_labels, save):
    random = np.random.default_rng(seed)
    clips = []
    for side, count, frames in lengths:
        joints = random.normal(0, 10.0 ** random.integers(-3, 4), (count, frames, 25, 3)).astype(np.float32)
        clips.append((side, joints, int(random.integers(0, 60))))
    path = tmp_path_factory.mktemp("npz") / "NTU60_XView.npz"
    found = NTU_NPZ.read(write(path, clips, five=five, whole_labels=whole_labels, save=save))
    inner = sorted(clips, key=lambda clip: clip[0] != "train")  # the file holds the training side first
    assert len(found.classes) == 60
    for clip, (side, joints, label) in zip(found.clips, inner, strict=True):
        assert (clip.label, clip.sides["xview"]) == (label, int(side == "test"))
        np.testing.assert_array_equal(clip.joints, joints)


@pytest.mark.parametrize(("file", "side", "split"), [("NTU60_CS.npz", 1, "xsub"), ("NTU60_CV.npz", 0, "xview")])
def test_the_real_sample(shared_data, file, side, split):
    path = shared_data / "samples" / "ntu_npz" / file
    found = NTU_NPZ.read(path)
    clips = list(found.clips)
    assert [clip.label for clip in clips] == list(range(49, 60))
    assert all(clip.sides == {"given": side, split: side} for clip in clips)
    assert {len(clip.joints) for clip in clips} == {2}
    array = np.load(path)["x_test" if side else "x_train"]
    for clip, row in zip(clips, array, strict=True):
        np.testing.assert_array_equal(clip.joints[1].reshape(-1, 75), row[: clip.joints.shape[1], 75:])
        assert not row[clip.joints.shape[1] :].any()
        clip.check(skeletons.layout("kinect25"), 60)

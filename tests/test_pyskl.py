"""The reader of PYSKL annotations: real files give their clips, files made here exactly what they hold."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_pyskl import SHAPES, annotation, keypoints, write

from skelray.data import readers, splits, store
from skelray.errors import BadInput

PYSKL = readers.load("pyskl")


def read(path, **options):
    return PYSKL.read(path, PYSKL.Options(allow_pickle=True, **options))


def plain(found):
    """The clips without steps: as the file has them."""
    return list(found.aligned([]).clips)


@pytest.fixture(scope="module")
def sample(shared_data):
    return shared_data / "samples" / "pyskl" / "ntu_raw12_pyskl_style.pkl"


def test_the_real_sample(sample, tmp_path):
    found = read(sample)
    assert (found.name, found.skeleton.name, len(found.classes), found.units) == ("ntu60", "kinect25", 60, "metres")
    clips = plain(found)
    assert len(clips) == 12
    whole = pickle.loads(sample.read_bytes())  # the test made sure above that it holds plain data alone
    for clip, kept in zip(clips, whole["annotations"], strict=True):
        np.testing.assert_array_equal(clip.joints, kept["keypoint"].astype(np.float32))
        name = kept["frame_dir"]
        assert (clip.clip_name, clip.label) == (name, int(name[-3:]) - 1)
        assert (clip.setup, clip.camera, clip.subject, clip.replication) == (
            int(name[1:4]),
            int(name[5:8]),
            int(name[9:12]),
            int(name[13:16]),
        )
        assert clip.sides == {
            split: int(name in whole["split"][f"{split}_val"])
            for split in ("xsub", "xview")
            if name in whole["split"][f"{split}_val"] + whole["split"][f"{split}_train"]
        }
    assert {clip.clip_name: len(clip.joints) for clip in clips if len(clip.joints) == 2} == {
        "S001C001P003R002A005": 2,
        "S001C003P008R002A058": 2,
    }


def test_the_real_sample_becomes_a_store_whose_lists_agree_with_the_official_split(sample, tmp_path):
    found = read(sample)
    store.write(tmp_path / "a.arrow", found.clips, found.skeleton, found.name, found.classes, found.transforms)
    opened = store.open(tmp_path / "a.arrow")
    assert splits.sizes(opened, "xsub") == (9, 3)
    assert splits.sizes(opened, "xview") == (2, 10)
    for split, by in (("xsub", opened.subject), ("xview", opened.camera)):
        np.testing.assert_array_equal(opened.sides[split] == 0, splits.trains("ntu60", split, by))
    np.testing.assert_allclose(opened.joints(0)[0, 0, 1], 0, atol=1e-6)  # the mid-spine of the first frame


def test_the_real_table_of_contents_of_kinetics_is_refused(shared_data):
    path = shared_data / "samples" / "pyskl" / "mmaction2_tests_sample.pkl"
    with pytest.raises(BadInput, match=r"sample\.pkl: no annotation has keypoints; in the Kinetics form they lie in"):
        read(path)


def test_a_pickle_is_opened_only_when_that_is_allowed(sample):
    with pytest.raises(BadInput, match=r"style\.pkl: a pickle is opened only with --allow-pickle"):
        PYSKL.read(sample)


@settings(max_examples=60, deadline=None)
@given(
    layout=st.sampled_from(sorted(SHAPES)),
    sizes=st.lists(st.tuples(st.integers(1, 2), st.integers(1, 9), st.integers(0, 59)), min_size=1, max_size=5),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    protocol=st.integers(2, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_clips_come_back_as_they_were_written(tmp_path_factory, layout, sizes, dtype, protocol, seed):
    random = np.random.default_rng(seed)
    kept = [
        annotation(f"clip{number}", label, keypoints(random, layout, bodies, frames, dtype))
        for number, (bodies, frames, label) in enumerate(sizes)
    ]
    split = {"train": [each["frame_dir"] for each in kept[::2]], "val": [each["frame_dir"] for each in kept[1::2]]}
    path = write(tmp_path_factory.mktemp("pyskl") / "Mine_hrnet.pkl", kept, split, protocol)
    found = read(path, coordinates="pixels", y_up=False)
    assert found.name == ("mine-2d" if SHAPES[layout][1] == 2 else "mine")
    assert found.skeleton.name == layout
    assert len(found.classes) == max(label for *_, label in sizes) + 1
    for number, (clip, each) in enumerate(zip(plain(found), kept, strict=True)):
        np.testing.assert_array_equal(clip.joints, each["keypoint"].astype(np.float32))
        assert (clip.clip_name, clip.label, clip.subject) == (each["frame_dir"], each["label"], -1)
        assert clip.sides == {"given": number % 2}


def test_a_clip_is_read_alone(tmp_path):
    random = np.random.default_rng(1)
    kept = [annotation(f"S001C001P001R001A{n:03}", n - 1, keypoints(random, frames=40 + n)) for n in range(1, 9)]
    found = read(write(tmp_path / "ntu60_3danno.pkl", kept, {"xsub_train": []}))
    load = pickle.loads(pickle.dumps(found.load))
    (loaded,) = load(["annotations[5]"])
    np.testing.assert_array_equal(loaded.clips[0].joints, kept[5]["keypoint"].astype(np.float32))


def test_lists_become_the_sides_of_named_splits(tmp_path):
    names = [f"v{number}" for number in range(6)]
    split = {
        "train1": names[:3],
        "test1": names[3:5],
        "train2": names[2:4],
        "test2": names[:2],
        "xset_train": names[:1],
        "xset_val": names[1:2],
        "train": names[:2],
        "val": names[2:3],
        "test": names[3:4],
        "everything": names[4:],
    }
    found = read(write(tmp_path / "ucf101_hrnet.pkl", [annotation(name, 0) for name in names], split))
    loaded = list(found.read(found.parts))
    assert [one.clips[0].sides for one in loaded] == [
        {"split1": 0, "split2": 1, "xset": 0, "given": 0},
        {"split1": 0, "split2": 1, "xset": 1, "given": 0},
        {"split1": 0, "split2": 0, "given": 0},  # with a list "test" there is, "val" is of the training side
        {"split1": 1, "split2": 0, "given": 1},
        {"split1": 1},
        {},
    ]
    assert loaded[5].counts == {
        "clip in no split list": 1,
        "clip in the list 'everything', of neither side": 1,
    }


@pytest.mark.parametrize(
    ("stem", "name", "expected"),
    [
        ("ntu60_3danno", "S017C001P003R001A004", ("ntu60", 60)),
        ("ntu120_3danno", "S001C001P003R001A004", ("ntu120", 120)),
        ("mine", "S018C001P003R001A064", ("ntu120", 120)),
        ("gym_hrnet", "A0xAXXysHUo_002184", ("gym", 4)),
        ("hmdb51_2d", "v", ("hmdb51", 4)),
        ("Diving48-HRNet", "v", ("diving48", 4)),
        ("2d", "v", ("2d", 4)),
    ],
)
@pytest.mark.parametrize("layout", ["kinect25", "coco17"])
def test_a_file_is_named_after_its_data_set(tmp_path, stem, name, expected, layout):
    label = int(name[-3:]) - 1 if name.startswith("S0") else 3
    kept = [annotation(name, label, keypoints(np.random.default_rng(0), layout))]
    found = read(write(tmp_path / f"{stem}.pkl", kept))
    suffix = "-2d" if layout == "coco17" else ""
    assert (found.name, len(found.classes)) == (expected[0] + suffix, expected[1])
    assert ("NTU RGB+D" in found.licence or "academic" in found.licence) == expected[0].startswith("ntu")

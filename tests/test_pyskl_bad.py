"""Bad annotation files: each is one sentence that names the file and the annotation; one bad clip costs no other."""

import os
import resource

import numpy as np
import pytest
from mutated_bytes import mutated
from written_pyskl import annotation, keypoints, write

from skelray.data import readers
from skelray.errors import BadInput

PYSKL = readers.load("pyskl")
NAME = "S001C002P003R001A004"
FLAT = keypoints(np.random.default_rng(3), "coco17")
SOLID = keypoints(np.random.default_rng(3))


def clips(path, **options):
    return list(PYSKL.read(path, PYSKL.Options(allow_pickle=True, **options)).clips)


def without(made, key):
    return {name: value for name, value in made.items() if name != key}


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        ({"split": {}, "annotation": []}, 'neither {"split", "annotations"} nor a list'),
        ("text", 'neither {"split", "annotations"} nor a list'),
        ({"split": {}, "annotations": {}}, 'neither {"split", "annotations"} nor a list'),
        ([], "holds no annotation"),
        ([1, 2], "no annotation has keypoints$"),
        ([{"frame_dir": "v", "label": 0}], "no annotation has keypoints$"),
        ([{"frame_dir": "v", "label": 0, "raw_file": "x"}], "keypoints; in the Kinetics form they lie in other files"),
        ([annotation(), annotation()], f"two annotations have the frame_dir '{NAME}'"),
        ([annotation(keypoint=np.ones((1, 4, 9, 3)))], r"no layout of \(9, 3\) is known .*; set layout to a name"),
        ([annotation(keypoint=np.ones((1, 4, 25, 2)))], r"no layout of \(25, 2\) is known"),
        ([annotation(label="four")], r"no annotation has a label in 0\.\.9999"),
        ([annotation(label=10**12)], "no annotation has a label in"),
        ({"split": [NAME], "annotations": [annotation()]}, '"split" is no dict of lists'),
        ({"split": {"train": "abc"}, "annotations": [annotation()]}, 'the split list "train" is no list of clip names'),
        ({"split": {"val": [1]}, "annotations": [annotation()]}, 'the split list "val" is no list of clip names'),
    ],
)
def test_a_bad_file_is_named(tmp_path, whole, message):
    with pytest.raises(BadInput, match=rf"bad\.pkl: .*{message}"):
        clips(write(tmp_path / "bad.pkl", whole))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (7, r"no dict of fields such as frame_dir, label and keypoint"),
        (annotation(NAME, label=5), "label 5, but action 4 is label 3"),
        (annotation(NAME, label=True), "label is no whole number"),
        (without(annotation(NAME), "label"), "label is no whole number"),
        (annotation("S001C004P003R001A004"), ".* names camera 4; there are 1 to 3"),
        (annotation("v", label=-1), "label -1 is not one of"),
        (without(annotation(NAME), "keypoint"), "keypoint is no array"),
        (
            annotation(NAME, keypoint=SOLID[0]) | {"total_frames": 7},
            r"keypoint has the shape \[7, 25, 3\], not \[bodies",
        ),
        (annotation(NAME, keypoint=SOLID[:, :, :20]), "keypoint has 20 joints, but the layout kinect25 has 25"),
        (annotation(NAME, keypoint=SOLID[..., :2]), "keypoint has 2 coordinates, not 3"),
        (annotation(NAME, keypoint=SOLID * np.inf), "keypoint holds a number that is not finite"),
        (annotation(NAME, keypoint=SOLID.astype(np.float64) * 1e39), "keypoint holds a number that is not finite"),
        (annotation(NAME, total_frames=8), "total_frames is 8, but keypoint has 7 frames"),
        (annotation(NAME, total_frames="x" * 400), "total_frames is 'x{39}, but keypoint has 7 frames"),
    ],
)
def test_a_bad_annotation_is_named_and_costs_no_other(tmp_path, made, message):
    path = write(tmp_path / "bad.pkl", [annotation("first", 0), made, annotation("last", 1)])
    found = PYSKL.read(path, PYSKL.Options(allow_pickle=True))
    loaded = list(found.read(found.parts))
    assert [len(one.clips) for one in loaded] == [1, 0, 1]
    if "is not one of" not in message:  # the core says that, and knows the clip alone
        message = rf"bad\.pkl: annotations\[1\] \(.*\): {message}"
    with pytest.raises(BadInput, match=message):
        list(found.clips)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (without(annotation("v", 0, FLAT, img_shape=None), "original_shape"), r"img_shape is not \(height, width\)"),
        (annotation("v", 0, FLAT, img_shape=(0, 3)), r"img_shape is not \(height, width\)"),
        (annotation("v", 0, FLAT, img_shape=(1080,)), r"img_shape is not \(height, width\)"),
        (annotation("v", 0, FLAT, img_shape=(float("nan"), 3)), r"img_shape is not \(height, width\)"),
        (annotation("v", 0, FLAT, FLAT[..., 0][:, :3]), r"keypoint_score has the shape \[1, 3, 17\], not \[1, 7, 17\]"),
        (
            annotation("v", 0, FLAT, FLAT),
            r"keypoint_score has the shape \[1, 7, 17, 2\], not \[bodies, frames, joints\]",
        ),
        (annotation("v", 0, FLAT, FLAT[..., 0] * np.nan), "keypoint_score holds a number that is not finite"),
        (annotation("v", 0, FLAT, keypoint_score=[0.5]), "keypoint_score is no array"),
    ],
)
def test_a_bad_flat_annotation_is_named(tmp_path, made, message):
    with pytest.raises(BadInput, match=rf"bad\.pkl: annotations\[0\] \(v\): {message}"):
        clips(write(tmp_path / "bad.pkl", [made]))


def test_a_clip_on_both_sides_of_a_split_is_named(tmp_path):
    path = write(tmp_path / "bad.pkl", [annotation(NAME)], {"xsub_train": [NAME], "xsub_val": [NAME]})
    with pytest.raises(BadInput, match=rf"annotations\[0\] \({NAME}\): is on both sides of the split xsub"):
        clips(path)


def test_too_few_classes_and_an_unknown_layout_are_refused(tmp_path):
    path = write(tmp_path / "bad.pkl", [annotation("v", 9)])
    with pytest.raises(BadInput, match=r"bad\.pkl: has 10 classes, not 3; set classes"):
        clips(path, classes=3)
    with pytest.raises(BadInput, match='did you mean "kinect25"'):
        clips(path, layout="kinect2")


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'mark'}",)

    path = write(tmp_path / "bad.pkl", [annotation(keypoint=SOLID) | {"img_shape": Evil()}])
    with pytest.raises(BadInput, match=r"bad\.pkl: asks for posix\.system, but plain"):
        clips(path)
    assert not (tmp_path / "mark").exists()


def test_200_mutated_files_give_finite_clips_or_one_sentence(tmp_path):
    random = np.random.default_rng(8)
    scores = random.uniform(0, 1, FLAT.shape[:3]).astype(np.float16)
    large = keypoints(random, bodies=2, frames=30)  # stays in the file
    wholes = []
    for protocol in (2, 4, 5):
        for name, kept in (
            ("a", [annotation(f"S001C001P00{n}R001A001", 0, large) for n in range(1, 4)]),
            ("b", [annotation(f"v{n}", n, FLAT, scores) for n in range(3)]),
        ):
            split = {"xsub_train": [kept[0]["frame_dir"]], "xsub_val": [kept[1]["frame_dir"]]}
            wholes.append(write(tmp_path / f"{name}.pkl", kept, split, protocol).read_bytes())
    path = tmp_path / "mutated.pkl"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = read = 0
    for number in range(200):
        path.write_bytes(mutated(wholes[number % len(wholes)], random, marks=(b"keypoint", b"label", b"_reconstruct")))
        try:
            found = PYSKL.read(path, PYSKL.Options(allow_pickle=True))
        except BadInput:
            refused += 1
            continue
        for loaded in found.read(found.parts):
            read += len(loaded.clips)
            refused += bool(loaded.error)
            assert all(np.isfinite(clip.joints).all() for clip in loaded.clips)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    assert refused > 60
    assert read > 20


@pytest.mark.parametrize("what", ["a folder", "empty"])
def test_what_is_no_file_of_annotations_is_told(tmp_path, what):
    source = tmp_path / "a.pkl"
    source.mkdir() if what == "a folder" else source.write_bytes(b"")
    with pytest.raises(BadInput, match=rf"a\.pkl: {what}; name an annotation file, a \.pkl"):
        PYSKL.read(source, PYSKL.Options(allow_pickle=True))

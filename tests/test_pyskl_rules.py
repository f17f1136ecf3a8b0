"""What the reader of PYSKL annotations does to bodies, pixels and scores: each rule, its switch and its count."""

import numpy as np
import pytest
from written_pyskl import IMAGE, annotation, keypoints, write

from skelray.data import readers

PYSKL = readers.load("pyskl")
FLAT = keypoints(np.random.default_rng(3), "coco17", bodies=2)


def one(path, **options):
    """What the first annotation gives, without steps."""
    found = PYSKL.read(path, PYSKL.Options(allow_pickle=True, **options)).aligned([])
    (loaded, *_) = found.read(found.parts)
    assert not loaded.error
    return loaded


def pyskl_pixels(keypoint, score=None):
    """PYSKL's own formula: from the centre, in halves of the image; low scores zero."""
    height, width = IMAGE
    x, y = np.moveaxis(keypoint.astype(np.float32), -1, 0)
    made = np.stack([(x - width / 2) / (width / 2), (y - height / 2) / (height / 2)], -1)
    if score is not None:
        made[score <= 0.01] = 0
    return made


def test_pixels_become_what_pyskl_makes_of_them(tmp_path):
    score = np.random.default_rng(0).uniform(0, 1, FLAT.shape[:3]).astype(np.float16)
    score[0, 2, 3] = 0.005
    score[1, 0, 0] = 0
    path = write(tmp_path / "a.pkl", [annotation("v", 0, FLAT, score)])
    loaded = one(path, y_up=False)
    np.testing.assert_allclose(loaded.clips[0].joints, pyskl_pixels(FLAT, score), atol=1e-6)
    assert loaded.counts["joint with a score of 0.01 or less set to zero"] == (score <= 0.01).sum()
    np.testing.assert_array_equal(loaded.clips[0].joints[0, 2, 3], 0)
    np.testing.assert_allclose(one(path).clips[0].joints, pyskl_pixels(FLAT, score) * [1, -1], atol=1e-6)


def test_scores_may_be_left_alone_or_stricter(tmp_path):
    score = np.random.default_rng(2).uniform(0, 1, FLAT.shape[:3]).astype(np.float32)
    score[0, 0, 0] = 0
    path = write(tmp_path / "a.pkl", [annotation("v", 0, FLAT, score)])
    for least in (0, 0.3, 0.9):
        zero = ~one(path, least_score=least).clips[0].joints.any(-1)
        np.testing.assert_array_equal(zero, score <= np.float32(least))


def test_half_heights_keep_angles_and_pixels_stay_pixels(tmp_path):
    path = write(tmp_path / "a.pkl", [annotation("v", 0, FLAT)])
    height, width = IMAGE
    expected = (FLAT.astype(np.float32) - [width / 2, height / 2]) / (height / 2) * [1, -1]
    np.testing.assert_allclose(one(path, coordinates="height").clips[0].joints, expected, atol=1e-6)
    np.testing.assert_array_equal(one(path, coordinates="pixels", y_up=False).clips[0].joints, FLAT)
    flipped = one(path, coordinates="pixels").clips[0].joints
    np.testing.assert_allclose(flipped, FLAT.astype(np.float32) * [1, -1] + [0, height], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "units", "note"),
    [
        ({}, "half image widths and heights", "half image widths and heights from the image's centre, y up"),
        (
            {"coordinates": "height", "y_up": False},
            "half image heights",
            "half image heights from the image's centre, y down",
        ),
        ({"coordinates": "pixels"}, "pixels", "coordinates: pixels, y up"),
    ],
)
def test_the_unit_is_said(tmp_path, options, units, note):
    found = PYSKL.read(
        write(tmp_path / "a.pkl", [annotation("v", 0, FLAT)]), PYSKL.Options(allow_pickle=True, **options)
    )
    assert found.units == units
    assert note in found.transforms[0]
    assert "scores: not kept" in found.transforms[1]


def test_a_joint_that_was_not_found_is_zero_and_not_the_corner_of_the_image(tmp_path):
    keypoint = FLAT.copy()
    keypoint[0, 1] = 0  # a body that is not seen in a frame
    keypoint[1, 2, 5] = 0
    made = annotation("v", 0, keypoint)
    del made["keypoint_score"]
    for options in ({}, {"coordinates": "height"}, {"coordinates": "pixels"}):
        joints = one(write(tmp_path / "a.pkl", [made]), **options).clips[0].joints
        assert not joints[0, 1].any()
        assert not joints[1, 2, 5].any()
        assert joints.any(-1).sum() == joints.size / 2 - 18


def test_a_third_coordinate_of_a_flat_joint_is_its_score(tmp_path):
    score = np.full((*FLAT.shape[:3], 1), 0.9, np.float16)
    score[0, 0, 0] = 0
    three = annotation("v", 0, np.concatenate([FLAT, score], -1), img_shape=IMAGE)
    two = annotation("v", 0, FLAT, score[..., 0])
    first, second = (one(write(tmp_path / "a.pkl", [made])) for made in (three, two))
    np.testing.assert_array_equal(first.clips[0].joints, second.clips[0].joints)
    assert first.counts == second.counts


def test_the_bodies_with_the_highest_scores_stay_in_their_order(tmp_path):
    keypoint = keypoints(np.random.default_rng(5), "openpose18", bodies=4)
    score = np.full((4, 7, 18), 0.5, np.float16)
    score[1], score[3] = 0.6, 0.9
    path = write(tmp_path / "kinetics.pkl", [annotation("v", 0, keypoint, score)])
    loaded = one(path, coordinates="pixels", y_up=False)
    np.testing.assert_array_equal(loaded.clips[0].joints, keypoint[[1, 3]])
    assert loaded.counts["body beyond 2 left out"] == 2
    np.testing.assert_array_equal(one(path, bodies=1, coordinates="pixels", y_up=False).clips[0].joints, keypoint[[3]])
    assert len(one(path, bodies=4).clips[0].joints) == 4


def test_without_scores_the_bodies_that_move_most_stay(tmp_path):
    keypoint = keypoints(np.random.default_rng(5), bodies=3)
    keypoint[1] = keypoint[1, :1, :1]
    loaded = one(write(tmp_path / "a.pkl", [annotation(keypoint=keypoint)]))
    np.testing.assert_array_equal(loaded.clips[0].joints, keypoint[[0, 2]])


def test_empty_bodies_and_empty_clips_are_left_out_and_counted(tmp_path):
    second = keypoints(np.random.default_rng(0), bodies=2)
    second[0] = 0
    kept = [
        annotation("S001C001P001R001A001", 0, second),
        annotation("S001C001P001R001A002", 1, np.zeros_like(second)),
        annotation("S001C001P001R001A003", 2, second[:0]),
        annotation("S001C001P001R001A004", 3, second[:, :0]),
        None,
    ]
    found = PYSKL.read(write(tmp_path / "a.pkl", kept, {"train": ["other"]}), PYSKL.Options(allow_pickle=True))
    found = found.aligned([])
    loaded = list(found.read(found.parts))
    np.testing.assert_array_equal(loaded[0].clips[0].joints, second[1:])
    assert loaded[0].counts == {"all-zero body left out": 1, "clip in no split list": 1}
    assert [one.dropped for one in loaded[1:]] == [
        [("S001C001P001R001A002", "no body, or zeros alone")],
        [("S001C001P001R001A003", "no body, or zeros alone")],
        [("S001C001P001R001A004", "no body, or zeros alone")],
        [("annotation-000004", "no annotation: no body was found")],
    ]


def test_the_layout_and_the_classes_may_be_said(tmp_path):
    path = write(tmp_path / "a.pkl", [annotation("v", 4, keypoints(np.random.default_rng(0), "kinect20"))])
    found = PYSKL.read(path, PYSKL.Options(allow_pickle=True, layout="utd20", classes=9))
    assert (found.skeleton.name, found.classes) == ("utd20", tuple("012345678"))
    named = write(tmp_path / "b.pkl", [annotation("S001C001P001R001A050", 0)])
    found = PYSKL.read(named, PYSKL.Options(allow_pickle=True, check_labels=False, classes=11))
    assert len(found.classes) == 11
    assert [(clip.label, clip.subject) for clip in found.clips] == [(0, 1)]

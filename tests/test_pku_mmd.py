"""PKU-MMD: clips are cut from videos as their labels say, and lie on the side that the lists give."""

import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from written_pku import label_text, pku_folder, skeleton_text, split_text, walking

from skelray.data import readers, store
from skelray.data.clip import TEST, TRAIN
from skelray.errors import BadInput

PKU = readers.load("pku_mmd")


def read(folder, **options):
    return PKU.read(folder, PKU.Options(**options))


def everything(found):
    """Clips by name, counts and dropped clips."""
    loaded = list(found.read(found.parts))
    assert not [one.error for one in loaded if one.error]
    counts = {}
    for one in loaded:
        for rule, count in one.counts.items():
            counts[rule] = counts.get(rule, 0) + count
    clips = {clip.clip_name: clip for one in loaded for clip in one.clips}
    return clips, counts, [entry for one in loaded for entry in one.dropped]


def test_clips_are_cut_by_segment_with_the_end_excluded(tmp_path):
    joints = walking(40, bodies=2)
    pku_folder(tmp_path, {"0002-L": (joints, [(8, 0, 12), (51, 12, 40), (1, 39, 40)])})
    found = read(tmp_path)
    clips, counts, dropped = everything(found)
    assert (found.name, len(found.classes), found.skeleton.name, found.steps) == ("pkummd1", 51, "kinect25", ())
    assert list(clips) == ["0002-L-001", "0002-L-002", "0002-L-003"]
    assert [found.classes[clip.label] for clip in clips.values()] == ["drink water", "writing", "bow"]
    for clip, (start, end) in zip(clips.values(), ((0, 12), (12, 40), (39, 40)), strict=True):
        np.testing.assert_array_equal(clip.joints, joints[:, start:end])
        assert (clip.camera, clip.recording, clip.subject, clip.sides) == (1, 2, -1, {})
    assert (counts, dropped) == ({}, [])


def test_absent_people_are_left_out_and_empty_clips_are_named(tmp_path):
    joints = walking(40, bodies=2)
    joints[1, :20] = 0
    joints[:, 20:30] = 0
    joints[0, 30:] = 0
    pku_folder(tmp_path, {"0002-M": (joints, [(1, 0, 20), (2, 20, 30), (3, 30, 40), (4, 10, 40)])})
    clips, counts, dropped = everything(read(tmp_path))
    assert {name: len(clip.joints) for name, clip in clips.items()} == {
        "0002-M-001": 1,
        "0002-M-003": 1,
        "0002-M-004": 2,
    }
    np.testing.assert_array_equal(clips["0002-M-003"].joints[0], joints[1, 30:])
    np.testing.assert_array_equal(clips["0002-M-004"].joints, joints[:, 10:])
    assert counts == {"first person absent, the second stands first": 1}
    assert dropped == [("0002-M-002", "every number is zero")]


def test_long_clips_end_after_300_frames_unless_told_otherwise(tmp_path):
    pku_folder(tmp_path, {"0002-R": (walking(320), [(1, 0, 320), (2, 0, 300)])})
    for longest, lengths, counts in (
        (300, [300, 300], {"cut after 300 frames": 1}),
        (10, [10, 10], {"cut after 10 frames": 2}),
        (0, [320, 300], {}),
    ):
        clips, counted, _ = everything(read(tmp_path, longest=longest))
        assert [clip.joints.shape[1] for clip in clips.values()] == lengths
        assert counted == counts
        assert {clip.camera for clip in clips.values()} == {3}


def test_an_action_beyond_the_end_is_refused_with_its_line_or_cut_when_told(tmp_path):
    pku_folder(tmp_path, {"0002-L": (walking(30), [(1, 0, 10), (2, 20, 31), (3, 30, 40)])})
    with pytest.raises(BadInput, match=r"label/0002-L\.txt:2: the action ends at frame 31, but the video has 30"):
        list(read(tmp_path).clips)
    with (tmp_path / "label" / "0002-L.txt").open("a") as labels:
        labels.write("4,9,7,2\n")
    clips, counts, dropped = everything(read(tmp_path, beyond="cut"))
    assert [clip.joints.shape[1] for clip in clips.values()] == [10, 10]
    assert counts == {"cut where the video ends": 1}
    assert dropped == [(f"0002-L-00{number}", "its label leaves it no frame") for number in (3, 4)]


def test_the_lists_say_the_sides_and_views_share_their_recording(tmp_path):
    videos = {f"{number:04}-{view}": (walking(20), [(1, 0, 20)]) for number in (2, 3, 5) for view in "LMR"}
    pku_folder(tmp_path, videos, train=["0002-L", "0002-M", "0002-R", "0003-L"], test=["0003-M", "0003-R", "0005-L"])
    (tmp_path / "cross-view.txt").write_text(split_text([name for name in videos if name[-1] != "L"]))
    clips, counts, _ = everything(read(tmp_path))
    assert {clip.recording for clip in clips.values()} == {2, 3, 5}
    assert {name[:6]: clip.sides["xsub"] for name, clip in clips.items()} == {
        name: TRAIN if name[:4] == "0002" or name == "0003-L" else TEST for name in videos
    }
    assert {clip.sides["xview"] for clip in clips.values() if clip.camera == 1} == {TEST}
    assert {clip.sides["xview"] for clip in clips.values() if clip.camera != 1} == {TRAIN}
    assert counts == {"videos on neither list of cross_subject.txt: test, as published preparations take them": 2}


def test_phase_two_has_names_and_lists_of_its_own(tmp_path):
    videos = {f"A01N0{number}-{view}": (walking(20), [(14, 2, 20)]) for number in (1, 2) for view in "LR"}
    pku_folder(tmp_path, videos, train=["A01N01-L", "A01N01-R"], ending="_v2")
    (tmp_path / "cross_subject.txt").write_text(split_text(["0002-L"]))  # phase I's, which does not count here
    found = read(tmp_path)
    clips, _, dropped = everything(found)
    assert found.name == "pkummd2"
    assert [(clip.recording, clip.sides["xsub"]) for clip in clips.values()] == [(101, 0), (101, 0), (102, 1), (102, 1)]
    assert {clip.label for clip in clips.values()} == {13}
    assert dropped == []


def test_both_phases_in_one_folder_are_told_apart_on_request(tmp_path):
    pku_folder(tmp_path, {name: (walking(9), [(1, 0, 9)]) for name in ("0002-L", "A01N01-L")})
    with pytest.raises(BadInput, match="videos of phase 1 and of phase 2; choose with --set phase=1 or 2"):
        read(tmp_path)
    assert [clip.clip_name for clip in read(tmp_path, phase=1).clips] == ["0002-L-001"]
    assert [clip.clip_name for clip in read(tmp_path, phase=2).clips] == ["A01N01-L-001"]


def test_folders_may_be_named_and_may_be_archives(tmp_path):
    joints, segments = walking(20), [(5, 1, 19)]
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "0002-L.txt").write_text(skeleton_text(joints))
    with zipfile.ZipFile(tmp_path / "actions.zip", "w") as archive:
        archive.writestr("final/0002-L.txt", label_text(segments))
    with pytest.raises(BadInput, match=r"both are of 0002-L; name the folder of the skeletons with --set skeletons="):
        read(tmp_path)
    (clip,) = read(tmp_path, skeletons="text", labels="actions.zip").clips
    np.testing.assert_array_equal(clip.joints, joints[:, 1:19])
    with pytest.raises(BadInput, match=r"no \.txt file below 'txet', which --set skeletons= names"):
        read(tmp_path, skeletons="txet")


def test_whole_videos_need_no_labels(tmp_path):
    joints = walking(400, bodies=2)
    pku_folder(tmp_path, {"0002-L": (joints, [])}, labels=False, train=["0002-L"])
    found = read(tmp_path, whole_videos=True)
    (clip,) = found.clips
    assert (found.name, found.classes, clip.clip_name, clip.label) == ("pkummd1-untrimmed", ("untrimmed",), "0002-L", 0)
    assert clip.sides == {"xsub": TRAIN}
    np.testing.assert_array_equal(clip.joints, joints)


def test_what_the_lists_and_labels_speak_of_but_is_not_there_is_reported(tmp_path):
    pku_folder(tmp_path, {"0002-L": (walking(9), [(1, 0, 9)])}, train=["0002-L", "0006-L"], test=["0003-L"])
    (tmp_path / "label" / "0004-L.txt").write_text(label_text([(1, 0, 9)]))
    found = read(tmp_path)
    clips, _, dropped = everything(found)
    assert list(clips) == ["0002-L-001"]
    assert dropped == [
        ("0003-L", "a split names it, but it has no skeleton file"),
        ("0004-L", "it has a label file, but no skeleton file"),
        ("0006-L", "a split names it, but it has no skeleton file"),
    ]


def test_a_video_without_a_label_file_is_one_error_among_the_others(tmp_path):
    pku_folder(tmp_path, {name: (walking(9), [(1, 0, 9)]) for name in ("0002-L", "0003-L")})
    (tmp_path / "label" / "0002-L.txt").unlink()
    found = read(tmp_path)
    first, second = found.read(found.parts)
    assert "skeleton/0002-L.txt: no label file 0002-L.txt; others are, such as" in first.error
    assert [clip.clip_name for clip in second.clips] == ["0003-L-001"]


def test_an_import_that_goes_on_notices_a_changed_label_file(tmp_path):
    pku_folder(tmp_path, {"0002-L": (walking(9), [(1, 0, 9)])}, train=["0002-L"])
    before = read(tmp_path).stamp("0002-L")
    (tmp_path / "label" / "0002-L.txt").write_text(label_text([(1, 0, 8), (2, 8, 9)]))
    between = read(tmp_path).stamp("0002-L")
    (tmp_path / "cross_subject.txt").write_text(split_text(["0002-L", "0003-L"]))
    assert len({before, between, read(tmp_path).stamp("0002-L")}) == 3


def test_the_real_video(shared_data, tmp_path):
    folder = shared_data / "samples" / "pku_mmd"
    (whole,) = read(folder, whole_videos=True).clips
    assert whole.joints.shape == (2, 1040, 25, 3)
    assert (whole.clip_name, whole.camera, whole.recording) == ("A10N08-L", 1, 1008)
    np.testing.assert_allclose(whole.joints[0, 0, 0], [-0.304560, 0.212575, 2.728912], atol=1e-6)
    height = whole.joints[0, :, 3, 1] - whole.joints[0, :, 15, 1]  # head over foot
    assert 1 < np.median(height) < 2
    with pytest.raises(BadInput, match="no label files: put them into a folder named label"):
        read(folder)
    for place in ("skeleton", "label"):
        (tmp_path / place).mkdir()
    (tmp_path / "skeleton" / "A10N08-L.txt").symlink_to(folder / "A10N08-L.txt")
    (tmp_path / "label" / "A10N08-L.txt").write_text(label_text([(22, 10, 110), (3, 500, 1040)]))
    (tmp_path / "cross_subject_v2.txt").write_text(split_text(["A10N08-L"]))
    found = read(tmp_path)
    store.write(tmp_path / "pku.arrow", found.clips, found.skeleton, found.name, found.classes, found.transforms)
    opened = store.open(tmp_path / "pku.arrow")
    assert [found.classes[label] for label in opened.label] == ["pickup", "brushing teeth"]
    assert opened.frames.tolist() == [100, 300]
    assert opened.sides["xsub"].tolist() == [TRAIN, TRAIN]
    np.testing.assert_array_equal(opened.joints(0)[0], whole.joints[0, 10:110])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    joints=st.tuples(st.integers(1, 2), st.integers(1, 4)).flatmap(
        lambda shape: arrays(np.float32, (*shape, 25, 3), elements=st.floats(-9, 9, width=32))
    ),
    action=st.integers(1, 51),
    video=st.sampled_from(["0002-L", "1234-M", "A01N01-R"]),
)
def test_what_is_written_is_what_is_read(tmp_path, joints, action, video):
    joints[:, 0, 0, 0] = 1  # nobody is absent
    frames = joints.shape[1]
    folder = pku_folder(tmp_path / "one", {video: (joints, [(action, 0, frames)])})
    (clip,) = read(folder).clips
    for place in ("skeleton", "label"):
        (folder / place / f"{video}.txt").unlink()
    assert (clip.clip_name, clip.label) == (f"{video}-001", action - 1)
    np.testing.assert_array_equal(clip.joints, joints)

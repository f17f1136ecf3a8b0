"""The reader of raw NTU files: real ones, written ones, damaged ones; folders and archives; 60 and 120."""

import zipfile

import mutated
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from written_ntu import person, text, tracks, write

from skelray.data import importing, readers, store
from skelray.data.ntu import names
from skelray.data.ntu.denoise import motion
from skelray.data.readers import ntu_skeleton
from skelray.data.readers.ntu_skeleton import Options, read
from skelray.errors import BadInput

FRAMES = {  # of each real file, as its first line says
    "S001C001P001R001A001": 103,
    "S001C001P001R001A002": 158,
    "S001C001P001R001A003": 104,
    "S001C001P001R001A004": 99,
    "S001C001P001R001A005": 54,
    "S001C001P001R001A011": 82,
    "S001C001P003R002A005": 68,
    "S001C001P004R001A017": 97,
    "S001C003P008R002A058": 70,
    "S002C001P003R001A003": 100,
    "S003C001P015R001A034": 71,
    "S004C002P003R001A017": 124,
}
GHOST = "S001C001P003R002A005"  # two body numbers, one of which is too wide to stand
TWO = "S001C003P008R002A058"
SPINE = 1


@pytest.fixture(scope="module")
def real(shared_data):
    return shared_data / "samples" / "ntu_raw"


def test_every_real_file_is_imported(real, tmp_path):
    found = read(real)
    report = importing.run(found, tmp_path / "a.arrow", source="real", about={})
    made = store.open(tmp_path / "a.arrow")
    assert dict(zip(made.clip_name, made.frames, strict=True)) == FRAMES
    assert dict(zip(made.clip_name, made.bodies, strict=True)) == {name: 1 + (name == TWO) for name in FRAMES}
    assert made.name == "ntu60"
    assert [made.classes[label] for label in made.label] == [name[-4:] for name in FRAMES]
    assert list(made.subject) == [int(name[9:12]) for name in FRAMES]
    assert list(made.camera) == [int(name[5:8]) for name in FRAMES]
    assert list(made.setup) == [int(name[1:4]) for name in FRAMES]
    assert list(made.replication) == [int(name[13:16]) for name in FRAMES]
    assert report.counts == {"bodies too wide in 69.754 % of their frames left out": 1}
    assert (report.dropped, report.skipped) == ([], [])
    assert made.transforms == ("bodies: as the released NTU preparation", "origin: first-frame mid-spine")


def test_the_origin_of_a_real_clip_is_its_first_mid_spine_and_nothing_is_turned(real):
    raw = {clip.clip_name: clip.joints for clip in read(real).aligned([]).clips}
    for clip in read(real).clips:
        assert not clip.joints[0, 0, SPINE].any()
        origin = raw[clip.clip_name][0, 0, SPINE]
        np.testing.assert_allclose(clip.joints + origin, raw[clip.clip_name], atol=1e-6)
        height = np.ptp(clip.joints[0, 0, :, 1])
        assert 0.8 < height < 2  # metres, upright


def test_the_second_body_of_a_real_clip_is_a_ghost_that_only_a_rule_removes(real):
    kept = {clip.clip_name: clip for clip in read(real, Options(spread_rule=False)).clips}
    assert kept[GHOST].joints.shape == (2, 68, 25, 3)
    ghost = kept[GHOST].joints[1] if np.ptp(kept[GHOST].joints[0, 0, :, 1]) > 0.8 else kept[GHOST].joints[0]
    extent = np.ptp(ghost, axis=1)
    assert np.mean(extent[:, 0] > 0.8 * extent[:, 1]) >= 0.69754


def test_the_real_clips_agree_with_their_annotations_in_pickled_form(real, shared_data):
    pyskl = readers.load("pyskl")
    source = shared_data / "samples" / "pyskl" / "ntu_raw12_pyskl_style.pkl"
    theirs = {clip.clip_name: clip for clip in pyskl.read(source, pyskl.Options(allow_pickle=True)).aligned([]).clips}
    ours = {clip.clip_name: clip for clip in read(real, Options(spread_rule=False)).aligned([]).clips}
    assert set(ours) == set(theirs) == set(FRAMES)
    for name, clip in ours.items():
        other = theirs[name]
        assert (clip.label, clip.subject, clip.camera) == (other.label, other.subject, other.camera)
        bodies = sorted(clip.joints, key=lambda body: body.sum())  # theirs are not in the order of their motion
        for one, two in zip(bodies, sorted(other.joints, key=lambda body: body.sum()), strict=True):
            np.testing.assert_allclose(one, two, rtol=2**-10, atol=1e-6)  # theirs are float16


@settings(max_examples=25, deadline=None)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 2), st.integers(12, 16), st.just(25), st.just(3)),
        elements=st.floats(-9, 9, width=32).filter(bool),
        fill=st.floats(1, 9, width=32),
    ),
    st.sampled_from(sorted(names.expected("ntu60"))[::5000]),
)
def test_random_clips_come_back_as_they_were_written(tmp_path_factory, joints, name):
    folder = tmp_path_factory.mktemp("random")
    write(
        folder,
        name,
        tracks(joints.shape[1], **{str(body): (range(joints.shape[1]), own) for body, own in enumerate(joints)}),
    )
    (clip,) = read(folder, Options(spread_rule=False)).aligned([]).clips
    if len(joints) == 2 and motion(joints[1]) > motion(joints[0]):
        joints = joints[::-1]  # actor 1 is who moves more
    np.testing.assert_array_equal(clip.joints, joints)
    found = names.parsed(clip.clip_name)
    assert (clip.label, clip.subject, clip.camera) == (found.action - 1, found.performer, found.camera)
    assert (clip.setup, clip.replication, clip.recording) == (found.setup, found.replication, found.recording)


def made(folder, *clip_names):
    for number, name in enumerate(clip_names):
        write(folder, name, tracks(3, one=(range(3), person(3, number))))
    return folder


def test_the_data_set_is_known_by_its_setups(tmp_path):
    made(tmp_path, "S001C001P001R001A001", "S017C003P020R002A060")
    assert (read(tmp_path).name, len(read(tmp_path).classes)) == ("ntu60", 60)
    made(tmp_path, "S018C001P041R001A061")
    found = read(tmp_path)
    assert (found.name, len(found.classes), len(found.parts)) == ("ntu120", 120, 3)
    assert [clip.label for clip in found.clips] == [0, 59, 60]
    found = read(tmp_path, Options(dataset="ntu60"))
    assert (found.name, len(found.classes), len(found.parts)) == ("ntu60", 60, 2)
    (tmp_path / "S001C001P001R001A001.skeleton").unlink()
    (tmp_path / "S017C003P020R002A060.skeleton").unlink()
    with pytest.raises(BadInput, match="ntu60 has setups 1 to 17, and no file is of these; ntu120 has 1 to 32"):
        read(tmp_path, Options(dataset="ntu60"))


def test_a_single_body_is_absent_in_60_and_doubled_in_120_unless_asked(tmp_path):
    made(tmp_path, "S001C001P001R001A001")

    def bodies(**options):
        (clip,) = read(tmp_path, Options(**options)).clips
        assert len(clip.joints) == 1 or np.array_equal(*clip.joints)
        return len(clip.joints)

    assert bodies() == bodies(dataset="ntu60") == 1
    assert bodies(dataset="ntu120") == bodies(dataset="ntu60", second_body="duplicate") == 2
    assert bodies(dataset="ntu120", second_body="absent") == 1


def test_clips_on_the_list_of_missing_skeletons_are_left_out_unread(tmp_path):
    made(tmp_path, "S001C001P001R001A001")
    (tmp_path / "S001C002P005R002A008.skeleton").write_bytes(b"no skeleton at all")
    (tmp_path / "S018C001P041R001A061.skeleton").write_bytes(text([[], []]))
    loaded = list(read(tmp_path).read(read(tmp_path).parts))
    assert loaded[1].dropped == [("S001C002P005R002A008", "on the owners' list of missing skeletons")]
    assert loaded[2].dropped == [("S018C001P041R001A061", "no frame with a body")]
    loaded = list(read(tmp_path, Options(drop_missing=False)).read(read(tmp_path).parts))
    assert "S001C002P005R002A008.skeleton:1: " in loaded[1].error


def test_archives_are_read_as_they_were_downloaded(tmp_path):
    three = ["S001C001P001R001A001", "S018C001P041R001A061", "S002C001P001R001A002"]
    plain = made(tmp_path, *three)
    expected = {clip.clip_name: clip for clip in read(plain).clips}
    archives = tmp_path / "archives"
    archives.mkdir()
    for archive, inside, own in (("s001.zip", "", three[:1]), ("s018.zip", "nturgb+d_skeletons/", three[1:])):
        with zipfile.ZipFile(archives / archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in own:
                packed.write(plain / f"{name}.skeleton", f"{inside}{name}.skeleton")
    found = list(read(archives).clips)
    assert [clip.clip_name for clip in found] == sorted(three)  # in the order of names, not of archives
    for clip in found:
        np.testing.assert_array_equal(clip.joints, expected[clip.clip_name].joints)
        assert (clip.setup, clip.recording) == (expected[clip.clip_name].setup, expected[clip.clip_name].recording)
    assert [clip.clip_name for clip in read(archives / "s018.zip").clips] == sorted(three[1:])


def test_a_clip_that_is_there_twice_is_refused(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        made(tmp_path / folder, "S001C001P001R001A001")
    with pytest.raises(BadInput, match=r"S001C001P001R001A001 is there twice, as first/.* and second/"):
        read(tmp_path)


def test_a_source_without_files_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no folder or archive with files named like S001.*\.skeleton"):
        read(tmp_path)
    with pytest.raises(BadInput, match="missing: neither a folder nor a whole zip archive"):
        read(tmp_path / "missing")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("holiday", {}, "'holiday' is not a name like S001C002P003R002A013"),
        ("S001C001P001R001A121", {}, "names action 121; there are 1 to 120"),
        ("S001C001P001R001A061", {}, "action 61, but ntu60 has 1 to 60"),
    ],
)
def test_a_wrong_name_is_one_bad_part(tmp_path, name, options, message):
    made(tmp_path, "S001C001P001R001A001", name)
    found = read(tmp_path, Options(**options))
    errors = [loaded.error for loaded in found.read(found.parts)]
    assert len(errors) == 2
    assert sum(message in error and f"{name}.skeleton: " in error for error in errors) == 1
    assert errors.count("") == 1


def test_departures_from_the_release_are_noted_in_the_store(tmp_path):
    found = read(made(tmp_path, "S001C001P001R001A001"), Options(spread_rule=False, second_body="absent"))
    assert found.notes == ("bodies: as the released NTU preparation, but spread_rule = False, second_body = absent",)
    assert "not to be passed on" in found.licence
    assert (found.units, found.frame_rate, found.steps) == ("metres", 30.0, ("spine_origin",))


def test_two_hundred_damaged_files_give_sentences_or_clips(tmp_path):
    frames = tracks(14, one=(range(14), person(14)), two=([2, 3, *range(5, 14)], person(11, 1)))
    content, clips = text(frames), 0
    for damaged in mutated.copies(content, 200, separators=(b"\n", b" ")):
        (tmp_path / "S001C001P001R001A001.skeleton").write_bytes(damaged)
        clips += mutated.survivors(lambda: read(tmp_path))
    assert 0 < clips < 100


def test_a_file_larger_than_any_real_one_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(ntu_skeleton, "LARGEST", 1000)
    found = read(made(tmp_path, "S001C001P001R001A001"))
    (loaded,) = found.read(found.parts)
    assert "larger than 1,000 bytes" in loaded.error


def test_a_missing_body_is_zeros_in_its_frames_after_the_move(tmp_path):
    write(tmp_path, TWO, tracks(30, one=(range(30), person(30)), two=(range(10, 25), person(15, 1, x=1))))
    (clip,) = read(tmp_path).clips
    seen = clip.joints.any((2, 3))
    assert seen.sum(1).tolist() in ([30, 15], [15, 30])
    assert not clip.joints[~seen].any()

"""Skeletons of one's own: every form of a file gives exactly the clips that were written into it."""

import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_generic import (
    AXES,
    FIVE,
    NAMED,
    arranged,
    array_bytes,
    csv_text,
    described_in,
    three_people,
    walk,
)

from skelray import skeletons
from skelray.data import readers
from skelray.data.generic import finish

GENERIC = readers.load("generic")
ORDERS = ("T V C", "M T V C", "T M V C", "C T V M", "T VC", "T MVC", "C V T", "M T VC", "T V 1 C")
ONE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv"])
def test_a_folder_gives_its_clips_with_all_that_the_names_tell(tmp_path, ending):
    written = three_people(tmp_path, ending, frame_rate=30, licence="Mine; ask me.")
    found = GENERIC.read(tmp_path)
    clips = {clip.clip_name: clip for clip in found.clips}
    assert (found.name, found.classes, found.frame_rate, found.units) == ("mine", ("wave", "clap"), 30, "metres")
    assert found.licence == "Mine; ask me."
    assert found.transforms == ()
    assert list(clips) == sorted(written)
    for name, joints in written.items():
        clip = clips[name]
        np.testing.assert_array_equal(clip.joints, joints)
        assert (clip.label, clip.subject, clip.replication) == (int("clap" in name), int(name[2]), 1)
        assert (clip.camera, clip.setup, clip.recording, dict(clip.sides)) == (-1, -1, -1, {})


def test_the_layout_is_what_was_described(tmp_path):
    three_people(tmp_path)
    body = GENERIC.read(tmp_path).skeleton
    assert (body.name, body.joints, body.parents) == ("mine", FIVE, (0, 0, 1, 1, 1))
    assert (body.mirror, body.parts["trunk"], body.channels) == (((2, 3),), (0, 1, 4), 3)


def test_a_layout_by_name_may_have_fewer_dimensions(tmp_path):
    flat = {"layout": "kinect20", "dimensions": 2, "joints": None, "bones": None, "mirror": None, "parts": None}
    described_in(tmp_path, classes=["wave"], **flat)
    joints = walk(joints=20, channels=2)
    (tmp_path / "s01_wave_1.npy").write_bytes(array_bytes(joints[0]))
    found = GENERIC.read(tmp_path)
    assert found.skeleton.channels == 2
    assert found.skeleton.joints == skeletons.layout("kinect20").joints
    np.testing.assert_array_equal(next(found.clips).joints, joints)


bodies_of = {"bodies": st.integers(1, 3), "frames": st.integers(1, 6), "channels": st.sampled_from([2, 3])}


@ONE
@given(st.data(), st.sampled_from(ORDERS), st.sampled_from([".npy", ".npz"]), st.booleans())
def test_arrays_in_any_order_of_axes_come_back(tmp_path_factory, data, axes, ending, columns_first):
    draw = {key: data.draw(strategy) for key, strategy in bodies_of.items()}
    if "M" not in axes:
        draw["bodies"] = 1
    joints = walk(seed=data.draw(st.integers(0, 99)), **draw)
    folder = described_in(
        tmp_path_factory.mktemp("set"),
        files=f"*{ending}",
        array={"axes": axes},
        classes=["wave"],
        dimensions=draw["channels"],
    )
    array = arranged(joints, axes)
    array = np.asfortranarray(array) if columns_first else array
    (folder / f"s01_wave_1{ending}").write_bytes(array_bytes(array, ending))
    (clip,) = GENERIC.read(folder).clips
    np.testing.assert_array_equal(clip.joints, joints)


@ONE
@given(
    st.data(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["{joint}_{axis}", "{axis}{number}", ""]),
    st.sampled_from(",;\t"),
)
def test_tables_of_any_form_come_back(tmp_path_factory, data, header, told, columns, separator):
    """Bodies that come and go are zeros where they are not; each is there in the first frame."""
    draw = {key: data.draw(strategy) for key, strategy in bodies_of.items()}
    if not told:
        draw["bodies"] = 1
    joints = walk(seed=data.draw(st.integers(0, 99)), **draw)
    for body in range(1, draw["bodies"]):
        for frame in range(1, draw["frames"]):
            joints[body, frame] *= data.draw(st.booleans())
    form = {"frame": "0", "body": "1", "timestamp": "2"} if not header else {}
    form = form or {"frame": "moment", "body": "who", "timestamp": "at"}
    csv = {"header": header, "separator": separator} | (form if told else {})
    csv |= {"columns": columns} if header and columns else {}
    folder = described_in(
        tmp_path_factory.mktemp("set"), files="*.csv", csv=csv, classes=["wave"], dimensions=draw["channels"]
    )
    special = {"frame": "moment", "body": "who", "time": "at"} if told else {}
    text = csv_text(joints, FIVE, columns or "c{number}{axis}", header, separator=separator, **special)
    (folder / "s01_wave_1.csv").write_text(text, newline="")
    (clip,) = GENERIC.read(folder).clips
    np.testing.assert_array_equal(clip.joints, joints)


@ONE
@given(
    st.sampled_from(["metres", "centimetres", "millimetres", "other"]),
    st.sampled_from(sorted(finish.TURNS)),
    st.sampled_from([2, 3]),
    st.integers(0, 99),
)
def test_units_and_up_give_metres_with_y_up(tmp_path_factory, units, up, channels, seed):
    """Written in a unit and turned so that another axis points up, bodies come back as they stand."""
    if channels == 2 and up[-1] == "z":
        return
    joints = walk(channels=channels, seed=seed)
    sign, axis = -1 if up.startswith("-") else 1, AXES.index(up[-1])
    factor = {"metres": 1.0, "centimetres": 0.01, "millimetres": 0.001, "other": 0.0254}[units]
    extra = {"factor": 0.0254} if units == "other" else {}
    folder = described_in(
        tmp_path_factory.mktemp("set"), units=units, up=up, classes=["wave"], dimensions=channels, **extra
    )
    (folder / "s01_wave_1.npy").write_bytes(array_bytes(joints[0] / factor))
    found = GENERIC.read(folder)
    (clip,) = found.clips
    np.testing.assert_allclose(clip.joints[..., 1], sign * joints[..., axis], rtol=1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(clip.joints[..., 1:, :] - clip.joints[..., :1, :], axis=-1),
        np.linalg.norm(joints[..., 1:, :] - joints[..., :1, :], axis=-1),
        rtol=1e-4,
    )
    said = " ".join(found.transforms)
    assert ("times" in said) == (units != "metres")
    assert ("turned so that y is up" in said) == (up != "y")


@pytest.mark.parametrize("up", sorted(finish.TURNS))
def test_turning_is_no_mirror(up):
    turn = np.zeros((3, 3))
    for new, (axis, sign) in enumerate(finish.TURNS[up]):
        turn[new, axis] = sign
    assert np.linalg.det(turn) == 1


def test_pixels_become_the_image_from_minus_one_to_one_with_y_up(tmp_path):
    described_in(tmp_path, units="pixels", image=[640, 480], dimensions=2, classes=["wave"], array={"pick": [0, 1]})
    points = np.array([[0, 0], [640, 480], [320, 240], [480, 0], [320, 480]], float)
    scored = np.concatenate([points, np.full((5, 1), 0.9)], 1)
    (tmp_path / "s01_wave_1.npy").write_bytes(array_bytes(scored[None]))
    found = GENERIC.read(tmp_path)
    (clip,) = found.clips
    np.testing.assert_allclose(clip.joints[0, 0], [[-1, 1], [1, -1], [0, 0], [0.5, 1], [0, -1]], atol=1e-7)
    assert found.units == "half image widths and heights"
    assert "pixels of 640 x 480" in found.transforms[0]


def test_whole_numbers_are_read_as_well(tmp_path):
    described_in(tmp_path, units="millimetres", classes=["wave"])
    joints = np.arange(1, 31, dtype=np.int16).reshape(2, 5, 3)
    (tmp_path / "s01_wave_1.npy").write_bytes(array_bytes(joints))
    (clip,) = GENERIC.read(tmp_path).clips
    np.testing.assert_allclose(clip.joints[0], joints / 1000, rtol=1e-6)


def test_one_array_of_several_is_read_by_its_name(tmp_path):
    described_in(tmp_path, files="*.npz", array={"key": "world"}, classes=["wave"])
    joints = walk()
    np.savez(tmp_path / "s01_wave_1.npz", world=joints[0], image=joints[0, ..., :2], meta=np.array(None, object))
    (clip,) = GENERIC.read(tmp_path).clips
    np.testing.assert_array_equal(clip.joints, joints)


@pytest.mark.parametrize("inside", ["", "mine/"])
def test_an_archive_is_read_like_a_folder(tmp_path, inside):
    written = three_people(tmp_path / "folder", ".npz")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in (tmp_path / "folder").iterdir():
            archive.write(path, f"{inside}{path.name}")
    clips = {clip.clip_name: clip.joints for clip in GENERIC.read(tmp_path / "set.zip").clips}
    assert sorted(clips) == sorted(written)
    for name, joints in written.items():
        np.testing.assert_array_equal(clips[name], joints)


def test_the_description_may_lie_elsewhere_and_files_in_folders(tmp_path):
    written = three_people(tmp_path / "set" / "raw", from_names=NAMED | {"pattern": f"raw/{NAMED['pattern']}"})
    (tmp_path / "set" / "raw" / "skeletons.yaml").rename(tmp_path / "elsewhere.yaml")
    options = GENERIC.Options(description=str(tmp_path / "elsewhere.yaml"))
    assert [clip.clip_name for clip in GENERIC.read(tmp_path / "set", options).clips] == [
        f"raw/{name}" for name in sorted(written)
    ]


def test_a_part_can_be_read_in_another_process_and_changes_with_the_description(tmp_path):
    three_people(tmp_path)
    found = GENERIC.read(tmp_path)
    (loaded,) = pickle.loads(pickle.dumps(found.load))(found.parts[:1])
    assert loaded.clips[0].clip_name == "s01_clap_1"
    described_in(tmp_path, classes=["clap", "wave"])
    again = GENERIC.read(tmp_path)
    assert again.parts == found.parts
    assert again.stamp(found.parts[0]) != found.stamp(found.parts[0])
    code = "import sys; from pathlib import Path; from skelray.data import readers; "
    code += f"readers.load('generic').read(Path({str(tmp_path)!r}))"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "pyarrow", "pandas", "scipy"} & set(loaded)

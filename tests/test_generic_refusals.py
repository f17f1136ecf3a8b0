"""What is no clip of one's own is refused: by file, by line, by what would be right."""

import io
import zipfile

import numpy as np
import pytest
from mutated import copies, survivors
from mutated_bytes import mutated
from written_generic import array_bytes, csv_text, described_in, three_people, walk

from skelray.data import readers
from skelray.errors import BadInput

GENERIC = readers.load("generic")
HEADER = "hip_x,hip_y,hip_z,chest_x,chest_y,chest_z,hand_left_x,hand_left_y,hand_left_z,"
HEADER += "hand_right_x,hand_right_y,hand_right_z,head_x,head_y,head_z"
ROW = ",".join(["1.5"] * 15)


def told(folder, content, ending, **changes):
    """What reading one clip says."""
    described_in(folder, classes=["wave"], files=f"*{ending}", **changes)
    (folder / f"s01_wave_1{ending}").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput) as error:
        list(GENERIC.read(folder).clips)
    return str(error.value)


@pytest.mark.parametrize(
    ("lines", "csv", "message"),
    [
        ([HEADER, ROW, ROW + ",1"], {}, "csv:3: 16 cells, not 15"),
        ([HEADER, ROW, ROW.replace("1.5", "x", 1)], {}, "csv:3: cell 1 is 'x', which is no number"),
        ([HEADER, ROW.replace("1.5", "inf", 1)], {}, "csv:2: cell 1 is 'inf'"),
        ([HEADER, ROW.replace("1.5", "1e39", 1)], {}, "csv:2: cell 1 is '1e39'"),
        ([HEADER, ROW.replace("1.5", "1_0", 1)], {}, "csv:2: cell 1 is '1_0'"),
        ([HEADER, ROW.replace("1.5", "\u0663", 1)], {}, "csv:2: cell 1 is '\u0663'"),
        ([HEADER, ROW, "", ROW], {}, "csv:3: an empty line between others"),
        ([HEADER], {}, "csv: no frame"),
        ([""], {}, "csv:1: 0 columns of coordinates, not 15 (5 joints x 3)"),
        ([ROW, ROW], {"header": False, "frame": "0"}, "csv:1: 14 columns of coordinates, not 15"),
        ([ROW, ROW], {"header": False, "frame": "15"}, "csv:1: 15 cells, but csv.frame is column 15"),
        ([HEADER + ',"', ROW], {}, "csv:"),
        ([HEADER, ROW], {"columns": "{joint}.{axis}"}, "csv:1: no column 'hip.x'; did you mean \"hip_x\"?"),
        ([HEADER + ",hip_x", ROW], {"columns": "{joint}_{axis}"}, "csv:1: the column 'hip_x' is there 2 times"),
        ([f"f,{HEADER}", f"1,{ROW}", f"0,{ROW}"], {"frame": "f"}, "csv:3: frame 0 comes after frame 1"),
        (
            [f"f,{HEADER}", f"1,{ROW}", f"1,{ROW}"],
            {"frame": "f"},
            "csv:3: frame 1 is there already, on line 2; csv.body",
        ),
        ([f"f,{HEADER}", f"1.5,{ROW}"], {"frame": "f"}, "csv:2: the number of the frame is '1.5'"),
        ([f"f,{HEADER}", f"1,{ROW}", f"999999999999,{ROW}"], {"frame": "f"}, "frames 1 to 999999999999, but only 2"),
        ([f"f,{HEADER}", f"1,{ROW}"], {"frame": "g"}, "csv:1: no column 'g'"),
        ([f"t,{HEADER}", f"1,{ROW}", f"1,{ROW}"], {"timestamp": "t"}, "csv:3: the time 1 s does not come after 1 s"),
        ([f"t,{HEADER}", f",{ROW}"], {"timestamp": "t"}, "csv:2: no time; a value in the column 't' is due"),
        ([f"t,{HEADER}", f"now,{ROW}"], {"timestamp": "t"}, "csv:2: the time is 'now', which is no number"),
    ],
)
def test_a_bad_table_is_told_with_its_line(tmp_path, lines, csv, message):
    assert message in told(tmp_path, "\n".join(lines), ".csv", csv=csv)


def test_a_column_that_tells_no_bodies_apart_is_noticed(tmp_path):
    lines = [f"f,b,{HEADER}", *(f"{n},{n},{ROW}" for n in range(30))]
    message = told(tmp_path, "\n".join(lines), ".csv", csv={"frame": "f", "body": "b"})
    assert "csv:22: more than 20 bodies; is 'b' the column of the body?" in message


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path):
    assert "csv:2: not text (byte" in told(tmp_path, HEADER.encode() + b"\n\xff\xfe", ".csv")


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((4, 6, 3), "T V C", "the axis V has the length 6, not 5 (5 joints)"),
        ((4, 5, 2), "T V C", "the axis C has the length 2, not 3 (3 coordinates)"),
        ((4, 5), "T V C", "2 axes [4, 5], but array.axes names 3"),
        ((4, 16), "T VC", "the axis VC has the length 16, not 15 (5 joints x 3 coordinates)"),
        ((4, 16), "T MVC", "the axis MVC has the length 16, not a multiple of 15 (5 joints x 3 coordinates)"),
        ((2, 4, 5, 3), "1 T V C", "the axis 1 has the length 2, not 1 (1 one)"),
    ],
)
def test_an_array_of_another_shape_is_told(tmp_path, shape, axes, message):
    content = array_bytes(np.ones(shape, np.float32))
    assert f"s01_wave_1.npy: {message}" in told(tmp_path, content, ".npy", array={"axes": axes})


@pytest.mark.parametrize(
    "array", [np.full((4, 5, 3), None), np.ones((4, 5, 3), complex), np.ones((4, 5, 3), bool), np.full((4, 5, 3), "1")]
)
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_what_is_not_numbers_is_refused(tmp_path, array, ending):
    assert "must hold plain numbers, not " in told(tmp_path, array_bytes(array, ending), ending)


def test_a_header_that_claims_more_than_there_is_is_refused_before_anything_is_allocated(tmp_path):
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**13, 5, 3)}
    np.lib.format.write_array_header_1_0(file, header)
    content = file.getvalue() + b"\0" * 60
    assert "shape [10000000000000, 5, 3] of float32, but 60 bytes follow" in told(tmp_path, content, ".npy")


def test_zip_bombs_are_refused(tmp_path):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("joints.npy", "w") as member:
        for _ in range(600):
            member.write(b"\0" * (1 << 20))
    assert "would unpack to 629,145,600 bytes" in told(tmp_path, bomb.getvalue(), ".npz")


@pytest.mark.parametrize(
    ("key", "arrays", "message"),
    [
        ("", ("a", "b"), "holds 2 arrays (a, b); say array.key"),
        ("", (), "holds 0 arrays"),
        ("joint", ("joints", "b"), "no array 'joint'; did you mean \"joints\"? (there are joints, b)"),
    ],
)
def test_the_array_that_is_meant_must_be_clear(tmp_path, key, arrays, message):
    file = io.BytesIO()
    np.savez(file, **{name: walk()[0] for name in arrays})
    assert message in told(tmp_path, file.getvalue(), ".npz", array={"key": key})


def test_more_is_picked_than_a_joint_has(tmp_path):
    content = array_bytes(np.ones((4, 5, 3), np.float32))
    assert "a joint has 3 numbers; array.pick asks for number 3" in told(
        tmp_path, content, ".npy", array={"pick": [0, 1, 3]}
    )


@pytest.mark.parametrize("form", ["plain", "full"])
def test_damaged_tables_give_a_sentence_or_clips(tmp_path, form):
    """Two hundred copies of a table, damaged in four ways: cut, bytes changed, lines moved, odd cells."""
    full = {"frame": "f", "body": "b", "timestamp": "t", "columns": "{joint}_{axis}"}
    described_in(tmp_path, classes=["wave"], files="*.csv", csv=full if form == "full" else {})
    joints = walk(bodies=2 if form == "full" else 1)
    special = {"frame": "f", "body": "b", "time": "t"} if form == "full" else {}
    content = csv_text(joints, **special).encode()
    clips = 0
    for damaged in copies(content, separators=(b"\n", b",")):
        (tmp_path / "s01_wave_1.csv").write_bytes(damaged)
        clips += survivors(lambda: GENERIC.read(tmp_path))
    assert 0 < clips < 150


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_damaged_arrays_give_a_sentence_or_clips(tmp_path, ending):
    described_in(tmp_path, classes=["wave"], files=f"*{ending}")
    content, random, clips = array_bytes(walk()[0], ending), np.random.default_rng(0), 0
    for _ in range(200):
        (tmp_path / f"s01_wave_1{ending}").write_bytes(mutated(content, random, marks=(b"\x93NUMPY", b"PK")))
        clips += survivors(lambda: GENERIC.read(tmp_path))
    assert clips < 200


def test_damaged_descriptions_give_sentences_or_clips(tmp_path):
    """Whatever a description says, it ends in BadInput or in clips that a store takes."""
    splits = {"xsub": {"by": "subject", "train": [1, 2]}, "part": {"by": "clip", "test_share": 0.25}}
    three_people(tmp_path, splits=splits, frame_rate=30, missing="zero", up="z", trim=True, steps=[])
    content = (tmp_path / "skeletons.yaml").read_bytes()
    clips, told = 0, []
    for damaged in copies(content, separators=(b"\n", b" ", b":")):
        (tmp_path / "skeletons.yaml").write_bytes(damaged)
        try:
            clips += len(list(GENERIC.read(tmp_path).clips))
        except BadInput as error:
            told.append(str(error))
    assert 0 < clips < 6 * 150
    assert all("skeletons.yaml" in message or ".npy" in message for message in told)

"""The store: what is written comes back, nothing is copied, and a damaged file is never opened."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tiny_store import CLASSES, tiny_clips, tiny_store

from skelray import skeletons
from skelray.data import store
from skelray.errors import BadInput

KINECT20 = skeletons.layout("kinect20")


def test_what_is_written_comes_back(tmp_path):
    clips = tiny_clips()
    opened = tiny_store(tmp_path / "a.arrow", clips)
    assert opened.clips == len(clips)
    assert (opened.name, opened.classes, opened.transforms) == ("nw-ucla", CLASSES, ("as drawn",))
    assert opened.skeleton == KINECT20
    for number, clip in enumerate(clips):
        np.testing.assert_array_equal(opened.joints(number), clip.joints)
        assert opened.clip_name[number] == clip.clip_name
        assert (opened.bodies[number], opened.frames[number]) == clip.joints.shape[:2]
        for column in ("label", "subject", "camera", "setup", "replication", "recording"):
            assert getattr(opened, column)[number] == getattr(clip, column)
    opened.verify()


def test_bodies_lie_one_after_the_other(tmp_path):
    clips = tiny_clips()
    opened = tiny_store(tmp_path / "a.arrow", clips)
    number = next(i for i, clip in enumerate(clips) if len(clip.joints) == 2 and i)
    start, frames = opened.offset[number], opened.frames[number]
    np.testing.assert_array_equal(opened.rows[start + frames : start + 2 * frames], clips[number].joints[1])


def test_equal_digests_mean_equal_coordinates(tmp_path):
    opened = tiny_store(tmp_path / "a.arrow")
    copies = np.flatnonzero((opened.label == 2) & (opened.camera == 3))
    assert len(copies) == 6
    assert (opened.digest[copies] == opened.digest[copies - 1]).all()
    assert len(np.unique(opened.digest)) == opened.clips - len(copies)


def test_same_shape_of_memory_but_other_bodies_is_no_copy(tmp_path):
    clip = tiny_clips()[1]
    joints = np.zeros((1, 4, 20, 3), np.float32)
    clips = [replace(clip, joints=joints), replace(clip, joints=joints.reshape(2, 2, 20, 3))]
    digests = tiny_store(tmp_path / "a.arrow", clips).digest
    assert digests[0] != digests[1]


def test_opening_copies_nothing(tmp_path):
    clips = [replace(clip, joints=np.repeat(clip.joints, 300, 1)) for clip in tiny_clips()]
    tiny_store(tmp_path / "a.arrow", clips)
    size = (tmp_path / "a.arrow").stat().st_size
    before = pa.total_allocated_bytes()
    opened = store.open(tmp_path / "a.arrow")
    assert pa.total_allocated_bytes() - before < 0.01 * size
    spans = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            if line.rstrip().endswith("/a.arrow"):
                spans.append([int(end, 16) for end in line.split()[0].split("-")])
    for array in (opened.rows, opened.label, opened.offset, opened.digest):
        start = array.__array_interface__["data"][0]
        assert any(low <= start and start + array.nbytes <= high for low, high in spans)
        assert not array.flags.writeable


def test_the_fingerprint_is_of_the_contents_alone(tmp_path):
    clips = tiny_clips()
    first = tiny_store(tmp_path / "a.arrow", clips).fingerprint
    assert len(first) == 64
    assert tiny_store(tmp_path / "elsewhere" / "b.arrow", clips).fingerprint == first
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "elsewhere" / "b.arrow").read_bytes()
    moved = clips[3].joints.copy()
    moved[0, 0, 0, 0] += 1e-4
    for change in ({"label": 1 - clips[3].label}, {"subject": 99}, {"clip_name": "other"}, {"joints": moved}):
        other = [*clips[:3], replace(clips[3], **change), *clips[4:]]
        assert tiny_store(tmp_path / "b.arrow", other).fingerprint != first


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99, 0.9999])
def test_a_truncated_file_is_refused(tmp_path, share):
    tiny_store(tmp_path / "a.arrow")
    whole = (tmp_path / "a.arrow").read_bytes()
    (tmp_path / "a.arrow").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BadInput, match=r"a\.arrow is not a whole skelray store"):
        store.open(tmp_path / "a.arrow")


@pytest.mark.parametrize("place", [0.02, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("change", ["lost", "added"])
def test_bytes_lost_or_added_anywhere_are_noticed(tmp_path, place, change):
    tiny_store(tmp_path / "a.arrow")
    whole = (tmp_path / "a.arrow").read_bytes()
    cut = int(place * len(whole)) // 8 * 8
    altered = whole[:cut] + whole[cut + 8 :] if change == "lost" else whole[:cut] + bytes(8) + whole[cut:]
    (tmp_path / "a.arrow").write_bytes(altered)
    with pytest.raises(BadInput, match="not a whole skelray store"):
        store.open(tmp_path / "a.arrow")


def test_an_altered_label_is_noticed_when_opened_and_an_altered_coordinate_when_verified(tmp_path):
    clips = [replace(clip, subject=123456) for clip in tiny_clips()]
    opened = tiny_store(tmp_path / "a.arrow", clips)
    whole = bytearray((tmp_path / "a.arrow").read_bytes())
    coordinates = whole.find(clips[1].joints.tobytes())
    whole[coordinates] ^= 1
    (tmp_path / "b.arrow").write_bytes(whole)
    altered = store.open(tmp_path / "b.arrow")
    with pytest.raises(BadInput, match=opened.clip_name[1]):
        altered.verify()
    whole[whole.find(np.int32(123456).tobytes())] ^= 1
    (tmp_path / "b.arrow").write_bytes(whole)
    with pytest.raises(BadInput, match="fingerprint does not fit"):
        store.open(tmp_path / "b.arrow")


def test_foreign_files_are_refused(tmp_path):
    (tmp_path / "text.arrow").write_text("label,subject\n1,2\n" * 100)
    with pytest.raises(BadInput, match="not a whole skelray store"):
        store.open(tmp_path / "text.arrow")
    table = pa.table({"label": [1, 2]})
    with pa.OSFile(str(tmp_path / "other.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(BadInput, match="not a skelray store"):
        store.open(tmp_path / "other.arrow")
    with pytest.raises(BadInput, match="no store at"):
        store.open(tmp_path / "missing.arrow")
    with pytest.raises(BadInput, match="no store at"):
        store.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 3}, r"label 3 is not one of 0\.\.2"),
        ({"joints": np.zeros((1, 4, 25, 3), np.float32)}, r"25 joints x 3 coordinates.*kinect20 has 20 x 3"),
        ({"joints": np.zeros((1, 0, 20, 3), np.float32)}, "at least one body and one frame"),
        ({"joints": np.full((1, 4, 20, 3), np.nan, np.float32)}, "frame 0 holds a coordinate that is not finite"),
    ],
)
def test_a_bad_clip_is_named_and_nothing_is_left(tmp_path, change, message):
    clips = tiny_clips()
    clips[7] = replace(clips[7], **change)
    with pytest.raises(BadInput, match=f"{clips[7].clip_name}: .*{message}"):
        tiny_store(tmp_path / "a.arrow", clips)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_store(tmp_path):
    old = tiny_store(tmp_path / "a.arrow").fingerprint
    with pytest.raises(BadInput, match="no clip to store"):
        store.write(tmp_path / "a.arrow", [], KINECT20, "x", CLASSES)
    assert store.open(tmp_path / "a.arrow").fingerprint == old
    assert [path.name for path in tmp_path.iterdir()] == ["a.arrow"]


def test_a_killed_write_leaves_nothing_that_opens(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
from pathlib import Path
from tiny_store import tiny_clips, tiny_store
def endless():
    while True:
        for clip in tiny_clips():
            yield clip
            print("wrote", flush=True)
tiny_store(Path({str(tmp_path)!r}) / "a.arrow", endless())
"""
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"wrote\n"
    writer.send_signal(signal.SIGKILL)
    writer.stdout.close()
    writer.wait()
    assert list(tmp_path.iterdir()) == []  # the raw file had no name


def test_writing_needs_little_memory(tmp_path):
    """128 MiB of coordinates go through a process whose heap may grow by far less."""
    code = f"""
import resource, sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
from pathlib import Path
import numpy as np
from skelray import skeletons
from skelray.data import store
from skelray.data.clip import Clip
joints = np.zeros((1, 8738, 20, 3), np.float32)  # 2 MiB
def write(count):
    clips = (Clip(str(number), joints, 0) for number in range(count))
    store.write(Path({str(tmp_path)!r}) / "a.arrow", clips, skeletons.layout("kinect20"), "x", ("a",))
write(1)
pages = int(open("/proc/self/statm").read().split()[5])  # private and writable
limit = pages * resource.getpagesize() + (32 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
write(64)
print(Path({str(tmp_path)!r}, "a.arrow").stat().st_size >> 20)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 127


def test_a_large_store_opens_at_once(tmp_path):
    joints = np.zeros((1, 400, 20, 3), np.float32)
    clips = (replace(tiny_clips(1)[0], joints=joints) for _ in range(500))
    store.write(tmp_path / "a.arrow", clips, KINECT20, "x", CLASSES)
    begin = time.process_time()
    store.open(tmp_path / "a.arrow")
    assert time.process_time() - begin < 0.2


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    old = tiny_store(tmp_path / "a.arrow").fingerprint
    (tmp_path / "folder.arrow").mkdir()
    with pytest.raises(BadInput, match=r"folder\.arrow is a folder"):
        tiny_store(tmp_path / "folder.arrow")
    with pytest.raises(BadInput, match=r"b\.arrow cannot be written"):
        tiny_store(tmp_path / "a.arrow" / "b.arrow")
    assert store.open(tmp_path / "a.arrow").fingerprint == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.arrow", "folder.arrow"]

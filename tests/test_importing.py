"""Importing: whole or not at all, side by side, bad parts told or skipped, and taken up after a kill."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from skelray import skeletons
from skelray.data import importing, store
from skelray.data.clip import Clip
from skelray.data.files import Files
from skelray.data.source import DataSet, Loaded, one_by_one
from skelray.errors import BadInput

FIVE = skeletons.layout("kinect20").model_copy(update={"channels": 3})


def number(files: Files, part: str) -> Loaded:
    """A clip out of a file that holds a number; "empty" is left out, anything else is no number."""
    text = files.read(part).decode()
    if text == "empty":
        return Loaded(dropped=[(part, "no frame")])
    try:
        value = float(text)
    except ValueError:
        raise BadInput(f"{files.where(part)}:1: {text!r} is not a number") from None
    joints = np.full((1, 3, 20, 3), value, np.float32)
    return Loaded([Clip(part, joints, 0, subject=1)], counts={"read": 1})


def source(folder: Path, texts: list[str]) -> DataSet:
    folder.mkdir(exist_ok=True)
    for place, text in enumerate(texts):
        (folder / f"{place:04}.txt").write_text(text)
    files = Files(folder)
    load = one_by_one(partial(number, files))
    return DataSet("mine", FIVE, ("only",), files.names(".txt"), load, stamp=files.stamp, licence="mine alone")


def imported(found: DataSet, path: Path, **settings) -> importing.Report:
    return importing.run(found, path, **{"source": "folder", "about": {"reader": "numbers"}, **settings})


def values(path: Path) -> list[float]:
    opened = store.open(path)
    opened.verify()
    return [float(opened.joints(clip)[0, 0, 0, 0]) for clip in range(opened.clips)]


def test_a_source_becomes_a_store_and_nothing_else_is_left(tmp_path):
    steps = []
    report = imported(source(tmp_path / "in", ["1", "empty", "3"]), tmp_path / "out" / "a.arrow", advance=steps.append)
    assert values(tmp_path / "out" / "a.arrow") == [1, 3]
    assert (report.clips, report.parts, dict(report.counts)) == (2, 3, {"read": 2})
    assert report.dropped == [("0001.txt", "no frame")]
    assert sum(steps) == 3
    assert os.listdir(tmp_path / "out") == ["a.arrow"]
    assert store.open(tmp_path / "out" / "a.arrow").about == {
        "units": "metres",
        "licence": "mine alone",
        "reader": "numbers",
    }


def test_many_processes_give_the_same_bytes_as_one(tmp_path):
    found = source(tmp_path / "in", [str(value) for value in range(70)])
    imported(found, tmp_path / "one.arrow")
    imported(found, tmp_path / "two.arrow", jobs=2)
    assert (tmp_path / "one.arrow").read_bytes() == (tmp_path / "two.arrow").read_bytes()
    assert values(tmp_path / "two.arrow") == list(range(70))


def test_a_bad_part_stops_with_its_sentence(tmp_path):
    found = source(tmp_path / "in", ["0", "1", "2", "four"])
    with pytest.raises(BadInput, match=r"0003\.txt:1: 'four' is not a number.*the 3 clips before it are kept"):
        imported(found, tmp_path / "a.arrow")
    assert not (tmp_path / "a.arrow").exists()


def test_what_was_read_before_a_stop_is_not_read_again(tmp_path):
    found = source(tmp_path / "in", ["0", "1", "two", "3"])
    with pytest.raises(BadInput, match="two"):
        imported(found, tmp_path / "a.arrow")
    (tmp_path / "in" / "0002.txt").write_text("2")
    report = imported(found, tmp_path / "a.arrow")
    assert (report.kept, report.clips, report.counts["read"]) == (2, 4, 4)
    assert values(tmp_path / "a.arrow") == [0, 1, 2, 3]


def test_a_part_that_changed_since_it_was_read_is_read_again_with_all_behind_it(tmp_path):
    found = source(tmp_path / "in", ["0", "1", "2", "three"])
    with pytest.raises(BadInput, match="three"):
        imported(found, tmp_path / "a.arrow")
    (tmp_path / "in" / "0001.txt").write_text("11.5")
    (tmp_path / "in" / "0003.txt").write_text("3")
    report = imported(found, tmp_path / "a.arrow")
    assert (report.kept, values(tmp_path / "a.arrow")) == (1, [0, 11.5, 2, 3])


@pytest.mark.parametrize("change", ["half", "fresh", "classes", "code"])
def test_other_settings_and_other_code_begin_anew(tmp_path, monkeypatch, change):
    found = source(tmp_path / "in", ["0", "1", "two"])
    with pytest.raises(BadInput, match="two"):
        imported(found, tmp_path / "a.arrow")
    (tmp_path / "in" / "0002.txt").write_text("2")
    settings = {change: True} if change in ("half", "fresh") else {}
    monkeypatch.setattr(importing, "_code", {"code": lambda: "of another version"}.get(change, importing._code))
    found = replace(found, classes=("only", "other")) if change == "classes" else found
    assert imported(found, tmp_path / "a.arrow", **settings).kept == 0
    assert values(tmp_path / "a.arrow") == [0, 1, 2]


def test_a_file_that_changes_after_it_was_read_is_read_again(tmp_path):
    found = source(tmp_path / "in", ["0", "1", "two"])

    def load(parts):
        for part, loaded in zip(parts, found.load(parts), strict=True):
            if part == "0001.txt":
                (tmp_path / "in" / part).write_text("11.5")
            yield loaded

    with pytest.raises(BadInput, match="two"):
        imported(replace(found, load=load), tmp_path / "a.arrow")
    (tmp_path / "in" / "0002.txt").write_text("2")
    assert imported(found, tmp_path / "a.arrow").kept == 1
    assert values(tmp_path / "a.arrow") == [0, 11.5, 2]


@pytest.mark.parametrize("value", ["65520", "-1e9"])
def test_what_float16_cannot_hold_is_skipped_as_any_other_bad_part(tmp_path, value):
    found = source(tmp_path / "in", ["65519", value, "2"])
    with pytest.raises(BadInput, match=r"0001\.txt: a coordinate beyond 65,504 .* \(--on-error skip"):
        imported(found, tmp_path / "a.arrow", half=True)
    assert imported(found, tmp_path / "a.arrow", half=True, on_error="skip").skipped[0][0] == "0001.txt"
    assert values(tmp_path / "a.arrow") == [65504, 2]


def test_skipped_parts_are_left_out_and_named(tmp_path):
    found = source(tmp_path / "in", ["0", "one", "2", "nan"])
    report = imported(found, tmp_path / "a.arrow", on_error="skip")
    assert values(tmp_path / "a.arrow") == [0, 2]
    assert [part for part, _ in report.skipped] == ["0001.txt", "0003.txt"]
    assert "'one' is not a number" in report.skipped[0][1]
    assert "not finite" in report.skipped[1][1]
    assert any("skipped" in line and "0001.txt:1" in line for line in report.sentences())


def test_a_source_of_bad_parts_alone_makes_no_store(tmp_path):
    with pytest.raises(BadInput, match=r"no clip to store \(none of its 2 parts can be read; the first: .*'a' is not"):
        imported(source(tmp_path / "in", ["a", "b"]), tmp_path / "a.arrow", on_error="skip")
    with pytest.raises(BadInput, match=r"no clip to store \(all were left out; the first, 0000\.txt: no frame\)"):
        imported(source(tmp_path / "out", ["empty"]), tmp_path / "b.arrow")
    assert not list(tmp_path.glob("*.arrow"))


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import test_importing as t
from skelray.data import importing, unfinished
unfinished.SYNC = 0.0
found = t.source(Path({folder!r}), [str(value) for value in range(40)])
def advance(parts, done=[0]):
    done[0] += parts
    if done[0] == 25:
        os.kill(os.getpid(), signal.SIGKILL)
t.imported(found, Path({path!r}), advance=advance, jobs={jobs})
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_import_leaves_no_store_and_goes_on_where_it_was(tmp_path, jobs):
    path, folder = tmp_path / "a.arrow", tmp_path / "in"
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(folder), path=str(path), jobs=jobs)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    with pytest.raises(BadInput, match="is not a whole skelray store"):
        store.open(tmp_path / ".a.arrow.importing" / "coordinates")
    found = replace(source(folder, []), parts=sorted(each.name for each in folder.glob("*.txt")))
    report = imported(found, path)
    assert 20 <= report.kept <= 25
    assert values(path) == list(range(40))
    assert sorted(os.listdir(tmp_path)) == ["a.arrow", "in"]


@pytest.mark.parametrize("damage", ["cut", "torn", "raw"])
def test_a_damaged_journal_costs_time_and_nothing_else(tmp_path, damage):
    found = source(tmp_path / "in", ["0", "1", "2", "three"])
    with pytest.raises(BadInput, match="three"):
        imported(found, tmp_path / "a.arrow")
    work = tmp_path / ".a.arrow.importing"
    journal, raw = work / "journal.jsonl", work / "coordinates"
    if damage == "cut":
        journal.write_bytes(journal.read_bytes()[:-10])
    elif damage == "torn":
        journal.write_bytes(b"{]\n" + journal.read_bytes())
    else:
        raw.write_bytes(raw.read_bytes()[:-1])
    (tmp_path / "in" / "0003.txt").write_text("3")
    report = imported(found, tmp_path / "a.arrow")
    assert report.kept == (0 if damage == "torn" else 2)
    assert values(tmp_path / "a.arrow") == [0, 1, 2, 3]


def test_two_imports_of_one_store_at_once_are_refused(tmp_path):
    found = source(tmp_path / "in", ["0", "1"])

    def again(parts: int) -> None:
        with pytest.raises(BadInput, match=r"a\.arrow is being imported by another process"):
            imported(found, tmp_path / "a.arrow")

    imported(found, tmp_path / "a.arrow", advance=again)
    assert values(tmp_path / "a.arrow") == [0, 1]


def test_an_import_takes_the_place_of_an_older_store_only_when_it_is_whole(tmp_path):
    imported(source(tmp_path / "in", ["7"]), tmp_path / "a.arrow")
    with pytest.raises(BadInput, match="bad"):
        imported(source(tmp_path / "other", ["1", "bad"]), tmp_path / "a.arrow")
    assert values(tmp_path / "a.arrow") == [7]


def dies(parts):
    os.kill(os.getpid(), signal.SIGKILL)
    yield Loaded()


def test_a_reading_process_that_is_killed_is_told(tmp_path):
    found = replace(source(tmp_path / "in", ["0"] * 40), load=dies)
    with pytest.raises(BadInput, match="a reading process was killed"):
        imported(found, tmp_path / "a.arrow", jobs=2)


def test_the_report_is_kept_as_json(tmp_path):
    report = imported(source(tmp_path / "in", ["0", "empty", "x"]), tmp_path / "a.arrow", on_error="skip")
    place = importing.report_of(tmp_path / "a.arrow")
    report.write(place, store="mine")
    told = json.loads(place.read_text())
    assert place.name == "a.import.json"
    assert (told["clips"], told["store"], told["dropped"]) == (1, "mine", [["0001.txt", "no frame"]])
    assert told["skipped"][0][0] == "0002.txt"

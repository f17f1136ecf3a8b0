"""What is known of clips: from names and from tables, as numbers and sides; and what tables must not say."""

import csv

import numpy as np
import pytest
from mutated import copies
from written_generic import NAMES, described_in, three_people

from skelray.data import readers
from skelray.data.clip import TEST, TRAIN
from skelray.errors import BadInput

GENERIC = readers.load("generic")
COLUMNS = {"path": "clips.csv", "file": "clip", "label": "what", "subject": "who", "camera": "cam", "recording": "take"}
WHO = {"1": "ann", "2": "ben", "3": "cem"}


def lines(**changed):
    """The table of the three people's clips, with the cells of one column changed by file."""
    found = []
    for number, name in enumerate(NAMES):
        person, what, _ = name.split("_")
        row = {"clip": name, "what": what, "who": WHO[person[-1]], "cam": 1, "take": 100 + number // 2, "fold": person}
        row |= {column: cells[name] for column, cells in changed.items() if name in cells}
        found.append(row)
    return found


def table(folder, rows=None, changes=None, **columns):
    """Three people's clips with a table instead of telling names."""
    three_people(folder, **{"from_names": None, "from_table": COLUMNS | columns, **(changes or {})})
    rows = lines() if rows is None else rows
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return GENERIC.read(folder)


def test_a_table_tells_what_names_do_not(tmp_path):
    found = table(tmp_path)
    clips = {clip.clip_name: clip for clip in found.clips}
    assert sorted(clips) == sorted(NAMES)
    for name, clip in clips.items():
        number = int(name[2])
        assert (clip.label, clip.subject, clip.camera) == (int("clap" in name), number - 1, 1)
        assert clip.recording == 100 + number - 1
    assert "subject numbers: 0 ann, 1 ben, 2 cem" in found.transforms


@pytest.mark.parametrize("ending", [".npy", ".csv"])
def test_a_table_may_give_files_with_or_without_ending_and_is_no_clip_itself(tmp_path, ending):
    three_people(tmp_path, ending, from_names=None, from_table={"path": "clips.csv", "label": "what"})
    rows = [f"{name}{ending if number % 2 else ''},{name.split('_')[1]}" for number, name in enumerate(NAMES)]
    (tmp_path / "clips.csv").write_text("\n".join(["file,what", *rows]))
    assert len(list(GENERIC.read(tmp_path).clips)) == 6


def test_an_empty_cell_is_unknown_but_not_for_a_label(tmp_path):
    found = table(tmp_path, lines(cam={NAMES[0]: ""}))
    assert {clip.clip_name: clip.camera for clip in found.clips}[NAMES[0]] == -1
    with pytest.raises(BadInput, match=r"clips\.csv:2: no label"):
        table(tmp_path, lines(what={NAMES[0]: ""}))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lines(what={NAMES[2]: "wav"}), r"clips\.csv:4: no class 'wav'; did you mean \"wave\"\?"),
        (lines(clip={NAMES[1]: "s01_clap_2"}), r"clips\.csv:3: no file 's01_clap_2' among \*\.npy; did you mean"),
        (lines(clip={NAMES[1]: "../s01_clap_1"}), r"clips\.csv:3: '\.\./s01_clap_1' leads out of the folder"),
        (lines(clip={NAMES[1]: "/s01_clap_1"}), r"clips\.csv:3: '/s01_clap_1' leads out of the folder"),
        (lines(clip={NAMES[1]: "..\\x"}), r"clips\.csv:3: .* leads out of the folder"),
        (lines(clip={NAMES[1]: ""}), r"clips\.csv:3: names no file"),
        (lines(clip={NAMES[1]: NAMES[0]}), r"clips\.csv:3: 's01_wave_1\.npy' has a line already, at .*clips\.csv:2"),
        (lines()[:-1], r"skeletons\.yaml:\d+: from_table\.path: clips\.csv has no line for 's03_clap_1\.npy'$"),
        (lines()[:2], r"clips\.csv has no line for 's02_clap_1\.npy' and 3 other files"),
    ],
)
def test_a_table_that_does_not_fit_the_folder_is_told_with_its_line(tmp_path, rows, message):
    with pytest.raises(BadInput, match=message):
        table(tmp_path, rows)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": "wat"}, r"from_table\.label: no column 'wat'; did you mean \"what\"\? \(there are clip, what, who"),
        ({"file": "file"}, r"from_table\.file: no column 'file'"),
        ({"path": "clip.csv"}, r"skeletons\.yaml:\d+: from_table\.path: .*clip\.csv: cannot be read"),
        ({"path": "../clips.csv"}, r"from_table\.path: .*leads out of the folder"),
        ({"label": ""}, r"clips\.csv:\d+: no label; from_names or from_table must tell the label"),
    ],
)
def test_a_table_that_is_not_there_as_described_is_told_with_its_key(tmp_path, columns, message):
    with pytest.raises(BadInput, match=message):
        table(tmp_path, **columns)


def test_torn_tables_are_told_with_their_line(tmp_path):
    table(tmp_path)
    whole = (tmp_path / "clips.csv").read_text()
    for content, message in (
        (whole + "more", r"clips\.csv:8: 1 cells, but the header has 6"),
        (whole + '"open', r"clips\.csv:8: not a line of cells"),
        (whole.replace("\n", "\n\n", 2), r"clips\.csv:2: an empty line between others"),
        ("", r"from_table\.file: no column 'clip'"),
    ):
        (tmp_path / "clips.csv").write_text(content, newline="")
        with pytest.raises(BadInput, match=message):
            GENERIC.read(tmp_path)


def test_damaged_tables_give_a_sentence_or_what_they_say(tmp_path):
    table(tmp_path, changes={"splits": {"mine": {"column": "fold", "train": ["s01", "s02"]}}})
    content, read = (tmp_path / "clips.csv").read_bytes(), 0
    for damaged in copies(content, separators=(b"\r\n", b",")):
        (tmp_path / "clips.csv").write_bytes(damaged)
        try:
            read += len(list(GENERIC.read(tmp_path).clips))
        except BadInput:
            continue
    assert 0 < read < 6 * 150


def test_names_and_table_do_not_tell_the_same(tmp_path):
    with pytest.raises(BadInput, match=r"from_table\.label: from_names tells the label too; take out one of the two"):
        table(tmp_path, changes={"from_names": {"label": "[a-z]{4}"}})


def sides(found, split):
    return {clip.clip_name: clip.sides[split] for clip in found.clips}


def test_a_split_by_a_list_of_subjects(tmp_path):
    three_people(tmp_path, splits={"xsub": {"by": "subject", "train": [1, "03"]}})
    assert sides(GENERIC.read(tmp_path), "xsub") == {n: TEST if n[2] == "2" else TRAIN for n in NAMES}


def test_a_split_by_a_column_of_the_table(tmp_path):
    found = table(tmp_path, changes={"splits": {"mine": {"column": "fold", "train": ["s01", "s02"]}}})
    assert sides(found, "mine") == {n: TEST if n[2] == "3" else TRAIN for n in NAMES}


def test_a_side_that_is_told_is_the_given_split(tmp_path):
    rows = lines(fold={name: "Test" if "_3" in name or name[2] == "3" else "train" for name in NAMES})
    assert sides(table(tmp_path, rows, side="fold"), "given") == {n: TEST if n[2] == "3" else TRAIN for n in NAMES}
    with pytest.raises(BadInput, match=r"clips\.csv:\d: the side 's01' is neither train nor test"):
        table(tmp_path, side="fold")


def test_a_drawn_split_holds_a_subject_together_and_is_the_same_again(tmp_path):
    splits = {f"draw{seed}": {"by": "subject", "test_share": 0.3, "seed": seed} for seed in range(8)}
    three_people(tmp_path, splits=splits)
    found = GENERIC.read(tmp_path)
    tested = []
    for split in splits:
        drawn = sides(found, split)
        assert drawn == sides(GENERIC.read(tmp_path), split)
        subjects = {name[2] for name, side in drawn.items() if side == TEST}
        assert {name for name, side in drawn.items() if side == TEST} == {n for n in NAMES if n[2] in subjects}
        assert len(subjects) == 1
        tested.append(subjects.pop())
    assert set(tested) == {"1", "2", "3"}


def test_a_drawn_split_of_clips_keeps_its_order_when_clips_come(tmp_path):
    drawn = {"part": {"by": "clip", "test_share": 0.5}}
    clips = three_people(tmp_path, splits=drawn)
    before = sides(GENERIC.read(tmp_path), "part")
    assert sum(side == TEST for side in before.values()) == 3
    described_in(tmp_path, splits=drawn)
    np.save(tmp_path / "s04_wave_1.npy", clips[NAMES[0]][0])
    after = sides(GENERIC.read(tmp_path), "part")
    assert {name for name, side in before.items() if side == TEST} <= {n for n, side in after.items() if side == TEST}

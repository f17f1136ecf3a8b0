"""`skelray data show`: the facts of a store, for people and for machines."""

import json
from dataclasses import replace

import numpy as np
import pytest
from people import five, people, stored
from shell import skelray
from tiny_store import tiny_store

from skelray.data import facts, importing, telling, tracks
from skelray.data.source import Loaded


def shown(capsys, *words):
    assert skelray("data", "show", *words) == 0
    return capsys.readouterr().out


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")


def test_the_facts_of_a_store(tmp_path):
    about = {"units": "metres", "frame_rate": 20.0, "licence": "Ask first."}
    clips = people()
    clips[3] = replace(clips[3], joints=clips[7].joints)
    found = facts.gather(stored(tmp_path / "a.arrow", clips, transforms=("as drawn",), about=about))
    assert found["clips"] == 8
    assert found["copies"] == 1
    assert found["frames"] == {"total": 352, "least": 40, "most": 47, "median": 44.5}
    assert found["bodies"] == {"1": 7, "2": 1}
    assert found["classes"] == [{"name": "wave <b>", "clips": 4}, {"name": "pick_up", "clips": 4}]
    assert found["subject"] == {"clips": {"0": 2, "1": 2, "2": 2, "3": 2}, "unknown": 0}
    assert found["setup"] == {"clips": {}, "unknown": 8}
    expected = {"name": "given", "train": 4, "test": 4, "test_copies_of_train": 0, "expected": None}
    assert found["splits"] == [expected]
    assert (found["units"], found["frame_rate"], found["licence"]) == ("metres", 20.0, "Ask first.")
    assert found["numbers"] == "float32"
    lines = telling.told(found)
    assert lines["frames"] == "352; 40 to 47 a clip, median 44.5 (2.2 s)"
    assert lines["licence"] == "Ask first."
    assert lines["transforms"] == "as drawn"


def test_bones_are_measured_in_metres(tmp_path):
    found = facts.gather(stored(tmp_path / "a.arrow", people()))["bones"]
    assert found["each"] == pytest.approx(
        {"chest": 0.5, "hand_left": 0.447, "hand_right": 0.447, "head": 0.3}, abs=0.01
    )
    assert (found["shortest"]["joint"], found["longest"]["joint"]) == ("head", "chest")
    assert found["look_like_metres"] is True


def test_millimetres_do_not_look_like_metres(tmp_path):
    clips = [replace(clip, joints=clip.joints * np.float32(1000)) for clip in people()]
    wrong = stored(tmp_path / "a.arrow", clips)
    assert "these do not look like metres" in telling.told(facts.gather(wrong))["bones"]
    right = stored(tmp_path / "b.arrow", clips, about={"units": "millimetres"})
    assert telling.told(facts.gather(right))["bones"].startswith("median 44")
    assert "look like" not in telling.told(facts.gather(right))["bones"]


def test_missing_bodies_and_joints_are_counted_and_the_origin_is_not(tmp_path):
    clips = [replace(clip, joints=clip.joints - clip.joints[:1, :1, :1]) for clip in people()]
    joints = clips[0].joints.copy()  # 2 bodies, 40 frames
    joints[1, :10] = 0  # the second body comes late
    joints[0, 5:9, 3] = 0  # its right hand is lost for four frames
    clips[0] = replace(clips[0], joints=joints)
    found = facts.gather(stored(tmp_path / "a.arrow", clips))["missing"]
    frames = 2 * 40 + sum(range(41, 48))
    assert (found["body_frames"], found["unseen"], found["joints"]) == (frames, 10, (frames - 10) * 5)
    assert found["by_joint"] == {"hand_right": 4}
    assert found["origin"] == "hip"
    assert "hand_right; hip is the origin" in telling.missing(found)


def test_facts_are_the_same_in_whatever_pieces_a_store_is_read(tmp_path, monkeypatch):
    opened = stored(tmp_path / "a.arrow", people())
    rows = np.concatenate([piece.rows for piece in tracks.pieces(opened, rows=1)])
    np.testing.assert_array_equal(rows, opened.rows)
    for size in (1, 100, 10**6):
        places = []
        for piece in tracks.pieces(opened, size):
            places += zip(*(each.tolist() for each in piece.place(np.arange(len(piece.rows)))), strict=True)
        expected = [
            (clip, body, frame)
            for clip in range(opened.clips)
            for body in range(opened.bodies[clip])
            for frame in range(opened.frames[clip])
        ]
        assert places == expected


def test_show_tells_people(tmp_path, capsys, wide):
    stored(tmp_path / "a.arrow", people(), about={"licence": "[red]Ask[/red] <first>"})
    told = shown(capsys, tmp_path / "a.arrow")
    for fact in (
        "wave <b> 4",
        "given 4 train / 4 test",
        "[red]Ask[/red] <first>",
        "five: 5 joints, 3 coordinates, float32",
    ):
        assert fact in told


def test_show_tells_machines_and_quick_reads_nothing(tmp_path, capsys):
    opened = stored(tmp_path / "a.arrow", people())
    whole = json.loads(shown(capsys, tmp_path / "a.arrow", "--json"))
    assert whole["fingerprint"] == opened.fingerprint
    assert whole["verified"] is True
    damaged = bytearray((tmp_path / "a.arrow").read_bytes())
    place = bytes(damaged).index(opened.joints(3).tobytes())
    damaged[place + 1] ^= 1
    (tmp_path / "a.arrow").write_bytes(damaged)
    quick = json.loads(shown(capsys, tmp_path / "a.arrow", "--json", "--quick"))
    assert quick["verified"] is False
    assert quick["missing"] is None
    assert {**quick, "verified": True, "missing": whole["missing"]} == whole
    assert skelray("data", "show", tmp_path / "a.arrow") == 2
    assert "the coordinates of clip<3> changed since they were stored" in capsys.readouterr().err


def test_flat_clips_without_subjects_of_one_class(tmp_path):
    clips = [replace(clip, joints=100 * clip.joints[..., :2], label=0, subject=-1, sides={}) for clip in people(1)]
    opened = stored(tmp_path / "a.arrow", clips, five(2), classes=["only"], about={"units": "pixels"})
    lines = telling.told(facts.gather(opened))
    assert lines["subject"] == "unknown"
    assert lines["splits"] == "none known for this name"
    assert lines["classes"] == "1: only 1"
    assert lines["units"] == "pixels"
    assert "pixels, from 30" in lines["bones"]


def test_float16_is_told(tmp_path):
    found = facts.gather(stored(tmp_path / "a.arrow", people(), half=True))
    assert found["numbers"] == "float16"
    assert found["bones"]["median"] == pytest.approx(0.45, abs=0.02)


def test_classes_without_a_clip_are_named(tmp_path):
    opened = stored(tmp_path / "a.arrow", people(), classes=[f"c{number}" for number in range(30)])
    assert telling.told(facts.gather(opened))["classes"] == (
        "30, with 0 to 4 clips; without a clip: " + ", ".join(f"c{number}" for number in range(2, 22)) + " ..."
    )


def test_an_incomplete_official_split_is_told(tmp_path):
    lines = telling.told(facts.gather(tiny_store(tmp_path / "a.arrow")))
    copies = "6 of them copies of training clips"
    assert "xview train: 36 clips where 1,020 were published" in lines["not as published"]
    assert lines["splits"] == f"xview 36 train / 18 test, {copies} (the complete set has 1,020 / 464)"


def test_the_report_of_its_import_is_told(tmp_path):
    opened = stored(tmp_path / "a.arrow", people())
    report = importing.Report("source", parts=3)
    report.add("one", Loaded(counts={"frames without a body": 7}, dropped=[("clip<9>", "too short")]))
    report.add("two", Loaded(error="two.txt:3: not a number"))
    assert telling.told(facts.gather(opened))["import"] == "no report of it beside the store"
    path = importing.report_of(opened.path)
    report.write(path, fingerprint=opened.fingerprint)
    told = telling.told(facts.gather(opened))["import"]
    for fact in ("frames without a body: 7", "too short: 1 (clip<9>)", "skipped: two.txt:3: not a number"):
        assert fact in told
    for other in ('{"fingerprint": 1}', "[]", "no JSON", json.dumps({"fingerprint": opened.fingerprint, "parts": "x"})):
        path.write_text(other)
        assert facts.imported(opened) is None


@pytest.mark.parametrize("command", ["show", "check"])
def test_a_store_that_is_not_there_is_one_sentence(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path))
    (tmp_path / "half.arrow").write_bytes(b"ARROW1 and no more")
    for name, told in (("nw-ucal", 'did you mean "nw-ucla"'), (tmp_path / "half.arrow", "not a whole skelray store")):
        assert skelray("data", command, name) == 2
        error = capsys.readouterr().err
        assert told in error
        assert len(error.splitlines()) == 1

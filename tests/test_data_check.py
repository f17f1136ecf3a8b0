"""`skelray data check`: each damage is found in the clip that has it, and nothing else is."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from people import five, people, stored
from shell import skelray
from tiny_store import tiny_store

from skelray.data import health, tracks
from skelray.data.clip import Clip


def found(opened, frame_rate=30.0, **limits):
    """Kind -> findings."""
    result = health.check(opened, health.Limits(**limits), frame_rate)
    return {kind.name: findings for kind, findings in result.found.items()}


def damaged(clips: list[Clip], number: int, damage: Callable[[np.ndarray], None]) -> list[Clip]:
    joints = clips[number].joints.copy()
    damage(joints)
    return [replace(clip, joints=joints) if clip is clips[number] else clip for clip in clips]


def test_sound_clips_have_no_finding(tmp_path):
    assert found(stored(tmp_path / "a.arrow", people())) == {}


def test_coordinates_that_are_not_finite(tmp_path, monkeypatch):
    monkeypatch.setattr(Clip, "check", lambda *_: None)  # a store never takes them: something else wrote this one

    def spoil(joints):
        joints[0, 7, 3, 1] = np.nan
        joints[0, 9, 2] = np.inf

    result = found(stored(tmp_path / "a.arrow", damaged(people(), 2, spoil)))
    ((only,),) = result.values()
    assert list(result) == ["not-finite"]
    assert (only.number, only.clips) == (2, ("clip<2>",))
    assert only.numbers["count"] == 2
    assert (only.numbers["frame"], only.numbers["joint"]) == (7, "hand_right")


def test_a_joint_that_stands_still_while_others_move(tmp_path):
    def freeze(joints):
        joints[0, 5:36, 3] = joints[0, 5, 3]

    opened = stored(tmp_path / "a.arrow", damaged(people(), 1, freeze))
    (only,) = found(opened, still=31)["still-joint"]
    assert only.clips == ("clip<1>",)
    assert (only.numbers["value"], only.numbers["frame"], only.numbers["joint"]) == (31, 35, "hand_right")
    assert "still-joint" not in found(opened, still=32)


def test_a_turned_clip_still_shows_what_stood_still(tmp_path):
    """Turning changes the last bits of equal coordinates, by how they lie in memory."""

    def freeze(joints):
        joints[0, :, 4] = joints[0, 0, 4]
        joints += np.random.default_rng(0).uniform(-3e-7, 3e-7, joints.shape).astype(np.float32)

    (only,) = found(stored(tmp_path / "a.arrow", damaged(people(), 1, freeze)))["still-joint"]
    assert (only.numbers["joint"], only.numbers["value"]) == ("head", 41)


def test_standing_still_does_not_go_on_into_the_next_body_or_clip(tmp_path):
    still = np.broadcast_to(people(1)[0].joints[:1, :1], (2, 20, 5, 3))
    clips = [Clip(f"c{number}", still.copy(), number % 2) for number in range(3)]
    assert "still-body" not in found(stored(tmp_path / "a.arrow", clips), still=21)
    result = found(stored(tmp_path / "a.arrow", clips), still=20)
    assert [finding.numbers["value"] for finding in result["still-body"]] == [20, 20, 20]
    assert "still-joint" not in result


def test_impossible_bones(tmp_path):
    def stretch(joints):
        joints[0, 12, 2] += [5.0, 0, 0]

    def shrink(joints):
        joints[0, 3, 1] = joints[0, 3, 0] + np.float32(0.01)

    clips = damaged(damaged(people(), 3, stretch), 4, shrink)
    result = found(stored(tmp_path / "a.arrow", clips), speed=1e6)
    (long,) = result["long-bone"]
    assert long.clips == ("clip<3>",)
    assert (long.numbers["joint"], long.numbers["frame"], long.numbers["body"]) == ("hand_left", 12, 0)
    assert long.numbers["length"] == pytest.approx(4.6, abs=0.1)
    assert long.numbers["usual"] == pytest.approx(0.447, abs=0.01)
    by_clip = {finding.clips[0]: finding.numbers for finding in result["changing-bone"]}
    assert by_clip.keys() == {"clip<3>", "clip<4>"}
    assert (by_clip["clip<4>"]["joint"], by_clip["clip<4>"]["frame"]) == ("chest", 3)
    assert by_clip["clip<4>"]["shortest"] == pytest.approx(0.01 * 3**0.5, abs=1e-3)
    assert set(found(stored(tmp_path / "a.arrow", clips), long=20, varies=100, speed=1e6)) == set()


def test_jumps_need_a_frame_rate_and_metres(tmp_path):
    def jump(joints):
        joints[0, 20:] += np.float32(1)

    clips = damaged(people(), 5, jump)
    opened = stored(tmp_path / "a.arrow", clips)
    (only,) = found(opened, frame_rate=30.0)["jump"]
    assert (only.clips, only.numbers["frame"]) == (("clip<5>",), 20)
    assert only.numbers["value"] == pytest.approx(30 * 3**0.5, rel=0.05)
    assert "jump" not in found(opened, frame_rate=5.0)
    assert health.check(opened).unchecked == ["jumps: the frame rate is unknown (give --frame-rate)"]
    known = stored(tmp_path / "b.arrow", clips, about={"frame_rate": 30.0})
    assert [kind.name for kind in health.check(known).found] == ["jump"]
    pixels = stored(tmp_path / "c.arrow", clips, about={"frame_rate": 30.0, "units": "pixels"})
    assert health.check(pixels).unchecked == ["jumps: coordinates are not metres"]


def test_what_is_empty_short_or_missing(tmp_path):
    def nobody(joints):
        joints[:] = 0

    def only_one(joints):
        joints[1] = 0

    def handless(joints):
        joints[0, ::2, 3] = 0

    clips = damaged(damaged(damaged(people(), 1, nobody), 0, only_one), 2, handless)
    clips[3] = replace(clips[3], joints=clips[3].joints[:, :1])
    result = found(stored(tmp_path / "a.arrow", clips))
    assert {kind: [finding.clips for finding in each] for kind, each in result.items()} == {
        "empty-clip": [("clip<1>",)],
        "empty-body": [("clip<0>",)],
        "one-frame": [("clip<3>",)],
        "missing-joints": [("clip<2>",)],
    }
    assert result["empty-body"][0].numbers == {"body": 1, "frames": 40}
    assert result["missing-joints"][0].numbers["value"] == pytest.approx(0.1)


def test_copies_across_and_inside_the_sides(tmp_path):
    clips = people()  # clips 0 1 4 5 train
    for copy, of in ((4, 2), (5, 2), (3, 7), (6, 1)):
        clips[copy] = replace(clips[copy], joints=clips[of].joints, label=clips[of].label)
    result = found(stored(tmp_path / "a.arrow", clips))
    names = {kind: [finding.clips for finding in each] for kind, each in result.items()}
    assert names == {
        "copy-across-given": [("clip<6>", "clip<1>"), ("clip<2>", "clip<4>", "clip<5>")],
        "copy-train-given": [("clip<4>", "clip<5>")],
        "copy-test-given": [("clip<3>", "clip<7>")],
    }
    assert result["copy-across-given"][1].told == "test clip<2> = training clip<4>, clip<5>"


def test_copies_of_a_store_without_a_split_and_with_other_labels(tmp_path):
    clips = [replace(clip, sides={}) for clip in people()]
    clips[3] = replace(clips[3], joints=clips[2].joints)
    result = health.check(stored(tmp_path / "a.arrow", clips))
    assert [(kind.name, kind.wrong) for kind in result.found] == [("copy-label", True), ("copy", False)]
    assert [finding.told for finding in result.found[result.wrong[0]]] == [
        "clip<2> = clip<3>: labels wave <b>, pick_up"
    ]


def test_flat_bodies_are_measured_by_their_own_size(tmp_path):
    """A body twice as large in the picture stands nearer; one bone much longer than its others is impossible."""
    larger = np.float32(100) * np.arange(1, 9, dtype=np.float32)
    clips = [replace(clip, joints=clip.joints[..., :2] * each) for clip, each in zip(people(), larger, strict=True)]

    def stretch(joints):
        joints[0, 12, 2, 0] -= 6000

    clips = damaged(clips, 3, stretch)
    opened = stored(tmp_path / "a.arrow", clips, five(2), about={"units": "pixels", "frame_rate": 30.0})
    assert {kind: finding.clips for kind, (finding,) in found(opened).items()} == {"long-bone": ("clip<3>",)}
    assert len(health.check(opened).unchecked) == 2


def test_findings_do_not_depend_on_the_pieces(tmp_path, monkeypatch):
    def spoil(joints):
        joints[0, 5:36, 3] = joints[0, 5, 3]
        joints[0, 38, 2] += np.float32(9)

    opened = stored(tmp_path / "a.arrow", damaged(damaged(people(), 1, spoil), 6, spoil))
    whole = found(opened)
    assert whole.keys() == {"still-joint", "long-bone", "changing-bone", "jump"}
    every = tracks.pieces
    monkeypatch.setattr(tracks, "pieces", lambda opened: every(opened, 1))
    assert found(opened) == whole


def test_float16_is_not_searched_for_joints_that_stand_still(tmp_path):
    opened = stored(tmp_path / "a.arrow", people(), half=True)
    assert found(opened) == {}
    assert "joints that stand still" in health.check(opened, frame_rate=30.0).unchecked[0]


def test_the_command_lists_and_leaves_with_a_code(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    tiny = tiny_store(tmp_path / "a.arrow")
    assert skelray("data", "check", tiny.path, "--limit", 2, "--frame-rate", 30) == 0
    told = capsys.readouterr().out
    assert "copies across the sides of xview: 6" in told
    assert "test s1_l2_r0_c3 = training s1_l2_r0_c2" in told
    assert "4 more; --limit 0 lists all" in told
    assert skelray("data", "check", tiny.path, "--strict") == 2
    assert "copy-across-xview, and --strict allows nothing" in capsys.readouterr().err
    assert skelray("data", "check", stored(tmp_path / "b.arrow", people()).path, "--strict") == 0
    assert "nothing found" in capsys.readouterr().out


def test_what_makes_training_wrong_leaves_with_2_and_json_is_whole(tmp_path, capsys):
    def nobody(joints):
        joints[:] = 0

    stored(tmp_path / "a.arrow", damaged(people(), 1, nobody))
    assert skelray("data", "check", tmp_path / "a.arrow", "--json") == 2
    out, error = capsys.readouterr()
    assert error.endswith("training on this would be wrong: nobody is seen (1)\n")
    (kind,) = json.loads(out)["kinds"]
    assert (kind["kind"], kind["wrong"], kind["count"]) == ("empty-clip", True, 1)
    assert kind["findings"][0]["clips"] == ["clip<1>"]
    assert kind["findings"][0]["frames"] == 41


@pytest.mark.parametrize(
    ("option", "told"),
    [(("--still", 1), "--still: "), (("--long", 0.5), "--long: "), (("--frame-rate", "nan"), "--frame-rate nan")],
)
def test_limits_that_cannot_be_are_refused(option, told, tmp_path, capsys):
    stored(tmp_path / "a.arrow", people())
    assert skelray("data", "check", tmp_path / "a.arrow", *option) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 1

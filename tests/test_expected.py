"""After an import: what is published, what is there, and which cause explains how many clips of the difference."""

from itertools import product

import numpy as np
import pytest

from skelray import skeletons
from skelray.data import expected, splits, store
from skelray.data.clip import TEST, TRAIN, Clip
from skelray.data.expected import UNEXPLAINED
from skelray.data.ntu import names as ntu
from skelray.errors import BadInput

NEVER = ("a8_s1_t4", "a23_s6_t4", "a27_s8_t4")
UTD = [f"a{a}_s{s}_t{t}" for a, s, t in product(range(1, 28), range(1, 9), range(1, 5))]
UTD = [name for name in UTD if name not in NEVER]


def clip(name: str, **known) -> Clip:
    action, subject, trial = (int(part[1:]) for part in name.split("_"))
    known = {"subject": subject, **known}
    return Clip(name, np.zeros((1, 1, 20, 3), np.float32), action - 1, camera=1, replication=trial, **known)


def stored(folder, clips, name="utd-mhad", classes=27, layout="kinect20"):
    store.write(folder / "a.arrow", clips, skeletons.layout(layout), name, tuple(f"c{i}" for i in range(classes)))
    return store.open(folder / "a.arrow")


def test_a_whole_set_differs_in_nothing(tmp_path):
    opened = stored(tmp_path, [clip(name) for name in UTD])
    assert expected.differences(opened, [], []) == []
    assert expected.sentences(opened, []) == ["xsub: 431 training and 430 test clips, as published"]
    assert expected.document(opened, []) == {"differences": [], "disagreements": []}


def test_every_cause_is_counted_on_its_side_and_all_add_up(tmp_path):
    gone = {"a1_s1_t1", "a2_s3_t2", "a3_s2_t1"}  # two of the training side, one of the test side
    dropped = [("a4_s1_t1", "too short"), ("a5_s2_t2", "too short"), ("a6_s2_t1", "no motion"), ("a8_s1_t4", "damaged")]
    broken = [("deep/a7_s5_t1_skeleton.mat", "not whole"), ("b.zip/a7_s8_t1_skeleton.mat", "text in numbers")]
    away = gone | {name for name, _ in dropped} | {"a7_s5_t1", "a7_s8_t1"}
    clips = [clip(name) for name in UTD if name not in away]
    clips += [clip("a23_s6_t4"), clip("a9_s1_t1"), clip("a9_s1_t9"), clip("a9_s1_t1")]
    opened = stored(tmp_path, clips)
    train, test = expected.differences(opened, dropped, broken)
    assert (train.split, train.side, train.expected, train.found) == ("xsub", "train", 431, 431 - 4 + 3)
    assert train.causes == {
        "missing from the source": -2, "left out: too short": -1, "unreadable": -1,
        "not of this data set": 1, "stored more than once": 2,
    }  # fmt: skip
    assert (test.side, test.expected, test.found) == ("test", 430, 430 - 4 + 1)
    assert test.causes == {
        "missing from the source": -1, "left out: too short": -1, "left out: no motion": -1, "unreadable": -1,
        "not of this data set": 1,
    }  # fmt: skip
    assert train.names["missing from the source"] == ["a1_s1_t1", "a2_s3_t2"]
    assert train.names["stored more than once"] == ["a9_s1_t1", "a9_s1_t1"]
    assert test.names["unreadable"] == ["a7_s8_t1"]
    for each in (train, test):
        assert sum(each.causes.values()) == each.found - each.expected
        assert {cause: len(names) for cause, names in each.names.items()} == {c: abs(n) for c, n in each.causes.items()}
    first, second = expected.sentences(opened, [train, test])
    assert first.startswith("xsub train: 430 clips where 431 were published: ")
    assert "2 missing from the source (a1_s1_t1, a2_s3_t2)" in first
    assert "1 left out: no motion (a6_s2_t1)" in second


def test_one_lost_and_one_strange_clip_do_not_hide_each_other(tmp_path):
    clips = [clip(name) for name in UTD if name != "a1_s1_t1"] + [clip("a1_s1_t7")]
    (train,) = expected.differences(stored(tmp_path, clips), [], [])
    assert (train.expected, train.found) == (431, 431)
    assert train.causes == {"missing from the source": -1, "not of this data set": 1}


def test_a_subject_that_is_not_its_names_leaves_a_rest_that_no_name_explains(tmp_path):
    clips = [clip(name, **({"subject": 2} if name == "a1_s1_t1" else {})) for name in UTD]
    train, test = expected.differences(stored(tmp_path, clips), [], [])
    assert (train.causes, test.causes) == ({UNEXPLAINED: -1}, {UNEXPLAINED: 1})


def test_clips_without_the_sets_names_are_counted_alone(tmp_path):
    clips = [clip(name) for name in UTD[:-2]]
    other = [Clip(f"clip {number}", c.joints, c.label, c.subject) for number, c in enumerate(clips)]
    (test,) = expected.differences(stored(tmp_path, other), [("clip 900", "too short")], [])
    assert test.causes == {UNEXPLAINED: -2}
    assert test.uncertain == 1
    assert "2 for which no list of names gives a reason (1 left out or unreadable, on an unknown side)" in str(test)


def test_a_split_that_only_its_lists_decide_is_counted(tmp_path):
    """PKU-MMD II: 5,339 and 1,613 clips, named by no rule."""
    clips = [
        Clip(f"A{number:04}", np.zeros((1, 1, 25, 3), np.float32), 0, sides={"xsub": TRAIN if number < 5339 else TEST})
        for number in range(5339 + 1613)
    ]
    opened = stored(tmp_path, clips, "pkummd2", 51, "kinect25")
    assert expected.sentences(opened, expected.differences(opened, [], [])) == [
        "xsub: 5,339 training and 1,613 test clips, as published"
    ]
    fewer = stored(tmp_path, clips[10:], "pkummd2", 51, "kinect25")
    (train,) = expected.differences(fewer, [("A0003", "all zeros")], [])
    assert (train.found, train.causes, train.uncertain) == (5329, {UNEXPLAINED: -10}, 1)
    with pytest.raises(BadInput, match='cannot be split by "xview": its source came without the list of it'):
        splits.sizes(fewer, "xview")


def test_a_source_that_contradicts_the_official_rule_is_reported_and_not_followed(tmp_path):
    """The published lists of UTD-MHAD, but with subject 2 among those who train."""
    clips = [clip(name, sides={"xsub": TRAIN if "_s2_" in name or int(name.split("_s")[1][0]) % 2 else TEST})
             for name in UTD]  # fmt: skip
    opened = stored(tmp_path, clips)
    assert splits.sizes(opened, "xsub") == (431, 430)
    (told,) = expected.disagreements(opened)
    assert (told.split, len(told.names)) == ("xsub", 108)
    assert expected.sentences(opened, [])[1] == (
        "xsub: the source puts 108 clips on the other side than the official rule, which is followed "
        "(a1_s2_t1, a1_s2_t2, a1_s2_t3, ...)"
    )


@pytest.fixture(scope="module")
def performances() -> list[Clip]:
    """All 56,578 clips of NTU-60, one frame each, in order of name."""
    return [still(name) for name in sorted(ntu.expected("ntu60"))]


def still(name: str) -> Clip:
    of = ntu.parsed(name)
    return Clip(name, np.zeros((1, 1, 25, 3), np.float32), of.action - 1, of.performer, of.camera, of.setup)


def test_the_whole_of_ntu_in_either_form_is_as_published(tmp_path, performances):
    opened = stored(tmp_path, performances, "ntu60-2d", 60, "kinect25")
    assert expected.sentences(opened, expected.differences(opened, [], [])) == [
        "xsub: 40,091 training and 16,487 test clips, as published",
        "xview: 37,646 training and 18,932 test clips, as published",
    ]


def test_a_clip_that_ntu_lacks_and_one_that_its_owner_lists_are_told_in_both_splits(tmp_path, performances):
    """Performer 1 trains, camera 1 tests. A listed clip stands in the place of the lost one."""
    listed = sorted(ntu.missing_skeletons("ntu60"))[0]
    clips = [still(listed) if clip.clip_name == "S001C001P001R001A001" else clip for clip in performances]
    opened = stored(tmp_path, clips, "ntu60", 60, "kinect25")
    told = {(each.split, each.side): each for each in expected.differences(opened, [], [])}
    assert told["xsub", "train"].names["missing from the source"] == ["S001C001P001R001A001"]
    assert told["xview", "test"].names["missing from the source"] == ["S001C001P001R001A001"]
    kept = [each for each in told.values() if "stored although the owner lists the skeleton as missing" in each.causes]
    assert {each.split for each in kept} == {"xsub", "xview"}
    assert all(sum(each.causes.values()) == each.found - each.expected for each in told.values())

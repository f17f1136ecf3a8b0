"""What looking at the real data sets finds: facts about sets that everybody uses."""

import numpy as np
import pytest
import read_tables
from pictures import read

from skelray.data import comparing, copies, facts, health, store
from skelray.data.readers import msrc12, ntu_skeleton, nw_ucla, utd_mhad
from skelray.data.source import DataSet
from skelray.data.store import Store
from skelray.show import dataset


def stored(source: DataSet, path) -> Store:
    """A whole source as a store, as importing makes it."""
    told = {"units": source.units, "frame_rate": source.frame_rate, "licence": source.licence}
    store.write(path, source.clips, source.skeleton, source.name, source.classes, source.transforms, about=told)
    return store.open(path)


@pytest.fixture(scope="module")
def opened(shared_data, tmp_path_factory):
    """Name -> store, each made once."""
    folder, made = tmp_path_factory.mktemp("stores"), {}
    sources = {
        "nw-ucla": lambda: nw_ucla.read(shared_data / "nw-ucla"),
        "utd-mhad": lambda: utd_mhad.read(shared_data / "utd-mhad"),
        "msrc12": lambda: msrc12.read(shared_data / "msrc12.npz"),
        "ntu": lambda: ntu_skeleton.read(shared_data / "samples" / "ntu_raw"),
    }

    def found(name):
        if name not in made:
            made[name] = stored(sources[name](), folder / f"{name}.arrow")
        return made[name]

    return found


def findings(opened: Store, frame_rate: float | None = None):
    """Kind -> findings."""
    return {kind.name: each for kind, each in health.check(opened, frame_rate=frame_rate).found.items()}


@pytest.mark.parametrize(
    ("name", "clips", "copied", "frames", "split", "sides"),
    [
        ("nw-ucla", 1484, 95, 58_534, "xview", (1020, 464, 95)),
        ("utd-mhad", 861, 0, 58_299, "xsub", (431, 430, 0)),
        ("msrc12", 6231, 0, 279_638, "xsub", (3104, 3127, 0)),
        ("ntu", 12, 0, 1_130, "xsub", (9, 3, 0)),
    ],
)
def test_the_facts(name, clips, copied, frames, split, sides, opened):
    found = facts.gather(opened(name))
    assert (found["clips"], found["copies"], found["frames"]["total"]) == (clips, copied, frames)
    (mine,) = [each for each in found["splits"] if each["name"] == split]
    assert (mine["train"], mine["test"], mine["test_copies_of_train"]) == sides
    assert found["bones"]["look_like_metres"] is True
    assert found["missing"]["missing"] == 0


def test_msrc12_has_frames_without_a_body(opened):
    assert facts.gather(opened("msrc12"))["missing"]["unseen"] == 33


def test_nw_ucla_and_its_95_copies(opened):
    found = findings(opened("nw-ucla"), 30.0)
    pairs = {finding.clips for finding in found["copy-across-xview"]}
    assert pairs == {(name, name.replace("v03", "v02")) for name, _ in pairs}
    assert sorted({name[:3] for name, _ in pairs}) == ["a02", "a03"]
    assert (len(pairs), len(copies.equal(opened("nw-ucla")))) == (95, 95)
    assert [finding.clips for finding in found["one-frame"]] == [("a02_s09_e04_v02",), ("a02_s09_e04_v03",)]
    assert found["long-bone"][0].clips == ("a03_s05_e02_v01",)
    assert found["long-bone"][0].numbers["length"] > 2  # metres, of a hip
    assert found.keys() == {"one-frame", "long-bone", "changing-bone", "jump", "copy-across-xview"}


def test_no_set_has_what_makes_training_wrong_and_none_but_nw_ucla_has_copies(opened):
    for name in ("utd-mhad", "msrc12", "ntu"):
        found = health.check(opened(name))
        assert not found.wrong
        assert {kind.name for kind in found.found} <= {"long-bone", "changing-bone", "jump"}, name


def test_bones_of_utd_mhad_are_steadier_than_those_of_nw_ucla(opened):
    share = {
        name: len(findings(opened(name))["changing-bone"]) / opened(name).clips for name in ("utd-mhad", "nw-ucla")
    }
    assert share == {"utd-mhad": pytest.approx(103 / 861), "nw-ucla": pytest.approx(552 / 1484)}


def test_the_page_of_nw_ucla(opened):
    clips = opened("nw-ucla")
    text = dataset.text(clips)
    found = read_tables.read(text).found
    assert ["xview", "1,020", "464", "95", "1,020 / 464"] in found["Clips on each side"]
    assert ["walk around", "", "173", "31"] in found["Clips of each class"]
    assert found["Clips of each subject before each camera"][-1] == ["all", "516", "504", "464", "1,484"]
    assert set(np.unique(clips.camera[list(dataset.typical(clips)[0].values())])) <= {1, 2}
    assert len(read(text)) == 10


def test_the_steps_of_nw_ucla_become_visible(shared_data, tmp_path):
    source = nw_ucla.read(shared_data / "nw-ucla")
    stores = [
        stored(source.aligned(steps), tmp_path / f"{number}.arrow")
        for number, steps in enumerate([[], ["hip_origin"], ["hip_origin", "yaw"]])
    ]
    assert comparing.compare(stores[0], stores[1])["coordinates"]["ways"] == {"moved": 1484}
    turned = comparing.compare(stores[0], stores[2])["coordinates"]
    assert turned["ways"].keys() <= {"moved", "turned"}
    assert turned["ways"]["turned"] > 1400
    assert turned["largest_left_open"] < 1e-3

"""What looking at the real data sets finds: facts about sets that everybody uses."""

from dataclasses import replace

import numpy as np
import pytest
import read_tables
from pictures import read

from skelray.data import comparing, copies, facts, health, store
from skelray.data.readers import nw_ucla
from skelray.data.source import DataSet
from skelray.data.store import Store
from skelray.show import dataset


def read_once(source: DataSet) -> DataSet:
    """The same source; its files are read now, whatever steps are asked of it later."""
    loaded = list(source.load(source.parts))
    return replace(source, load=lambda parts: iter(loaded))


def findings(opened: Store, frame_rate: float | None = None):
    """Kind -> findings."""
    return {kind.name: each for kind, each in health.check(opened, frame_rate=frame_rate).found.items()}


@pytest.mark.parametrize(
    ("name", "clips", "copied", "frames", "split", "sides"),
    [
        ("nw_ucla", 1484, 95, 58_534, "xview", (1020, 464, 95)),
        ("utd_mhad", 861, 0, 58_299, "xsub", (431, 430, 0)),
        ("msrc12", 6231, 0, 279_638, "xsub", (3104, 3127, 0)),
        ("ntu_skeleton", 12, 0, 1_130, "xsub", (9, 3, 0)),
    ],
)
def test_the_facts(name, clips, copied, frames, split, sides, imported):
    found = facts.gather(imported(name))
    assert (found["clips"], found["copies"], found["frames"]["total"]) == (clips, copied, frames)
    (mine,) = [each for each in found["splits"] if each["name"] == split]
    assert (mine["train"], mine["test"], mine["test_copies_of_train"]) == sides
    assert found["bones"]["look_like_metres"] is True
    assert found["missing"]["missing"] == 0


def test_msrc12_has_frames_without_a_body(imported):
    assert facts.gather(imported("msrc12"))["missing"]["unseen"] == 33


def test_nw_ucla_and_its_95_copies(imported):
    found = findings(imported("nw_ucla"), 30.0)
    pairs = {finding.clips for finding in found["copy-across-xview"]}
    assert pairs == {(name, name.replace("v03", "v02")) for name, _ in pairs}
    assert sorted({name[:3] for name, _ in pairs}) == ["a02", "a03"]
    assert (len(pairs), len(copies.equal(imported("nw_ucla")))) == (95, 95)
    assert [finding.clips for finding in found["one-frame"]] == [("a02_s09_e04_v02",), ("a02_s09_e04_v03",)]
    assert found["long-bone"][0].clips == ("a03_s05_e02_v01",)
    assert found["long-bone"][0].numbers["length"] > 2  # metres, of a hip
    assert found.keys() == {"one-frame", "long-bone", "changing-bone", "jump", "copy-across-xview"}


def test_no_set_has_what_makes_training_wrong_and_none_but_nw_ucla_has_copies(imported):
    for name in ("utd_mhad", "msrc12", "ntu_skeleton"):
        found = health.check(imported(name))
        assert not found.wrong
        assert {kind.name for kind in found.found} <= {"long-bone", "changing-bone", "jump"}, name


def test_bones_of_utd_mhad_are_steadier_than_those_of_nw_ucla(imported):
    share = {
        name: len(findings(imported(name))["changing-bone"]) / imported(name).clips for name in ("utd_mhad", "nw_ucla")
    }
    assert share == {"utd_mhad": pytest.approx(103 / 861), "nw_ucla": pytest.approx(552 / 1484)}


def test_the_page_of_nw_ucla(imported):
    clips = imported("nw_ucla")
    text = dataset.text(clips)
    found = read_tables.read(text).found
    assert ["xview", "1,020", "464", "95", "1,020 / 464"] in found["Clips on each side"]
    assert ["walk around", "", "173", "31"] in found["Clips of each class"]
    assert found["Clips of each subject before each camera"][-1] == ["all", "516", "504", "464", "1,484"]
    assert set(np.unique(clips.camera[list(dataset.typical(clips)[0].values())])) <= {1, 2}
    assert len(read(text)) == 10


def test_the_steps_of_nw_ucla_become_visible(shared_data, imported, tmp_path):
    source = read_once(nw_ucla.read(shared_data / "nw-ucla"))
    stores = []
    for number, steps in enumerate([[], ["hip_origin"]]):
        clips, path = source.aligned(steps).clips, tmp_path / f"{number}.arrow"
        store.write(path, clips, source.skeleton, source.name, source.classes)
        stores.append(store.open(path))
    assert comparing.compare(*stores)["coordinates"]["ways"] == {"moved": 1484}
    assert source.steps == ("hip_origin", "yaw")
    turned = comparing.compare(stores[0], imported("nw_ucla"))["coordinates"]
    assert turned["ways"].keys() <= {"moved", "turned"}
    assert turned["ways"]["turned"] > 1400
    assert turned["largest_left_open"] < 1e-3

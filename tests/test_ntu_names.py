"""Names of NTU files: taken apart, refused, and known in full, as the owners' lists have them."""

import pytest

from skelray.data import splits
from skelray.data.ntu import names
from skelray.errors import BadInput

LISTS = {"ntu60": "ntu", "ntu120": "ntu120"}


def listed(shared_data, dataset, ending):
    (file,) = (shared_data / "samples" / "ntu_lists" / LISTS[dataset]).glob(f"*{ending}.txt")
    return file.read_text().split()


@pytest.mark.parametrize(("dataset", "count", "missing"), [("ntu60", 56578, 302), ("ntu120", 113945, 535)])
def test_every_clip_of_the_full_sets_is_known_by_name(shared_data, dataset, count, missing):
    assert names.expected(dataset) == set(listed(shared_data, dataset, "available_name"))
    assert names.missing_skeletons(dataset) == set(listed(shared_data, dataset, "missing_skeletons"))
    assert (len(names.expected(dataset)), len(names.missing_skeletons(dataset))) == (count, missing)


@pytest.mark.parametrize("dataset", LISTS)
def test_a_name_tells_what_the_lists_tell(shared_data, dataset):
    columns = [listed(shared_data, dataset, f"{what}") for what in ("setup", "camera", "performer", "replication")]
    for name, *told in zip(listed(shared_data, dataset, "available_name"), *columns, strict=True):
        found = names.parsed(name)
        assert [found.setup, found.camera, found.performer, found.replication] == [int(number) for number in told]


@pytest.mark.parametrize(
    ("dataset", "split", "train"),
    [("ntu60", "xsub", 40091), ("ntu60", "xview", 37646), ("ntu120", "xsub", 63026), ("ntu120", "xset", 54468)],
)
def test_the_names_alone_give_the_sizes_of_the_official_splits(dataset, split, train):
    rule = splits.protocols()[dataset][split]
    of = {"subject": "performer", "camera": "camera", "setup": "setup"}[rule["by"]]
    found = [getattr(names.parsed(name), of) in rule["train"] for name in names.expected(dataset)]
    assert (sum(found), len(found) - sum(found)) == (train, {"ntu60": 56578, "ntu120": 113945}[dataset] - train)


def test_the_cameras_of_a_performance_share_its_recording_and_nobody_else_does():
    recordings = {}
    for name in names.expected("ntu120") | names.missing_skeletons("ntu120"):
        found = names.parsed(name)
        performance = (found.setup, found.performer, found.replication, found.action)
        recordings.setdefault(found.recording, []).append(performance)
    assert len(recordings) == 114480 // 3
    assert all(len(of) == 3 and len(set(of)) == 1 for of in recordings.values())
    assert max(recordings) < 2**31


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("S001C001P001R001A121", "names action 121; there are 1 to 120"),
        ("S033C001P001R001A001", "names setup 33; there are 1 to 32"),
        ("S001C004P001R001A001", "names camera 4; there are 1 to 3"),
        ("S001C001P000R001A001", "names performer 0; there are 1 to 106"),
        ("S001C001P001R003A001", "names replication 3; there are 1 to 2"),
        ("S001C001P001R001A01", "is not a name like S001C002P003R002A013"),
        ("S001C001P001R001A001 (1)", "is not a name like"),
        ("", "is not a name like"),
    ],
)
def test_a_name_that_no_clip_has_is_refused(name, message):
    with pytest.raises(BadInput, match=message):
        names.parsed(name)

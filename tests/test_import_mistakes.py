"""What may go wrong around an import: places that are no stores, sources that are no files, settings, rights."""

import os

import pytest
from test_cli_data import skelray
from written_nw_ucla import nw_ucla_file

from skelray.data import locate, store, synthetic
from skelray.data.files import Files
from skelray.errors import BadInput

__all__ = ["skelray"]


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    nw_ucla_file(folder, "a01_s01_e00_v01", label=1)
    return folder


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a\nb", "a\0b", " a", "*"])
def test_what_is_no_word_names_no_store(skelray, source, name):
    with pytest.raises(BadInput, match=r"cannot name a store; a word can, or a path that ends in \.arrow"):
        skelray("import", "nw_ucla", source, name)


@pytest.mark.parametrize("name", ["stores/mine", "./mine.txt", "mine.arrow/", "deep/"])
def test_a_path_that_does_not_end_in_arrow_is_no_store(skelray, source, name):
    with pytest.raises(BadInput, match=r"which ends in \.arrow; try .*[a-z]\.arrow"):
        skelray("import", "nw_ucla", source, name)


def test_the_file_of_a_synthetic_set_is_not_given_away(skelray, source):
    with pytest.raises(BadInput, match="is built by skelray itself"):
        skelray("import", "nw_ucla", source, f"synthetic-small-{synthetic.VERSION}")


@pytest.mark.parametrize("content", [b"my notes", b"PK\x03\x04", b"\0"])
def test_a_file_that_is_no_store_is_never_overwritten(skelray, source, tmp_path, content):
    place = tmp_path / "mine.arrow"
    place.write_bytes(content)
    with pytest.raises(BadInput, match=r"mine\.arrow is there already and is no store; choose another name"):
        skelray("import", "nw_ucla", source, place)
    assert place.read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ["mine.arrow", "source"]


@pytest.mark.parametrize("left", [0, 100, -1])
def test_a_store_is_overwritten_though_it_is_damaged(skelray, source, tmp_path, left):
    place = tmp_path / "mine.arrow"
    skelray("import", "nw_ucla", source, place)
    whole = place.read_bytes()
    place.write_bytes(whole[:left])
    skelray("import", "nw_ucla", source, place)
    assert place.read_bytes() == whole


def test_nothing_but_a_file_takes_the_place_of_a_store(skelray, source, tmp_path):
    os.mkfifo(tmp_path / "pipe.arrow")
    with pytest.raises(BadInput, match="is there already and is no store"):
        skelray("import", "nw_ucla", source, tmp_path / "pipe.arrow")
    assert (tmp_path / "pipe.arrow").is_fifo()


def test_a_file_in_the_place_of_a_folder_is_named(skelray, source, tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(BadInput, match=r"a\.arrow cannot be written: \S*notes is no folder"):
        skelray("import", "nw_ucla", source, tmp_path / "notes" / "a.arrow")


def test_a_source_that_might_never_end_is_not_read(skelray, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="pipe is neither a file nor a folder"):
        skelray("import", "nw_ucla", tmp_path / "pipe", "mine")


def test_a_file_in_the_place_of_a_source_is_told(skelray, source):
    with pytest.raises(BadInput, match=r"v01\.json: neither a folder nor a whole zip archive"):
        skelray("import", "nw_ucla", source / "a01_s01_e00_v01.json", "mine")
    with pytest.raises(BadInput, match=r"source is a folder; name the \.npz file that is meant"):
        skelray("import", "ntu_npz", source, "mine")


def test_a_folder_that_may_not_be_looked_into_is_told(source, monkeypatch):
    (source / "closed").mkdir()
    scan = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)  # root may look into everything
    with pytest.raises(BadInput, match=r"source/closed: Permission denied"):
        Files(source).names(".json")


def test_a_name_that_the_file_system_refuses_is_told(tmp_path):
    with pytest.raises(BadInput, match="File name too long"):
        locate.find("x" * 300)
    with pytest.raises(BadInput, match="File name too long"):
        store.open(tmp_path / ("x" * 300))


def test_a_report_that_cannot_be_written_does_not_hide_that_the_store_is_whole(skelray, source, tmp_path):
    (tmp_path / "mine.import.json").mkdir()
    with pytest.raises(
        BadInput, match=r"mine\.import\.json, the report, cannot be written: .*the store itself is whole"
    ):
        skelray("import", "nw_ucla", source, tmp_path / "mine.arrow")
    assert store.open(tmp_path / "mine.arrow").clips == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("=3", "--set =3: key=value is due"),
        ("dataset=ntu61", r"'ntu60' or 'ntu120', not 'ntu61'$"),
        ("datset=ntu60", r"unknown key; did you mean .dataset.\? \(the reader ntu_skeleton lets you set .*dataset"),
    ],
)
def test_what_can_be_set_is_listed_where_a_key_is_unknown_alone(skelray, source, setting, message):
    with pytest.raises(BadInput, match=message):
        skelray("import", "ntu_skeleton", source, "mine", "--set", setting)


@pytest.mark.parametrize("arguments", [("--val-subjects", 0), ("--val-seed", -1)])
def test_splits_refuses_what_no_trial_takes(skelray, source, arguments):
    skelray("import", "nw_ucla", source, "mine")
    with pytest.raises(SystemExit) as caught:
        skelray("splits", "mine", *arguments)
    assert caught.value.code == 2


def test_linked_folders_are_read_once_and_links_that_lead_back_end(source, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "part").symlink_to(source)
    (tmp_path / "all" / "the same").symlink_to(source)
    (source / "back").symlink_to(tmp_path)
    assert len(Files(tmp_path / "all").names(".json")) == 1
    assert len(Files(source).names(".json")) == 1

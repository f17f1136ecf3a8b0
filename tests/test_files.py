"""A source as files: folders and archives alike, and nothing outside of them or too large for memory."""

import zipfile

import pytest

from skelray.data.files import Files, text
from skelray.errors import BadInput


def packed(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_txt", ".txt"), content)
    return path


def test_folders_and_archives_in_them_are_one_source(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b.txt").write_bytes(b"b")
    (tmp_path / "a.txt").write_bytes(b"a")
    (tmp_path / ".hidden.txt").write_bytes(b"h")
    (tmp_path / "other.csv").write_bytes(b"o")
    packed(tmp_path / "more.zip", deep__c_txt=b"c", __MACOSX__=b"", d_txt=b"d")
    files = Files(tmp_path)
    assert files.names(".txt") == ["a.txt", "below/b.txt", "more.zip!d.txt", "more.zip!deep/c.txt"]
    assert [files.read(name) for name in files.names(".txt")] == [b"a", b"b", b"d", b"c"]
    assert files.where("more.zip!deep/c.txt") == f"{tmp_path}/more.zip!deep/c.txt"
    assert files.where("a.txt") == f"{tmp_path}/a.txt"


def test_an_archive_alone_is_a_source(tmp_path):
    files = Files(packed(tmp_path / "raw.zip", deep__a_txt=b"a", b_csv=b"no"))
    assert files.names(".txt") == ["deep/a.txt"]
    assert files.read("deep/a.txt") == b"a"
    assert files.where("deep/a.txt") == f"{tmp_path}/raw.zip!deep/a.txt"


def test_a_stamp_changes_with_the_file(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a")
    files = Files(tmp_path)
    before = files.stamp("a.txt")
    assert files.stamp("a.txt") == before
    (tmp_path / "a.txt").write_bytes(b"ab")
    assert files.stamp("a.txt") != before
    (tmp_path / "a.txt").unlink()
    with pytest.raises(BadInput, match=r"a\.txt: No such file"):
        files.stamp("a.txt")
    with pytest.raises(BadInput, match=r"a\.txt: cannot be read"):
        files.read("a.txt")


@pytest.mark.parametrize("name", ["../a.txt", "/etc/hosts", "b/../../a.txt", "..\\a.txt", "a\0.txt"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.txt").write_bytes(b"a")
    with pytest.raises(BadInput, match="leads out of the folder"):
        Files(tmp_path / "in").read(name)


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a\\..\\evil.txt"])
def test_an_archive_with_a_member_that_leads_out_of_it_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, b"evil")
    with pytest.raises(BadInput, match=r"bad\.zip: holds .* leads out of the archive"):
        Files(tmp_path / "bad.zip").names(".txt")


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    packed(tmp_path / "bomb.zip", a_txt=bytes(3_000_000))
    files = Files(tmp_path / "bomb.zip")
    with pytest.raises(BadInput, match=r"bomb\.zip!a\.txt: would unpack to 3,000,000 bytes"):
        files.read("a.txt", largest=1_000_000)


def test_an_archive_that_was_replaced_is_read_anew(tmp_path):
    files = Files(packed(tmp_path / "raw.zip", a_txt=b"old"))
    assert files.read("a.txt") == b"old"
    packed(tmp_path / "new.zip", a_txt=b"newer").replace(tmp_path / "raw.zip")
    assert files.read("a.txt") == b"newer"


def test_an_archive_that_lies_about_a_size_is_read_no_further(tmp_path):
    path = packed(tmp_path / "liar.zip", a_txt=bytes(range(256)) * 20_000)
    raw = bytearray(path.read_bytes())
    told = (256 * 20_000).to_bytes(4, "little")
    assert raw.count(told) == 2
    for _ in range(2):
        place = raw.index(told)
        raw[place : place + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=r"liar\.zip!a\.txt: cannot be read \(Bad CRC"):
        Files(path).read("a.txt")


def test_damaged_archives_and_members_are_told(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK\x05\x06" + b"nothing")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.zip").write_bytes(b"no archive")
    with pytest.raises(BadInput, match=r"bad\.zip: not a whole zip archive"):
        Files(tmp_path / "in").names(".txt")
    path = packed(tmp_path / "torn.zip", a_txt=b"abc" * 1000)
    raw = bytearray(path.read_bytes())
    raw[45] ^= 255
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=r"torn\.zip!a\.txt: cannot be read"):
        Files(path).read("a.txt")


def test_a_member_named_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.txt", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", b"2")
    with pytest.raises(BadInput, match=r"two\.zip: holds 'a\.txt' twice"):
        Files(tmp_path / "two.zip").names(".txt")


def test_text_tells_the_line_of_a_byte_that_is_none():
    assert text("\ufeffab\n".encode(), "f") == "ab\n"
    with pytest.raises(BadInput, match=r"f:3: not text \(byte 5 is 0xff\)"):
        text(b"1\n22\n\xff", "f")


def test_files_come_in_the_order_of_their_own_names_and_none_twice(tmp_path):
    packed(tmp_path / "a.zip", c_txt=b"", z__a_txt=b"")
    (tmp_path / "b.txt").write_bytes(b"")
    files = Files(tmp_path)
    assert files.once(files.names(".txt")) == ["a.zip!z/a.txt", "b.txt", "a.zip!c.txt"]
    (tmp_path / "c.txt").write_bytes(b"")
    with pytest.raises(BadInput, match=r"c is there twice, as a\.zip!c\.txt and c\.txt; one has to go"):
        files.once(files.names(".txt"))

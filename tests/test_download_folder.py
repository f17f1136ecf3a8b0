"""What lies in the folder of downloads already is neither trusted blindly nor overwritten."""

import fcntl
import random
from hashlib import sha256

import pytest
from cut_server import serving

from skelray.data import download
from skelray.data.download import Wanted, fetch, present
from skelray.errors import BadInput

CONTENT = random.Random(6).randbytes(5003)
SHA256 = sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_file_that_differs_from_the_first_one_fetched_is_refused(tmp_path):
    with serving(CONTENT) as served:
        wanted = Wanted(served.url(), "file.pkl")
        fetch(wanted, tmp_path)
        (tmp_path / "file.pkl").unlink()
        served.content = CONTENT[::-1]
        with pytest.raises(BadInput, match=rf"not {SHA256}.* remove {tmp_path / 'file.pkl.sha256'} and repeat"):
            fetch(wanted, tmp_path)
        assert not (tmp_path / "file.pkl").exists()
        (tmp_path / "file.pkl.sha256").unlink()
        assert fetch(wanted, tmp_path) == sha256(CONTENT[::-1]).hexdigest()


def test_a_file_that_changed_on_the_disk_is_told(tmp_path):
    with serving(CONTENT) as served:
        wanted = Wanted(served.url(), "file.pkl")
        fetch(wanted, tmp_path)
        (tmp_path / "file.pkl").write_bytes(b"changed")
        for look in (lambda: present(wanted, tmp_path), lambda: fetch(wanted, tmp_path)):
            with pytest.raises(BadInput, match=f"not {SHA256}; move it away"):
                look()


def test_a_file_of_unknown_origin_is_neither_trusted_nor_overwritten(tmp_path):
    (tmp_path / "file.pkl").write_bytes(b"mine")
    with pytest.raises(BadInput, match="nothing tells whether it is whole"):
        fetch(Wanted("https://example.org", "file.pkl"), tmp_path)
    assert (tmp_path / "file.pkl").read_bytes() == b"mine"


@pytest.mark.parametrize("note", [b"", b"short  file.pkl", b"\xff\xfe"])
def test_a_torn_checksum_is_told_with_its_place(tmp_path, note):
    (tmp_path / "file.pkl.sha256").write_bytes(note)
    (tmp_path / "file.pkl").write_bytes(CONTENT)
    with pytest.raises(BadInput, match=r"file\.pkl\.sha256"):
        present(Wanted("https://example.org", "file.pkl"), tmp_path)


def test_two_downloads_do_not_write_one_file(tmp_path):
    with (tmp_path / ".file.pkl.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="another skelray is fetching it"):
            fetch(Wanted("https://example.org", "file.pkl"), tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="set SKELRAY_DOWNLOADS or --out to a folder of yours"):
        fetch(Wanted("https://example.org", "file.pkl"), tmp_path / "file" / "below")


def test_the_folder_of_downloads_is_the_users_to_choose(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELRAY_DOWNLOADS", str(tmp_path))
    assert download.folder() == tmp_path
    monkeypatch.setenv("SKELRAY_DOWNLOADS", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert download.folder() == tmp_path / ".cache/skelray/downloads"

"""What no second try can mend is refused in a sentence, and nothing wrong is left under the file's name."""

import base64
import hashlib
import json
import random
import shutil
from collections import namedtuple

import pytest
import requests
from cut_server import chunked, cut, lying, redirect, serving, status, unending

from skelray.data import download
from skelray.data.download import Wanted, fetch
from skelray.data.web import Patience
from skelray.errors import BadInput

CONTENT = random.Random(5).randbytes(100_003)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
Disk = namedtuple("Disk", "total used free")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def refused(tmp_path):
    """The sentence that a download from such a server ends with; the file's name must not be there."""

    def sentence(*answers, content=CONTENT, served=None, **wanted):
        with serving(content, *answers) as server:
            with pytest.raises(BadInput) as error:
                fetch(
                    Wanted(server.url(), "file.pkl", **wanted), tmp_path, Patience(tries=3, wait=lambda seconds: None)
                )
            sentence.asked = server.asked
        assert not (tmp_path / "file.pkl").exists()
        assert "\n" not in str(error.value)
        return str(error.value)

    return sentence


def kept(folder) -> int:
    """Bytes of the unfinished file."""
    path = folder / "file.pkl.part"
    return path.stat().st_size if path.exists() else 0


def test_wrong_bytes_are_thrown_away_and_the_next_command_begins_anew(refused, tmp_path):
    wrong = CONTENT[:-1] + b"?"
    told = refused(lying(body=wrong), sha256=SHA256)
    assert f"sha256 {hashlib.sha256(wrong).hexdigest()}, not {SHA256}; it was thrown away" in told
    assert kept(tmp_path) == 0
    with serving(CONTENT) as served:
        assert fetch(Wanted(served.url(), "file.pkl", sha256=SHA256), tmp_path) == SHA256


def test_a_wrong_beginning_is_found_though_the_rest_is_right(refused, tmp_path):
    told = refused(lying(body=bytes(50_000)), sha256=SHA256)
    assert f"not {SHA256}" in told
    assert refused.asked[1].range == "bytes=50000-"


@pytest.mark.parametrize("length", [5, 10**12])
def test_a_length_that_is_not_the_files_is_refused_before_reading(refused, tmp_path, length):
    told = refused(lying(Content_Length=length), size=len(CONTENT))
    assert f"offers {length:,} bytes, but the file has 100,003" in told
    assert kept(tmp_path) == 0


def test_a_length_that_is_too_short_fails_the_checksum(refused):
    assert f"not {SHA256}" in refused(lying(Content_Length=5), sha256=SHA256)


def test_a_length_that_is_too_long_ends_after_some_tries(refused, tmp_path):
    told = refused(*[lying(Content_Length=len(CONTENT) + 1)] * 3)
    assert "3 times in a row" in told or "not the one that was begun" in told


def test_bytes_without_end_are_left_at_the_size_of_the_file(refused, tmp_path):
    told = refused(unending(), size=len(CONTENT))
    assert "more than 100,003 bytes come" in told
    assert kept(tmp_path) == 0


def test_bytes_without_end_and_without_size_are_not_begun(refused, tmp_path):
    assert "does not say how long the file is" in refused(unending())
    assert kept(tmp_path) == 0


@pytest.mark.parametrize("length", ["-5", "many", "1" * 40])
def test_a_length_that_is_no_number_is_none(refused, length):
    assert "does not say how long the file is" in refused(unending(Content_Length=length))


def test_chunks_cannot_fill_the_disk(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 50_000)
    assert "more than 50,000 bytes come" in refused(chunked())
    assert kept(tmp_path) == 0


def test_too_little_room_is_told_before_a_byte_is_written(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**9, 0, download.RESERVE + 100_000))
    told = refused()
    assert f"{tmp_path}: 100,003 bytes are still to come and 100,000 are free" in told
    assert kept(tmp_path) == 0


def test_what_is_there_already_needs_no_room(refused, tmp_path, monkeypatch):
    refused(*[cut(50_000), *[cut(0)] * 3])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**9, 0, download.RESERVE + 50_003))
    with serving(CONTENT) as served:  # another address: nothing of the first is continued
        with pytest.raises(BadInput, match="100,003 bytes are still to come and 50,003 are free"):
            fetch(Wanted(served.url(), "file.pkl"), tmp_path)
        (tmp_path / "file.pkl.part").write_bytes(CONTENT[:50_000])
        told = {"url": served.url(), "validator": served.etag, "total": len(CONTENT), "md5": ""}
        (tmp_path / "file.pkl.part.json").write_text(json.dumps(told))
        assert fetch(Wanted(served.url(), "file.pkl"), tmp_path) == SHA256


def test_a_disk_that_fills_up_meanwhile_is_a_sentence(tmp_path):
    with serving(CONTENT) as served:

        def full(have, total):
            raise OSError(28, "No space left on device")

        with pytest.raises(
            BadInput, match=r"file\.pkl: cannot be written \(No space left on device\); the same command"
        ):
            fetch(Wanted(served.url(), "file.pkl"), tmp_path, progress=full)
    assert kept(tmp_path) == 65_536


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_what_comes_packed_is_refused(refused, encoding):
    assert f"comes packed ({encoding})" in refused(lying(Content_Encoding=encoding))


def test_a_web_page_is_not_the_file(refused):
    assert "sends a web page, not the file" in refused(lying(b"<html>", Content_Type="text/html; charset=utf-8"))


@pytest.mark.parametrize("number", [204, 304, 401, 403, 404, 410, 418])
def test_an_answer_that_is_no_file_is_final(refused, number):
    assert f"the server answers {number} " in refused(status(number))
    assert len(refused.asked) == 1


def test_a_part_that_nobody_asked_for_is_refused(refused):
    assert "answers 206" in refused(lambda handler, served: handler.usual(206, CONTENT))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/file", "data:text/plain,x"])
def test_a_redirect_off_the_web_is_refused(refused, target):
    assert f"sends us on to {target}, which is not an address on the web" in refused(redirect(target))


def test_redirects_in_circles_are_refused(refused):
    assert "sends us in circles" in refused(redirect("/a"), redirect("/file.pkl"))
    assert len(refused.asked) == 2


def test_redirects_without_end_are_refused(refused):
    assert "sends us in circles" in refused(*[redirect(f"/{step}") for step in range(20)])
    assert len(refused.asked) == 6


def test_a_redirect_away_from_a_safe_connection_is_refused(tmp_path, monkeypatch):
    moved = requests.Response()
    moved._content_consumed = True  # there is no connection to close
    moved.status_code, moved.headers["Location"] = 302, "http://example.org/file"
    monkeypatch.setattr(requests.Session, "get", lambda session, url, **how: moved)
    with pytest.raises(BadInput, match=r"http://example\.org/file, away from a safe connection"):
        fetch(Wanted("https://example.org/file", "file.pkl"), tmp_path)


def test_a_server_that_is_not_there_is_a_sentence(tmp_path):
    with serving(CONTENT) as served:
        pass
    waits: list[float] = []
    with pytest.raises(BadInput, match=r"the connection to 127\.0\.0\.1:\d+ broke \(.*refused.*2 times in a row"):
        fetch(Wanted(served.url(), "file.pkl"), tmp_path, Patience(tries=2, wait=waits.append))
    assert waits == [1.0]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://", "nonsense"])
def test_an_address_that_is_none_is_a_sentence(tmp_path, url):
    with pytest.raises(BadInput, match="cannot be asked for"):
        fetch(Wanted(url, "file.pkl"), tmp_path)


def test_a_checksum_of_the_server_is_held_to(refused, tmp_path):
    other = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    assert "the server says " in refused(lying(Content_MD5=other))
    store = {"ETag": f'"{hashlib.md5(b"other", usedforsecurity=False).hexdigest().upper()}"'}
    assert "the server says " in refused(lying(x_oss_object_type="Normal", **store))
    with serving(CONTENT, lying(**store)) as served:  # an ETag alone may be anything
        assert fetch(Wanted(served.url(), "file.pkl"), tmp_path) == SHA256


def test_a_right_checksum_of_the_server_is_no_obstacle(tmp_path):
    told = base64.b64encode(hashlib.md5(CONTENT, usedforsecurity=False).digest()).decode()
    with serving(CONTENT, lying(Content_MD5=told)) as served:
        assert fetch(Wanted(served.url(), "file.pkl"), tmp_path) == SHA256

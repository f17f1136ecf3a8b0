"""A download from a server that cuts, stalls, fails and restarts ends with the right file, and only then has a name."""

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import pytest
from cut_server import chunked, cut, honest, ignoring_range, lying, redirect, serving, silent, status, trickling

from skelray.data import download, part
from skelray.data.download import Wanted, fetch
from skelray.data.web import Patience
from skelray.errors import BadInput

CONTENT = random.Random(4).randbytes(200_001)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def waits():
    """The pauses that a download asked for; none of them is waited for."""
    return []


def got(served, folder: Path, waits: list, tries: int = 6, read: float = 30.0, **wanted):
    return fetch(
        Wanted(served.url(), "file.pkl", **wanted), folder, Patience(tries=tries, read=read, wait=waits.append)
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_file_comes_whole_with_its_checksum_beside_it(tmp_path, waits):
    heard = []
    with serving(CONTENT) as served:
        wanted = Wanted(served.url(), "file.pkl", len(CONTENT), SHA256)
        digest = fetch(wanted, tmp_path / "new" / "folder", progress=lambda have, total: heard.append((have, total)))
    folder = tmp_path / "new" / "folder"
    assert digest == SHA256
    assert (folder / "file.pkl").read_bytes() == CONTENT
    assert names(folder) == {"file.pkl", "file.pkl.sha256"}
    checked = subprocess.run(["sha256sum", "-c", "file.pkl.sha256"], cwd=folder, capture_output=True)
    assert checked.returncode == 0
    assert [total for _, total in heard] == [len(CONTENT)] * len(heard)
    assert heard[-1][0] == len(CONTENT)
    assert served.asked[0].accepts == "identity"


def test_a_right_file_is_not_fetched_again(tmp_path, waits):
    with serving(CONTENT) as served:
        for _ in range(2):
            assert got(served, tmp_path, waits, sha256=SHA256) == SHA256
    assert len(served.asked) == 1


@pytest.mark.parametrize("after", [0, 1, 65_536, 100_000, len(CONTENT) - 1])
def test_a_cut_connection_is_continued_at_the_byte_where_it_broke(tmp_path, waits, after):
    with serving(CONTENT, cut(after)) as served:
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges == [None, f"bytes={after}-" if after else None]
    assert served.asked[1].if_range == ('"one"' if after else None)
    assert waits == [1.0]


def test_many_cuts_in_a_row_are_no_failure_while_bytes_come(tmp_path, waits, monkeypatch):
    monkeypatch.setattr(download, "PROGRESS", 1000)
    with serving(CONTENT, *[cut(1000)] * 20) as served:
        assert got(served, tmp_path, waits, tries=3) == SHA256
    assert served.ranges[-1] == "bytes=20000-"
    assert set(waits) == {1.0}


def test_tries_that_bring_nothing_come_to_an_end_and_leave_what_was_there(tmp_path, waits):
    with serving(CONTENT, cut(5000), *[cut(0)] * 5) as served:
        with pytest.raises(BadInput, match=r"broke \(before the end\), 6 times in a row; 5,000 bytes are kept"):
            got(served, tmp_path, waits)
        assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
        assert names(tmp_path) == {"file.pkl.part", "file.pkl.part.json"}
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges[-1] == "bytes=5000-"


def test_a_stop_leaves_the_part_and_the_same_command_continues(tmp_path, waits):
    def stop(have, total):
        raise KeyboardInterrupt

    with serving(CONTENT) as served:
        with pytest.raises(KeyboardInterrupt):
            fetch(Wanted(served.url(), "file.pkl"), tmp_path, progress=stop)
        have = (tmp_path / "file.pkl.part").stat().st_size
        assert 0 < have < len(CONTENT)
        assert not (tmp_path / "file.pkl").exists()
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges == [None, f"bytes={have}-"]


def test_a_killed_process_leaves_the_part_and_no_lock(tmp_path, waits):
    code = (
        "import sys; from pathlib import Path; from skelray.data.download import *;"
        "fetch(Wanted(sys.argv[1], 'file.pkl'), Path(sys.argv[2]), progress=lambda *now: print(*now, flush=True))"
    )
    with serving(CONTENT, silent(131_072)) as served:
        words = [sys.executable, "-c", code, served.url(), str(tmp_path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "65536 200001\n"
            assert process.stdout.readline() == "131072 200001\n"
            with pytest.raises(BadInput, match="another skelray is fetching it"):
                got(served, tmp_path, waits)
            process.kill()
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges == [None, "bytes=131072-"]


def test_silence_is_a_broken_connection_and_a_trickle_is_not(tmp_path, waits):
    with serving(CONTENT[:3000], silent(0), trickling) as served:
        assert got(served, tmp_path, waits, read=0.3) == hashlib.sha256(CONTENT[:3000]).hexdigest()
    assert len(served.asked) == 2


def test_a_server_that_ignores_ranges_is_read_from_the_start(tmp_path, waits):
    with serving(CONTENT, cut(9000), ignoring_range()) as served:
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges == [None, "bytes=9000-"]


def test_a_file_that_changes_meanwhile_is_never_mixed(tmp_path, waits):
    new = CONTENT[::-1]
    with serving(CONTENT, cut(9000)) as served:

        def renew(seconds: float) -> None:
            served.content, served.etag = new, '"two"'

        fetch(Wanted(served.url(), "file.pkl"), tmp_path, Patience(wait=renew))
    assert (tmp_path / "file.pkl").read_bytes() == new


def test_a_server_that_continues_another_version_is_not_believed(tmp_path, waits):
    with serving(CONTENT, cut(9000), lying(ETag='"two"')) as served:
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges == [None, "bytes=9000-", None]


@pytest.mark.parametrize(
    "given", ["bytes 0-200000/200001", "bytes 9001-200000/200001", "bytes 9000-200000/300000", "x"]
)
def test_a_wrong_range_starts_over(tmp_path, waits, given):
    with serving(CONTENT, cut(9000), lying(Content_Range=given)) as served:
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges == [None, "bytes=9000-", None]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_bytes_whose_version_has_no_name_are_not_continued(tmp_path, waits, etag):
    with serving(CONTENT, cut(9000)) as served:
        served.etag = etag
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges == [None, None]


def test_a_time_of_change_names_a_version_too(tmp_path, waits):
    with serving(CONTENT, cut(9000)) as served:
        served.etag, served.modified = 'W/"weak"', "Sat, 21 Nov 2026 10:00:00 GMT"
        assert got(served, tmp_path, waits) == SHA256
    assert served.asked[1].if_range == served.modified


def test_a_torn_note_beside_the_part_starts_over(tmp_path, waits):
    (tmp_path / "file.pkl.part").write_bytes(b"whatever")
    (tmp_path / "file.pkl.part.json").write_text('{"url": "http')
    with serving(CONTENT) as served:
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges == [None]


def test_a_part_that_is_complete_needs_no_request(tmp_path, waits):
    with serving(CONTENT) as served:
        (tmp_path / "file.pkl.part").write_bytes(CONTENT)
        told = part.Told(url=served.url(), total=len(CONTENT))
        (tmp_path / "file.pkl.part.json").write_text(told.model_dump_json())
        assert got(served, tmp_path, waits, sha256=SHA256) == SHA256
    assert not served.asked


def test_chunks_need_no_length(tmp_path, waits):
    with serving(CONTENT, chunked(cut_after=50_000), chunked()) as served:
        assert got(served, tmp_path, waits) == SHA256
    assert names(tmp_path) == {"file.pkl", "file.pkl.sha256"}


def test_an_empty_file_is_a_file(tmp_path, waits):
    with serving(b"") as served:
        assert got(served, tmp_path, waits) == hashlib.sha256(b"").hexdigest()


def test_server_errors_pass_and_its_wish_to_wait_is_granted_up_to_a_minute(tmp_path, waits):
    busy = [status(500), status(503, Retry_After=7), status(429, Retry_After=86_400), status(502)]
    with serving(CONTENT, *busy) as served:
        assert got(served, tmp_path, waits) == SHA256
    assert waits == [1.0, 7.0, 60.0, 8.0]


def test_no_byte_there_starts_over(tmp_path, waits):
    with serving(CONTENT, cut(9000), status(416)) as served:
        assert got(served, tmp_path, waits) == SHA256
    assert served.ranges == [None, "bytes=9000-", None]
    assert waits == [1.0, 0.0]


def test_a_redirect_is_followed(tmp_path, waits):
    with serving(CONTENT, redirect("/elsewhere"), cut(9000), redirect("/elsewhere")) as served:
        assert got(served, tmp_path, waits) == SHA256
    assert [each.path for each in served.asked] == ["/file.pkl", "/elsewhere", "/file.pkl", "/elsewhere"]
    assert served.asked[3].range == "bytes=9000-"


@pytest.mark.parametrize("seed", range(30))
def test_whatever_a_server_does_the_file_is_right_or_absent(tmp_path, waits, seed):
    draw = random.Random(seed)
    bad = [
        lambda: cut(draw.randrange(len(CONTENT))),
        lambda: ignoring_range(draw.randrange(len(CONTENT))),
        lambda: lying(body=draw.randbytes(draw.randrange(len(CONTENT)))),
        lambda: lying(Content_Range="bytes 5-9/10"),
        lambda: lying(ETag='"two"'),
        lambda: status(draw.choice([500, 503, 416, 404])),
        lambda: chunked(cut_after=draw.randrange(len(CONTENT))),
        lambda: honest,
    ]
    with serving(CONTENT, *(draw.choice(bad)() for _ in range(6))) as served:
        for _ in range(20):  # a user who repeats the command
            try:
                got(served, tmp_path, waits, tries=2, sha256=SHA256)
                break
            except BadInput:
                assert not (tmp_path / "file.pkl").exists()
    assert (tmp_path / "file.pkl").read_bytes() == CONTENT

"""`skelray data get`: terms before bytes, a page where one has to ask, and always the command that comes next."""

import hashlib
import io
import shlex
from functools import partial

import pytest
import typer
import yaml
from cut_server import cut, serving
from shell import skelray
from test_documentation import parsed

from skelray.cli import application
from skelray.data import catalogue, download, readers
from skelray.data.part import Part
from skelray.data.web import Patience
from skelray.errors import BadInput

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHIPPED = catalogue.read()


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("SKELRAY_DOWNLOADS", str(tmp_path / "downloads"))
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path / "stores"))


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """Puts a catalogue with one file in the place of the shipped one."""

    def put(url: str, **changed: object) -> None:
        toy = {
            "what": "a toy",
            "url": url,
            "name": "toy.pkl",
            "terms": "toys",
            "source": "https://example.org/toys",
            "reader": "pyskl",
            "store": "toy",
        }
        address = "https://example.org/terms"
        terms = {"toys": {"sentence": "Handle toys with care.", "page": address, "source": address}}
        path = tmp_path / "catalogue.yaml"
        path.write_text(yaml.safe_dump({"terms": terms, "files": {"toy": toy | changed}, "pages": {}}))
        monkeypatch.setattr(catalogue, "FILE", path)
        catalogue.read.cache_clear()

    yield put
    catalogue.read.cache_clear()


@pytest.fixture
def answered(monkeypatch):
    """Types a line at the next question."""
    return lambda line: monkeypatch.setattr("sys.stdin", io.StringIO(f"{line}\n"))


def test_a_file_is_fetched_and_the_next_command_is_told(offered, tmp_path, capsys, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(download, "Patience", partial(Patience, wait=waits.append))
    with serving(CONTENT, cut(70_000)) as served:
        offered(served.url())
        assert skelray("data", "get", "toy", "--yes") == 0
    said = capsys.readouterr()
    path = tmp_path / "downloads" / "toy.pkl"
    assert path.read_bytes() == CONTENT
    assert said.out.index("Handle toys with care.") < said.out.index(f"sha256 {SHA256}")
    assert "https://example.org/terms" in said.out
    assert "nobody publishes one" in said.out
    assert f"\n  skelray data import pyskl {path} toy --allow-pickle\n" in said.out
    assert waits == [1.0]
    assert "70,000 bytes are here, trying again in 1 s" in said.err


def test_terms_are_read_before_a_byte_is_asked_for(offered, answered, tmp_path, capsys):
    with serving(CONTENT) as served:
        offered(served.url())
        answered("n")
        assert skelray("data", "get", "toy") == 2
        said = capsys.readouterr()
        assert "Handle toys with care." in said.out
        assert "nothing was fetched" in said.err
        assert not served.asked
        answered("y")
        assert skelray("data", "get", "toy") == 0
    assert (tmp_path / "downloads" / "toy.pkl").read_bytes() == CONTENT


def test_what_is_here_is_not_asked_for_again(offered, capsys):
    with serving(CONTENT) as served:
        offered(served.url())
        assert skelray("data", "get", "toy", "--yes") == 0
        assert len(served.asked) == 1
        capsys.readouterr()
        assert skelray("data", "get", "toy") == 0  # no question either
        assert len(served.asked) == 1
    said = capsys.readouterr().out
    assert "is here already, whole and right" in said
    assert "skelray data import pyskl" in said


def test_another_folder_may_have_a_blank_in_its_name(offered, tmp_path, capsys):
    with serving(CONTENT) as served:
        offered(served.url())
        assert skelray("data", "get", "toy", "--yes", "--out", tmp_path / "my data") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "import pyskl" in line)
    assert shlex.split(line)[4] == str(tmp_path / "my data" / "toy.pkl")


def test_a_published_checksum_is_held_to(offered, tmp_path, capsys):
    with serving(CONTENT) as served:
        offered(served.url(), sha256="0" * 64)
        assert skelray("data", "get", "toy", "--yes") == 2
        assert f"sha256 {SHA256}, not {'0' * 64}" in capsys.readouterr().err
        assert not (tmp_path / "downloads" / "toy.pkl").exists()
        offered(served.url(), sha256=SHA256)
        assert skelray("data", "get", "toy", "--yes") == 0
    assert "which is the published one" in capsys.readouterr().out


@pytest.mark.parametrize(("digest", "said"), [(SHA256, "has, too"), ("0" * 64, "which differs from that of the copy")])
def test_what_is_known_of_a_copy_is_told_and_not_held_to(offered, capsys, digest, said):
    with serving(CONTENT) as served:
        copy = {"size": 5, "sha256": digest, "page": "https://example.org/copy"}
        offered(served.url(), copy=copy)
        assert skelray("data", "get", "toy", "--yes") == 0
    assert said in capsys.readouterr().out


def test_a_stop_has_its_exit_code_and_the_same_command_continues(offered, tmp_path, capsys, monkeypatch):
    append = Part.append

    def stop(part: Part, piece: bytes) -> None:
        append(part, piece)
        raise KeyboardInterrupt

    with serving(CONTENT) as served:
        offered(served.url())
        with monkeypatch.context() as patch:
            patch.setattr(Part, "append", stop)
            assert skelray("data", "get", "toy", "--yes") == 130
        assert "the same command continues" in capsys.readouterr().err
        assert skelray("data", "get", "toy", "--yes") == 0
        assert served.ranges == [None, "bytes=65536-"]
    assert (tmp_path / "downloads" / "toy.pkl").read_bytes() == CONTENT


def test_the_printed_command_makes_a_store(offered, capsys, shared_data):
    sample = shared_data / "samples" / "pyskl" / "ntu_raw12_pyskl_style.pkl"
    with serving(sample.read_bytes()) as served:
        offered(served.url(), name="ntu60_3danno.pkl", store="ntu60")
        assert skelray("data", "get", "toy", "--yes") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "data import" in line)
    assert skelray(*shlex.split(line)[1:]) == 0
    assert skelray("data", "show", "ntu60") == 0
    assert "12 clips" in capsys.readouterr().out


def test_the_list_names_everything(capsys):
    assert skelray("data", "get") == 0
    said = capsys.readouterr().out
    assert all(name in said and entry.what in said for name, entry in SHIPPED.entries.items())


@pytest.mark.parametrize("name", SHIPPED.pages)
def test_a_page_says_where_to_ask_and_what_for(name, capsys):
    assert skelray("data", "get", name) == 0
    said = capsys.readouterr().out
    page = SHIPPED.pages[name]
    assert page.ask in said
    assert SHIPPED.terms_of(page).page in said
    assert all(needed.name in said and needed.md5 in said for needed in page.needed)
    assert all(f"\n  {line}\n" in said for line in page.commands)


def test_a_name_nobody_knows_is_told_with_the_nearest(capsys):
    assert skelray("data", "get", "ntu60-3e") == 2
    assert "no data set 'ntu60-3e'; did you mean \"ntu60-3d\"?" in capsys.readouterr().err


def test_every_printed_command_is_one_that_exists():
    lines = [line for page in SHIPPED.pages.values() for line in page.commands]
    lines += [f"skelray data import {file.reader} FILE {file.store} --allow-pickle" for file in SHIPPED.files.values()]
    for line in lines:
        words = shlex.split(line)
        parsed(typer.main.get_command(application()), words[1:])
        assert words[3] in readers.available()


def test_every_file_comes_over_a_safe_connection_and_ntus_terms_hold_for_what_is_made_of_it():
    for name, file in SHIPPED.files.items():
        assert file.url == f"https://download.openmmlab.com/mmaction/pyskl/data/{file.url.split('/data/')[1]}"
        assert file.url.endswith(f"/{file.name}")
        assert (file.terms == "ntu") == name.startswith("ntu")
    assert "Its terms hold for everything made from it" in " ".join(SHIPPED.terms["ntu"].sentence.split())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"terms": "toy"}, "no terms named 'toy'; did you mean \"toys\"?"),
        ({"name": "../escape.pkl"}, "files.toy.name"),
        ({"url": "file:///etc/passwd"}, "files.toy.url"),
        ({"sha256": "abc"}, "files.toy.sha256"),
        ({"sise": 5}, "files.toy.sise: unknown key"),
    ],
)
def test_a_wrong_catalogue_is_told_with_its_line(offered, changed, told):
    offered(**{"url": "https://example.org/toy"} | changed)
    with pytest.raises(BadInput, match=r"catalogue\.yaml:\d") as error:
        catalogue.read(catalogue.FILE)
    assert told in str(error.value)

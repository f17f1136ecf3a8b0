"""Finding stores: by name, by path, and built once when they are synthetic."""

import subprocess
import sys

import pytest
from tiny_store import tiny_store

from skelray.data import locate, store, synthetic
from skelray.errors import BadInput


@pytest.fixture(autouse=True)
def stores(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path / "stores"))
    return tmp_path / "stores"


def test_a_name_is_found_in_the_folder_of_stores_and_a_path_anywhere(stores, tmp_path):
    tiny_store(stores / "mine.arrow")
    assert locate.find("mine") == stores / "mine.arrow"
    tiny_store(tmp_path / "other.arrow")
    assert locate.find(str(tmp_path / "other.arrow")) == tmp_path / "other.arrow"


def test_the_default_folder_is_in_the_home(monkeypatch, tmp_path):
    monkeypatch.delenv("SKELRAY_STORES")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate.folder() == tmp_path / ".cache" / "skelray" / "stores"


def test_a_missing_store_is_refused_with_the_command_that_makes_it(stores):
    with pytest.raises(BadInput, match="skelray data import nw_ucla SOURCE nw-ucla"):
        locate.find("nw-ucla")
    with pytest.raises(BadInput, match='did you mean "nw-ucla"'):
        locate.find("nwucla")
    with pytest.raises(BadInput, match=r"no store at a/b\.arrow.*import READER SOURCE a/b\.arrow"):
        locate.find("a/b.arrow")
    with pytest.raises(BadInput, match="built by skelray itself"):
        locate.place("synthetic")


def test_a_known_store_that_is_not_here_is_not_taken_for_a_slip_of_the_pen(stores):
    with pytest.raises(
        BadInput, match=r"no store named 'ntu60' at .*; make it with: .* ntu_skeleton SOURCE ntu60"
    ) as caught:
        locate.find("ntu60")
    assert "did you mean" not in str(caught.value)


def test_synthetic_is_built_once_and_rebuilt_when_damaged(stores, monkeypatch):
    path = locate.find("synthetic-small")
    whole = path.read_bytes()
    monkeypatch.setattr(synthetic, "build", lambda *_: pytest.fail("built again"))
    assert locate.find("synthetic-small") == path
    monkeypatch.undo()
    monkeypatch.setenv("SKELRAY_STORES", str(stores))
    path.write_bytes(whole[:1000])
    assert store.open(locate.find("synthetic-small")).clips == 252


def test_two_processes_that_ask_at_once_build_one_store(stores):
    code = """
from skelray.data import locate, synthetic
build = synthetic.build
synthetic.build = lambda *given: (print("built", flush=True), build(*given))
input()
print(locate.find("synthetic-small"))
"""
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate("go\n")[0] for process in both]
    assert "".join(told).count("built") == 1
    assert "".join(told).count(str(stores / f"synthetic-small-{synthetic.VERSION}.arrow")) == 2


def test_a_folder_of_stores_that_is_a_file_is_refused(stores):
    stores.write_text("not a folder")
    with pytest.raises(BadInput, match=r"no store can be built.*SKELRAY_STORES"):
        locate.find("synthetic-small")

"""Facts that are data lie as JSON beside the module that knows what they mean."""

import json
from pathlib import Path

import pytest

import skelray
from skelray import beside

PACKAGE = Path(skelray.__file__).parent


def test_a_module_gets_the_file_of_its_own_name_or_the_one_it_names(tmp_path):
    (tmp_path / "joints.json").write_text('{"spine": 1}')
    (tmp_path / "bones.json").write_text('{"thigh": 2}')
    module = str(tmp_path / "joints.py")
    assert beside.facts(module) == {"spine": 1}
    assert beside.facts(module, "bones.json") == {"thigh": 2}


def test_letters_are_read_as_utf_8_whatever_the_machine_takes_for_granted(tmp_path, monkeypatch):
    monkeypatch.setattr("locale.getpreferredencoding", lambda *_: "ascii")
    (tmp_path / "people.json").write_bytes('{"author": "Fréchet"}'.encode())
    assert beside.facts(str(tmp_path / "people.py")) == {"author": "Fréchet"}


def test_a_file_is_read_once(tmp_path):
    file = tmp_path / "joints.json"
    file.write_text('{"spine": 1}')
    first = beside.facts(str(tmp_path / "joints.py"))
    file.unlink()
    assert beside.facts(str(tmp_path / "joints.py")) is first


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.json")), ids=lambda file: file.name)
def test_every_file_of_facts_has_a_module_beside_it_that_asks_for_it(file):
    own = file.with_suffix(".py")
    asked = f'beside.facts(__file__, "{file.name}")'
    others = [module for module in file.parent.glob("*.py") if asked in module.read_text()]
    assert others or "beside.facts(__file__)" in own.read_text()
    assert isinstance(json.loads(file.read_bytes()), dict)


def test_no_module_reads_such_a_file_in_its_own_way():
    for module in PACKAGE.rglob("*.py"):
        assert "json.loads(Path(__file__)" not in module.read_text(), module

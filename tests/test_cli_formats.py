"""`skelray data formats`: every reader is listed, and every switch of each has its meaning beside it."""

import pytest
from shell import skelray

from skelray.data import readers
from skelray.data.source import DataSet
from skelray.schema import Strict


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")


def test_all_readers_are_listed_with_what_they_read(capsys):
    assert skelray("data", "formats") == 0
    told = capsys.readouterr().out
    for reader in readers.available():
        assert reader in told


@pytest.mark.parametrize("reader", readers.available())
def test_a_reader_keeps_the_protocol_and_says_what_each_switch_means(reader, capsys):
    module = readers.load(reader)
    assert issubclass(module.Options, Strict)
    assert module.read.__annotations__["return"] is DataSet
    assert all(field.description for field in module.Options.model_fields.values())
    assert skelray("data", "formats", reader) == 0
    told = capsys.readouterr().out
    for key in module.Options.model_fields:
        assert key in told


def test_an_unknown_reader_is_refused_with_the_nearest(capsys):
    assert skelray("data", "formats", "nwucla") == 2
    assert "no reader 'nwucla'; did you mean \"nw_ucla\"?" in capsys.readouterr().err

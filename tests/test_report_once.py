"""A report reads each file of its folder once, and no part of it sees what another does to a table."""

import made_up_sweep as made_up
import pytest

from skelray.report.once import Once
from skelray.results import Results


def test_files_are_read_once_and_what_one_part_changes_no_other_sees(tmp_path, monkeypatch):
    results = made_up.folder(tmp_path / "r")
    known = Once(results.folder)
    changed = known.trials()
    changed["state"] = "changed"
    assert known.trials().equals(results.trials())
    assert known.finals().equals(results.finals())
    assert known.history().equals(results.history())
    assert known.sweep() == results.sweep()
    monkeypatch.setattr(Results, "_file", lambda *_: pytest.fail("read again"))
    assert len(known.trials()) + len(known.finals()) + len(known.history()) + len(known.sweep()) > 0

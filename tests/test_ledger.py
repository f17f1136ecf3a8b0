"""The ledger of the test side, read: every line or none, and a line that is no opening is named."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from skelray import ledger
from skelray.errors import BadInput

LINE = {"who": "amr-000-seed-1", "when": 1.5e9, "split": "xview", "clips": 240, "clean": 200, "protocols": ["knn"]}
WHOLE = (json.dumps(LINE) + "\n").encode()


def test_lines_come_as_they_were_written_and_no_file_has_none(tmp_path):
    path = tmp_path / ledger.FILE
    assert ledger.read(path) == []
    path.write_bytes(WHOLE + b'{"who": "skelray features", "labels": true}\n')
    assert ledger.read(path) == [LINE, {"who": "skelray features", "labels": True}]


@pytest.mark.parametrize("torn", [b'{"who": "amr-0', b'{"who": "caf\xc3', b"{"])
def test_a_line_that_was_cut_off_is_left_out(tmp_path, torn):
    path = tmp_path / ledger.FILE
    path.write_bytes(WHOLE + torn)
    assert ledger.read(path) == [LINE]
    path.write_bytes(torn)
    assert ledger.read(path) == []


def test_a_last_line_that_lacks_its_end_alone_counts(tmp_path):
    (tmp_path / ledger.FILE).write_bytes(WHOLE + WHOLE.strip())
    assert ledger.read(tmp_path / ledger.FILE) == [LINE, LINE]


@pytest.mark.parametrize("broken", [
    b"", b"no json", b"[1]", b"{}", b"null", b'{"who": 3}', b'{"who": {"a": 1}}', b'{"who": "a", "when": "today"}',
    b'{"who": "a", "when": NaN}', b'{"who": "a", "when": 1e400}', b'{"who": "a", "when": 1e15}',
    b'{"who": "a", "clips": -3}', b'{"who": "a", "clips": "many"}', b'{"who": "a", "clips": true}',
    b'{"who": "a", "protocols": 5}', b'{"who": "a", "protocols": "knn"}', b'{"who": "caf\xe9"}', b"[" * 9999,
])  # fmt: skip
def test_a_line_that_is_no_opening_is_named(tmp_path, broken):
    path = tmp_path / ledger.FILE
    path.write_bytes(WHOLE + broken + b"\n" + WHOLE)
    with pytest.raises(BadInput, match=r"test_ledger\.jsonl:2: not an opening of the test side \("):
        ledger.read(path)


def test_a_name_may_hold_what_some_take_for_the_end_of_a_line(tmp_path):
    path = tmp_path / ledger.FILE
    path.write_text('{"who": "a\u2028b"}\r\n', encoding="utf-8", newline="")
    assert ledger.read(path) == [{"who": "a\u2028b"}]


def test_a_ledger_that_is_no_file_is_told(tmp_path):
    (tmp_path / ledger.FILE).mkdir()
    with pytest.raises(BadInput, match=r"test_ledger\.jsonl cannot be read: Is a directory"):
        ledger.read(tmp_path / ledger.FILE)


@pytest.mark.parametrize("torn", [b'{"who": "amr-0', b'{"who": "caf\xc3', b"{", b'{"who": "a", "clips": 3'])
def test_what_a_kill_cut_short_does_not_spoil_the_next_line(tmp_path, torn):
    path = tmp_path / ledger.FILE
    path.write_bytes(WHOLE + torn)
    ledger.append(path, LINE | {"who": "amr-000-seed-2"})
    assert [line["who"] for line in ledger.read(path)] == ["amr-000-seed-1", "amr-000-seed-2"]
    assert path.read_bytes().endswith(b"\n")


def test_an_opening_that_lacks_its_end_alone_stays_when_another_follows(tmp_path):
    path = tmp_path / ledger.FILE
    path.write_bytes(WHOLE.strip())
    ledger.append(path, LINE)
    assert path.read_bytes() == WHOLE * 2


def test_a_line_that_is_none_and_has_its_end_is_not_taken_away(tmp_path):
    path = tmp_path / ledger.FILE
    path.write_bytes(b"edited\n")
    ledger.append(path, LINE)
    assert path.read_bytes() == b"edited\n" + WHOLE


def test_writers_at_once_lose_no_line(tmp_path):
    path = tmp_path / "results" / ledger.FILE
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda number: ledger.append(path, LINE | {"who": str(number)}), range(64)))
    assert sorted(int(line["who"]) for line in ledger.read(path)) == list(range(64))

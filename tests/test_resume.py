"""Work that may be stopped: one process at a time, and nothing that was found is lost or mixed up."""

import os
import subprocess
import sys

import pytest

from skelray.errors import BadInput
from skelray.resume import Kept, alone

HOLDING = """
import sys
from pathlib import Path
from skelray.resume import alone
with alone(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["", "file"])
def test_a_place_is_held_by_one_process_until_it_ends_or_is_killed(tmp_path, name):
    place = tmp_path / name
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDING, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BadInput, match="somebody works here"), alone(place, "somebody works here"):
            pass
    finally:
        other.kill()
        other.communicate()
    for _ in range(2):
        with alone(place, "somebody works here"):
            pass
    assert sorted(os.listdir(tmp_path)) == ([name] if name else [])


def test_findings_come_back_and_a_line_that_was_cut_off_costs_itself_alone(tmp_path):
    kept = Kept(tmp_path)
    assert kept.known() == {}
    kept.add("one", {"accuracy": 0.1 + 0.2})
    with kept.path.open("a") as file:
        file.write('{"key": "tw')
    kept.add("three", [3])
    with kept.path.open("ab") as file:
        file.write(b'7\n[]\n{"key": []}\n\xff\n{"key": [], "found": 1}\n')
    kept.add("four", None)
    assert kept.known() == {"one": {"accuracy": 0.1 + 0.2}, "three": [3], "four": None}
    kept.forget()
    kept.forget()
    assert kept.known() == {}

"""Ctrl-C in a terminal reaches the import and all that read for it: one sentence, nobody left, nothing lost."""

import subprocess
import sys
from pathlib import Path

import pytest
from test_importing import source, values

from skelray.data import importing

STOPPED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
import skelray.cli.data.importing as command
import test_importing as made
from skelray import cli
from skelray.data import readers, unfinished

class Reader:
    from skelray.data.readers.nw_ucla import Options
    read = staticmethod(lambda folder, options: made.source(folder, [str(value) for value in range(40)]))

unfinished.SYNC = 0.0
readers.load = lambda name: Reader
submit, add = ProcessPoolExecutor.submit, unfinished.Unfinished.add
def stop():
    os.killpg(0, signal.SIGINT)
def submit_and_stop(*arguments):
    waiting = submit(*arguments)
    stop()
    return waiting
def add_and_stop(self, part, loaded):
    add(self, part, loaded)
    if part == "0024.txt":
        stop()
if {start}:
    ProcessPoolExecutor.submit = submit_and_stop
else:
    unfinished.Unfinished.add = add_and_stop
sys.argv = ["skelray", "data", "import", "numbers", {folder!r}, {path!r}, "--jobs", "2"]
cli.main()
"""


@pytest.mark.parametrize("start", [True, False], ids=["while readers start", "amid reading"])
def test_ctrl_c_is_one_sentence_and_the_same_command_goes_on(tmp_path, start):
    folder, path = tmp_path / "in", tmp_path / "a.arrow"
    folder.mkdir()
    code = STOPPED.format(tests=str(Path(__file__).parent), folder=str(folder), path=str(path), start=start)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, start_new_session=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "skelray: stopped; what was read is kept, and the same command goes on\n"
    assert not path.exists()
    importing.run(source(folder, [str(value) for value in range(40)]), path, source=str(folder), about={})
    assert values(path) == list(range(40))

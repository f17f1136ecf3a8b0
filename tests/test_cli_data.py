"""`skelray data`: import makes a store that show can tell about; mistakes get one sentence and exit code 2."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner
from written_npz import npz
from written_nw_ucla import nw_ucla_file

from skelray.cli import data
from skelray.errors import BadInput


@pytest.fixture
def skelray(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELRAY_STORES", str(tmp_path / "stores"))
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments):
        """What the command prints; its mistakes are raised."""
        done = CliRunner().invoke(data.app, [*map(str, arguments)])
        if done.exception is not None:
            raise done.exception
        return done.stdout

    return command


def test_import_then_show(skelray, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name, label in (("a01_s01_e00_v01", 1), ("a12_s02_e00_v02", 10), ("a12_s02_e00_v03", 10)):
        nw_ucla_file(source, name, label=label)
    assert "3 clips, fingerprint" in skelray("import", "nw_ucla", source, "mine")
    shown = skelray("show", "mine")
    for fact in ("3, 2 of them exact copies", "kinect20", "carry 2", "xview 2 train / 1 test", "1,020 / 464", "yaw"):
        assert fact in shown


def test_import_to_a_path_and_a_hint_at_wrong_units(skelray, tmp_path):
    npz(tmp_path / "a.npz")
    skelray("import", "ntu_npz", tmp_path / "a.npz", tmp_path / "deep" / "a.arrow")
    shown = skelray("show", tmp_path / "deep" / "a.arrow")
    assert "given 4 train / 3 test" in shown
    assert "do not look like metres" in shown  # random numbers, not bodies


def test_a_bad_file_ends_with_one_sentence_and_nothing_kept(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    nw_ucla_file(source, label=7)
    code = "from skelray.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "data", "import", "nw_ucla", str(source), str(tmp_path / "stores" / "a.arrow")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "a01_s02_e03_v01.json: label 7, but action 01 is label 1" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "stores").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "nwucla", ".", "mine"), 'did you mean "nw_ucla"'),
        (("import", "nw_ucla", "missing-folder", "mine"), "no source at missing-folder"),
        (("import", "nw_ucla", ".", "synthetic"), "built by skelray itself"),
        (("show", "mine"), "no store named 'mine'"),
        (("show", "README.arrow"), r"no store at README\.arrow"),
    ],
)
def test_mistakes_are_told(skelray, arguments, message):
    with pytest.raises(BadInput, match=message):
        skelray(*arguments)

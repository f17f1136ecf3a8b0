"""YAML as users write it: YAML 1.2 numbers, one meaning a key, and a line for every message."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skelray import yaml_file
from skelray.errors import BadInput
from skelray.schema import Strict


def read(tmp_path, text):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    return yaml_file.read(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("3.", 3.0),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("-7", -7),
        (".inf", math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("'1e-3'", "1e-3"),
        ("[1, [2, x]]", [1, [2, "x"]]),
    ],
)
def test_values_follow_yaml_1_2(tmp_path, text, value):
    found = read(tmp_path, f"key: {text}\n").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_a_message_names_file_line_and_key_or_the_nearest_parent(tmp_path):
    document = read(tmp_path, "# head\ntrain:\n  batch: 3\nsearch:\n  method.k: {kind: float,\n    low: 1}\n")
    path = document.path
    assert str(document.error("train.batch", "bad")) == f"{path}:3: train.batch: bad"
    assert str(document.error("search.method.k.low", "bad")) == f"{path}:6: search.method.k.low: bad"
    assert str(document.error("search.method.k.high", "absent")) == f"{path}:5: search.method.k.high: absent"
    assert str(document.error("nowhere", "absent")) == f"{path}:1: nowhere: absent"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a: given twice (first at"),
        ("a:\n  b: 1\n  b: 1\n", 3, "a.b: given twice"),
        ("a: [1, 2\nb: 3\n", 2, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("- 1\n", 1, "`key: value`"),
        ("just text\n", 1, "`key: value`"),
        ("a: &x [1]\nb: *x\n", 2, "aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tag"),
        ("a: !!int x\n", 1, "'x' is not a int"),
        ("1: x\n", 1, "a key must be text, not '1'"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
    ],
)
def test_what_is_not_plain_data_is_refused_with_its_line(tmp_path, text, line, said):
    with pytest.raises(BadInput) as caught:
        read(tmp_path, text)
    assert f"file.yaml:{line}: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \x00", b"a: " + b"[" * 20000])
def test_bytes_that_are_no_yaml_are_refused(tmp_path, content):
    path = tmp_path / "torn.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"torn\.yaml"):
        yaml_file.read(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"absent\.yaml: cannot be read: No such file"):
        yaml_file.read(tmp_path / "absent.yaml")
    with pytest.raises(BadInput, match="cannot be read"):
        yaml_file.read(tmp_path)


def test_an_empty_file_is_an_empty_mapping(tmp_path):
    assert read(tmp_path, "# nothing\n").data == {}


def test_single_values_name_their_source():
    assert yaml_file.value("1e-3", "--set a=1e-3") == 1e-3
    assert yaml_file.value("{low: 1}", "") == {"low": 1}
    assert yaml_file.value("", "") is None
    with pytest.raises(BadInput, match=r"--set a=\["):
        yaml_file.value("[", "--set a=[")


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@given(st.dictionaries(st.text(), trees, max_size=4))
def test_what_is_written_is_read_back_and_means_the_same_to_yaml_1_1(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("round") / "file.yaml"
    yaml_file.write(path, data)
    assert yaml_file.read(path).data == data
    assert yaml.safe_load(path.read_text()) == data


def test_writing_replaces_a_file_whole_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "file.yaml"
    yaml_file.write(path, {"a": (1, 2)})
    shared = [1]
    yaml_file.write(path, {"b": shared, "c": shared})
    assert yaml_file.read(path).data == {"b": [1], "c": [1]}
    with pytest.raises(yaml.representer.RepresenterError):
        yaml_file.write(path, {"b": object()})
    assert yaml_file.read(path).data == {"b": [1], "c": [1]}
    assert [p.name for p in tmp_path.iterdir()] == ["file.yaml"]


class Inner(Strict):
    batch: int = 1


class Outer(Strict):
    inner: Inner = Inner()
    lr: float = 1.0


def test_every_mistake_in_a_config_is_told_with_its_line(tmp_path):
    document = read(tmp_path, "inner:\n  btch: 3\nlr: fast\n")
    with pytest.raises(BadInput) as caught:
        document.build(Outer, document.data)
    unknown, text = str(caught.value).splitlines()
    assert unknown.endswith('file.yaml:2: inner.btch: unknown key; did you mean "batch"?')
    assert "file.yaml:3: lr: " in text
    assert text.endswith("not 'fast'")


def test_sections_of_another_file_keep_their_own_lines(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    mine = read(tmp_path / "a", "x: 1\ny: {z: 1}\n")
    theirs = read(tmp_path / "b", "# \n\ny: {z: 2}\nw: 3\n")
    both = mine.taking(theirs, {"y", "v"})
    assert both.data == {"x": 1, "y": {"z": 2}}
    assert str(both.error("y.z", "?")).startswith(f"{theirs.path}:3")
    assert str(both.error("x", "?")).startswith(f"{mine.path}:1")
    assert str(both.setting("y.z", 5, "--set").error("y.z", "?")) == "--set: y.z: ?"
    assert both.setting("y.z", 5, "--set").data == {"x": 1, "y": {"z": 5}}
    assert both.setting("x.deep", 5, "--set").data["x"] == {"deep": 5}

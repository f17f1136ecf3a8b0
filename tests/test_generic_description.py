"""Every mistake in a description is told with its line, its key and, where one is close, the right word."""

import numpy as np
import pytest
from written_generic import BODY, NAMED, array_bytes, described_in, three_people

from skelray import yaml_file
from skelray.data import readers
from skelray.data.generic import reading_names
from skelray.errors import BadInput

GENERIC = readers.load("generic")
BONES = BODY["bones"]


def message(folder, **changes):
    """What reading the set says."""
    three_people(folder)
    described_in(folder, **changes)
    with pytest.raises(BadInput) as error:
        GENERIC.read(folder)
    return str(error.value)


def line_of(folder, text):
    """The number of the line that holds a text; "text +2" is two lines below it."""
    text, _, below = text.partition(" +")
    lines = (folder / "skeletons.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line) + int(below or 0)


@pytest.mark.parametrize(
    ("changes", "line", "told"),
    [
        # --- the body
        ({"bones": [["chest", "hipp"], *BONES[1:]]}, "- hipp", "bones.0.1: no joint 'hipp'; did you mean \"hip\"?"),
        ({"bones": [*BONES, ["hip", "head"]]}, "bones: +1", "bones run in a circle: "),
        (
            {"bones": [*BONES[:2], ["head", "head"]]},
            "bones: +5",
            "bones.2: a bone joins two joints, not 'head' and itself",
        ),
        ({"bones": [*BONES, ["head", "hip"]]}, "bones: +9", "bones.4: 'head' has a second parent 'hip' beside 'chest'"),
        ({"bones": BONES[:-1]}, "bones:", "bones: one joint, the root, has no parent, but here 2 do: hip, head"),
        ({"bones": [["chest", "hip", "head"]]}, "bones: +1", "bones.0"),
        ({"bones": None}, "name: mine", "bones: one joint, the root, has no parent, but here 5 do"),
        ({"joints": ["hip", "hip", "head"]}, "joints: +2", "joints.1: 'hip' is named twice"),
        ({"joints": ["hip", " "]}, "joints: +2", "joints.1: a joint needs a name"),
        ({"joints": None, "bones": None, "mirror": None, "parts": None}, "name: mine", "needs a layout (kinect25"),
        ({"layout": "kinect20"}, "joints:", "joints: the layout 'kinect20' brings its own; take out one of the two"),
        (
            {"layout": "kinect2", "joints": None, "bones": None, "mirror": None, "parts": None},
            "layout:",
            "layout: no skeleton layout 'kinect2'; did you mean \"kinect2",
        ),
        ({"mirror": [["hand_left", "hand_rigth"]]}, "hand_rigth", "mirror.0.1: no joint 'hand_rigth'; did you mean"),
        ({"mirror": [["hand_left"]]}, "mirror: +1", "mirror.0"),
        ({"mirror": [["hip", "head"], ["chest", "hip"]]}, "mirror: +4", "mirror.1.1: 'hip' is already in the pair"),
        ({"mirror": [["hip", "hip"]]}, "mirror: +2", "mirror.0.1: 'hip' is already in the pair ['hip', 'hip']"),
        ({"parts": BODY["parts"] | {"trunk": ["hip", "chest"]}}, "parts:", "parts: head in no part"),
        ({"parts": BODY["parts"] | {"top": ["head"]}}, "top: +1", "parts.top.0: 'head' is already in the part 'trunk'"),
        ({"parts": BODY["parts"] | {"top": []}}, "top:", "parts.top: a part needs at least one joint"),
        ({"parts": BODY["parts"] | {"top": ["nose"]}}, "nose", "parts.top.0: no joint 'nose'"),
        ({"dimensions": 4}, "dimensions:", "dimensions: Input should be 2 or 3"),
        # --- files, units, steps
        ({"name": "a b"}, "name:", "name: String should match pattern"),
        ({"name": None}, "files:", "name: Field required"),
        ({"nam": "x"}, "nam: x", 'nam: unknown key; did you mean "name"?'),
        ({"files": "*.txt"}, "files:", "files: '*.txt' must end in .npz, .npy or .csv"),
        ({"files": "a*.npy"}, "files:", "is named like 'a*.npy'; there are 6 .npy files, such as s01_clap_1.npy"),
        ({"csv": {"header": False}}, "csv:", "csv: does not go with the files '*.npy'; take it out"),
        ({"files": "*.csv", "array": {}}, "array:", "array: does not go with the files '*.csv'; take it out"),
        ({"files": "*.csv", "csv": {"body": "b"}}, "body:", "csv.body: needs csv.frame"),
        ({"files": "*.csv", "csv": {"columns": "{axis}"}}, "columns:", "csv.columns: needs {axis} and {joint}"),
        ({"files": "*.csv", "csv": {"header": False, "columns": "{joint}_{axis}"}}, "columns:", "csv.columns: without"),
        (
            {"files": "*.csv", "csv": {"header": False, "frame": "f"}},
            "frame:",
            "csv.frame: without a header a column is",
        ),
        ({"files": "*.csv", "csv": {"separator": '"'}}, "separator:", "csv.separator: '\"' cannot separate cells"),
        ({"array": {"key": "x"}}, "key:", "array.key: only an .npz file has named arrays"),
        ({"array": {"axes": "T V X"}}, "axes:", "array.axes: no axis 'X' in 'T V X'"),
        ({"array": {"axes": "T V V C"}}, "axes:", "array.axes: V is there 2 times"),
        ({"array": {"axes": "V C"}}, "axes:", "array.axes: T is missing in 'V C'"),
        ({"array": {"axes": "MT V C"}}, "axes:", "array.axes: the axis 'MT' holds two lengths"),
        ({"array": {"axes": "T V1 C"}}, "axes:", "array.axes: 'V1': an axis of length 1 stands alone"),
        ({"array": {"pick": [0, 1]}}, "pick:", "array.pick: 3 different coordinates are due, not [0, 1]"),
        ({"units": "meters"}, "units:", "units: Input should be 'metres', 'centimetres'"),
        ({"units": "pixels"}, "units:", "units: pixels needs image, such as [1920, 1080]"),
        ({"units": "other"}, "units:", "units: other needs factor, such as 0.0254 for inches"),
        ({"factor": 2}, "factor:", "factor: goes with units: other, not metres; take it out"),
        ({"units": "other", "factor": 0}, "factor:", "factor: Input should be greater than 0"),
        ({"up": "z", "dimensions": 2}, "up:", "up: data of two dimensions has no z axis"),
        ({"up": True}, "up:", "up: Input should be 'y', '-y'"),
        ({"steps": ["yaww"]}, "yaww", "steps.0: no step 'yaww'; did you mean \"yaw\"?"),
        ({"steps": ["yaw"]}, "steps: +1", "steps.0: "),
        # --- classes and what is known of clips
        ({"classes": []}, "classes:", "classes: "),
        ({"classes": ["wave", "clap", "wave"]}, "classes: +3", "classes.2: 'wave' is named twice"),
        ({"classes": ["wave", "clap", "jump"]}, "- jump", "classes.2: no clip has the class 'jump'; take it out"),
        ({"from_names": {"pattern": "("}}, "pattern:", "from_names.pattern: not a regular expression"),
        ({"from_names": {"pattern": "(?P<lable>.*)"}}, "pattern:", "no field 'lable'; did you mean \"label\"?"),
        ({"from_names": {"pattern": ".*"}}, "pattern:", "names no field; a named group is written (?P<label>...)"),
        ({"from_names": {"pattern": r"(?P<label>[a-z]+)_\d"}}, "pattern:", "does not fit the whole name 's01_clap_1'"),
        ({"from_names": NAMED | {"label": "wave"}}, "label: wave", "from_names.label: the pattern has this group too"),
        ({"from_names": {"label": "(w)(a)"}}, "label:", "from_names.label: one group is due, not 2"),
        ({"from_names": {"label": "wave"}}, "label:", "from_names.label: is not found in the name 's01_clap_1'"),
        ({"from_names": {"label": "x" * 301}}, "label:", "from_names.label: String should have at most 300 characters"),
        # --- splits
        ({"splits": {"a": {}}}, "a: {}", "splits.a: exactly one of by and column is due"),
        ({"splits": {"a": {"by": "person"}}}, "by:", "splits.a.by: Input should be"),
        (
            {"splits": {"a": {"by": "subject"}}},
            "a:",
            "splits.a: exactly one of train (a list of values) and test_share",
        ),
        ({"splits": {"a": {"column": "x", "train": [1]}}}, "column:", "splits.a.column: there is no table"),
        (
            {"splits": {"a": {"by": "subject", "train": [1, 9]}}},
            "- 9",
            "train.1: no clip has '9' as its subject (there",
        ),
        (
            {"splits": {"a": {"by": "subject", "train": [1, 2, 3]}}},
            "train:",
            "splits.a.train: leaves no clip to test on",
        ),
        (
            {"splits": {"a": {"by": "camera", "train": [1]}}},
            "by:",
            "splits.a.by: the camera is not known of every clip",
        ),
        ({"splits": {"a": {"by": "replication", "test_share": 0.5}}}, "by:", "every clip has the same replication"),
        (
            {"splits": {"a": {"by": "subject", "test_share": 1.5}}},
            "test_share:",
            "test_share: Input should be less than 1",
        ),
        ({"splits": {"a b": {"by": "subject", "train": [1]}}}, "a b:", "splits"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(tmp_path, changes, line, told):
    said = message(tmp_path, **changes)
    assert told in said
    place = int(said.split("skeletons.yaml:")[1].split(":")[0])
    assert place == line_of(tmp_path, line)


def test_a_circle_of_bones_is_walked(tmp_path):
    bones = [["chest", "head"], ["head", "chest"], ["hand_left", "hip"], ["hand_right", "hip"]]
    said = message(tmp_path, bones=bones)
    assert "bones.0: bones run in a circle: chest - head - chest" in said


def test_a_label_that_is_no_class_is_told_with_its_file(tmp_path):
    said = message(tmp_path, classes=["wave", "clapp"])
    assert "s01_clap_1.npy: no class 'clap'; did you mean \"clapp\"? (there are wave, clapp)" in said


@pytest.mark.parametrize(("first", "labels"), [(0, {0: 0, 1: 1}), (1, {1: 0, 2: 1})])
def test_labels_may_be_numbers(tmp_path, first, labels):
    three_people(tmp_path, first_label=first, from_names={"label": r"a(\d+)"})
    for file in tmp_path.glob("*.npy"):
        file.unlink()
    for number in labels:
        (tmp_path / f"a{number:03}.npy").write_bytes(array_bytes(np.ones((2, 5, 3), np.float32)))
    assert [clip.label for clip in GENERIC.read(tmp_path).clips] == list(labels.values())
    (tmp_path / "a007.npy").write_bytes(array_bytes(np.ones((2, 5, 3), np.float32)))
    with pytest.raises(BadInput, match=rf"a007\.npy: the label '007' is not one of {first}..{first + 1}"):
        GENERIC.read(tmp_path)


def test_numbers_without_the_number_of_the_first_class_are_told_what_is_due(tmp_path):
    said = message(tmp_path, from_names={"label": r"s(\d+)"})
    assert "no class '01' (there are wave, clap); say first_label: 0 or 1 where labels are numbers" in said


def test_an_expression_that_would_take_a_life_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(reading_names, "PATIENCE", 0.2)
    three_people(tmp_path, from_names={"label": "([a-z_0-9]+)*!"})
    (tmp_path / f"{'a' * 60}.npy").write_bytes(b"")
    with pytest.raises(BadInput, match=r"skeletons\.yaml:\d+: from_names: the expressions take too long, at 'a{60}'"):
        GENERIC.read(tmp_path)


def test_a_source_without_a_description_is_told_how_to_get_one(tmp_path):
    with pytest.raises(BadInput, match=r"no skeletons\.yaml; one is due, which skelray data describe .* drafts"):
        GENERIC.read(tmp_path)
    with pytest.raises(BadInput, match="no source at"):
        GENERIC.read(tmp_path / "missing")
    for folder in ("a", "b"):
        three_people(tmp_path / folder)
    with pytest.raises(BadInput, match=r"2 files named skeletons\.yaml \(a/skeletons\.yaml, b/skeletons\.yaml\)"):
        GENERIC.read(tmp_path)
    with pytest.raises(BadInput, match=r"elsewhere\.yaml: cannot be read"):
        GENERIC.read(tmp_path, GENERIC.Options(description=str(tmp_path / "elsewhere.yaml")))


def test_the_description_reads_as_yaml_files_do_everywhere(tmp_path):
    three_people(tmp_path)
    document = yaml_file.read(tmp_path / "skeletons.yaml")
    assert document.data["classes"] == ["wave", "clap"]
    (tmp_path / "skeletons.yaml").write_text("name: !!python/object:os.system mine")
    with pytest.raises(BadInput, match=r"skeletons\.yaml:1: name: the tag .* is not read"):
        GENERIC.read(tmp_path)

"""A guess at what file names and tables tell about clips, for the draft of a description."""

import json
import re
from collections.abc import Mapping, Sequence

from skelray.data.generic.description import FIELDS

MOST_CLASSES = 500
WORDS = {  # field -> what stands before its number in file names, or is the name of its column
    "subject": {"s", "p", "subject", "person", "performer", "actor", "participant", "user", "who"},
    "label": {"a", "action", "class", "label", "gesture", "activity"},
    "camera": {"c", "cam", "camera", "v", "view"},
    "replication": {"r", "e", "t", "rep", "repetition", "replication", "trial", "take"},
    "recording": {"recording", "video", "session", "sequence"},
    "side": {"side", "split", "set", "fold"},
    "setup": {"setup"},
}
PIECE = re.compile(r"[0-9]+|[A-Za-z]+|[^0-9A-Za-z]+")


def lines(names: Sequence[str], tables: Mapping[str, Mapping[str, Sequence[str]]]) -> list[str]:
    """Lines of a description: how label and subject are read, the classes, and a split."""
    if tables:
        path, columns = next(iter(tables.items()))
        told, found = _from_table(path, columns, set(names))
    else:
        told, found = _from_names(names)
    split = ["splits:", "  xsub: {by: subject, test_share: 0.25, seed: 0}  # CHECK: or train: [subjects]"]
    if len(set(found.get("subject", []))) < 2:
        split = ["splits:", "  part: {by: clip, test_share: 0.25, seed: 0}  # CHECK: by: subject, where they are known"]
    return [*told, *_classes(found.get("label", [])), *split]


def _from_table(
    path: str, columns: Mapping[str, Sequence[str]], names: set[str]
) -> tuple[list[str], dict[str, list[str]]]:
    def fits(cells: Sequence[str]) -> bool:
        return cells[0] in names or cells[0].rpartition(".")[0] in names

    file = next(column for column, cells in columns.items() if fits(cells)) if columns else ""
    lines = ["from_table:", f"  path: {json.dumps(path)}", f"  file: {json.dumps(file)}"]
    found = {}
    for field in FIELDS:
        column = next((each for each in columns if each.lower() in WORDS[field] and each != file), None)
        if column is not None:
            lines.append(f"  {field}: {json.dumps(column)}")
            found[field] = list(columns[column])
    if "label" not in found:
        lines.append(f"  label: CHECK  # one of {', '.join(map(str, columns))}")
    return lines, found


def _from_names(names: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """One pattern, where all names are built alike; else the folder, or a question."""
    pieces = [PIECE.findall(name) for name in names]
    kinds = {tuple("d" if piece.isdigit() else "a" if piece.isalpha() else piece for piece in each) for each in pieces}
    if len(kinds) == 1:
        pattern, found = _pattern(list(zip(*pieces, strict=True)))
        if found:
            check = "" if "label" in found else "; it needs (?P<label>...)"
            return ["from_names:", f"  pattern: {_quoted(pattern)}  # CHECK: named after fields{check}"], found
    folders = [name.rpartition("/")[0].rpartition("/")[2] for name in names]
    if all(folders) and 1 < len(set(folders)) < max(3, len(names) // 2):
        return ["from_names:", "  label: '([^/]+)/[^/]+$'  # CHECK: the folder is the class"], {"label": folders}
    label = [re.split(r"[^A-Za-z0-9]", name.rpartition("/")[2])[0] for name in names]
    return ["from_names:", r"  label: '([A-Za-z0-9]+)[^/]*$'  # CHECK: the beginning of the name"], {"label": label}


def _pattern(places: Sequence[Sequence[str]]) -> tuple[str, dict[str, list[str]]]:
    """A regular expression for names built alike, and what its groups find."""
    parts: list[str] = []
    found: dict[str, list[str]] = {}
    for place, written in enumerate(places):
        before = places[place - 1][0].lower() if place else ""
        constant = len(set(written)) == 1
        number = written[0].isdigit()
        field = next((each for each in FIELDS if before in WORDS[each] and each not in found), None) if number else None
        if field is None and not constant and written[0].isalpha() and "label" not in found:
            field = "label"
        if field:
            parts.append(rf"(?P<{field}>{r'[0-9]+' if number else '[A-Za-z]+'})")
            found[field] = list(written)
        elif constant and not number:
            parts.append(re.escape(written[0]))
        else:
            parts.append("[0-9]+" if number else "[A-Za-z]+")
    return "".join(parts), found


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _classes(labels: Sequence[str]) -> list[str]:
    different = sorted(set(labels))
    if not different or len(different) > MOST_CLASSES:
        return ["classes: []  # CHECK: the names of the classes, in the order of their numbers"]
    if all(label.isdecimal() for label in different):
        numbers = sorted(map(int, different))
        first, count = numbers[0], numbers[-1] - numbers[0] + 1
        named = [f"class {number}" for number in range(first, first + min(count, MOST_CLASSES))]
        return [
            f"first_label: {first}",
            f"classes: {json.dumps(named)}  # CHECK: give them names; a class without a clip is refused",
        ]
    return [f"classes: {json.dumps(different, ensure_ascii=False)}"]

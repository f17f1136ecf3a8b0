"""A first `skeletons.yaml` for a folder: what its files show, and what only their owner can know, as questions."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from skelray import skeletons
from skelray.data.files import Files
from skelray.data.generic import arrays, cells, naming
from skelray.data.generic.description import ARRAYS, ENDINGS
from skelray.errors import BadInput

SAMPLES = 5  # files that are looked into
SEPARATORS = ",;\t "
SPECIAL = {  # key -> what such columns are called
    "frame": r"frame(_?(id|no|number|index))?|moment",
    "body": r"(body|person|track|skeleton|people)(_?(id|no|number|index))?",
    "timestamp": r"time(_?stamp)?(_?(s|ms|us))?",
}
COLUMN = (  # how coordinates' columns are often called: pattern, and the same for csv.columns
    (re.compile(r"(?P<joint>.+?)(?P<between>[_.: -]?)(?P<axis>[xyz])"), "{joint}%s{axis}"),
    (re.compile(r"(?P<axis>[xyz])(?P<between>[_.: -]?)(?P<joint>.+)"), "{axis}%s{joint}"),
    (re.compile(r"(?P<joint>.+?)(?P<between>[_.: -]?)(?P<axis>[XYZ])"), "{joint}%s{AXIS}"),
)


@dataclass
class _Form:
    """What the clips show."""

    lines: list[str]  # of the description
    joints: int = 0
    channels: int = 3
    names: list[str] = field(default_factory=list)  # of joints, where the files tell them
    spread: tuple[float, float] | None = None  # least and greatest coordinate


def draft(source: Path) -> str:
    """The text. Raises BadInput when there is no clip to look at, or when one cannot be read."""
    files = Files(source)
    found = {ending: files.names(ending) for ending in ENDINGS} if source.exists() else {}
    ending = max(ENDINGS, key=lambda each: len(found.get(each, [])))
    parts = found.get(ending, [])
    tables = _tables(files, found.get(".csv", []), {stem for names in found.values() for stem in map(_stem, names)})
    parts = [part for part in parts if part not in tables]
    if not parts:
        raise BadInput(f"{source}: no .npz, .npy or .csv file to look at")
    looked = [parts[place] for place in np.unique(np.linspace(0, len(parts) - 1, SAMPLES).astype(int))]
    form = _arrays(files, looked) if ending in ARRAYS else _csv(files, looked[0])
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", source.resolve().stem).strip("-._") or "mine"
    return "\n".join(
        [
            f"# Drafted from {len(parts):,} {ending} files. Go through every line that says CHECK, then:",
            f"# skelray data import generic {_said(str(source))} {name}",
            f"name: {_said(name)}",
            'licence: ""  # what may be done with the data, in a sentence; it is kept with the store',
            f"files: {_said(f'*{ending}')}",
            *form.lines,
            *_layout(form),
            *_units(form),
            "# frame_rate: 30  # CHECK: frames a second",
            "missing: refuse  # or interpolate, or zero: what to do where a value is missing",
            *naming.lines([_stem(part) for part in parts], tables),
            "steps: []  # alignment, done at import: hip_origin, yaw, ...",
            "",
        ]
    )


def _said(value: object) -> str:
    """A value as YAML takes it."""
    return json.dumps(value, ensure_ascii=False)


def _stem(name: str) -> str:
    return name[: -len(PurePosixPath(name).suffix)]


def _tables(files: Files, names: Sequence[str], stems: set[str]) -> dict[str, dict[str, list[str]]]:
    """The .csv files that name other files in one of their columns: name -> {column: cells}."""
    found = {}
    for name in [name for name in names if "/" not in name][:50]:
        try:
            rows = [row for _, row in cells.rows(files.read(name, cells.LARGEST), ",", name)]
        except BadInput:
            continue
        if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):
            continue
        columns = {head: [row[place] for row in rows[1:]] for place, head in enumerate(rows[0])}
        if any(cell in stems or _stem(cell) in stems for cell in rows[1]):
            found[name] = columns
    return found


def _arrays(files: Files, looked: Sequence[str]) -> _Form:
    shapes, seen, key = [], [], ""
    comments = []
    for part in looked:
        held = arrays.held(files.read(part), files.where(part), part.endswith(".npz"))
        comments.append(
            f"#   {_said(part)}: "
            + ", ".join(
                f"{_said(name)} {list(each.shape)}" if name else str(list(each.shape)) for name, each in held.items()
            )
        )
        key = max(held, key=lambda name: held[name].size if held[name].ndim > 1 else 0)
        shapes.append(held[key].shape)
        seen.append(held[key])
    axes, joints, channels = _axes(shapes)
    lines = ["# What lies in some of them:", *comments, "array:"]
    lines += [f"  key: {_said(key)}"] if key else []
    lines.append(f"  axes: {axes}  # CHECK: M bodies, T frames, V joints, C coordinates; VC is one axis for both")
    return _Form(lines, joints, channels, spread=_spread(seen))


def _axes(shapes: Sequence[tuple[int, ...]]) -> tuple[str, int, int]:
    """A guess at the axes, with the numbers of joints and of coordinates."""
    dimensions = Counter(map(len, shapes)).most_common(1)[0][0]
    shapes = [shape for shape in shapes if len(shape) == dimensions]
    sizes = shapes[0]
    known = {len(layout.joints) for layout in skeletons.layouts().values()}
    if dimensions == 2:
        channels = 3 if sizes[1] % 3 == 0 else 2
        if sizes[1] // channels // 2 in known:
            return "T MVC", sizes[1] // channels // 2, channels
        return "T VC", sizes[1] // channels, channels
    if dimensions not in (3, 4):
        return "T V C", 0, 3
    left = list(range(dimensions))
    ends = [left[-1], left[0], *left[1:-1]]
    c = next((axis for size in (3, 2) for axis in ends if sizes[axis] == size), left[-1])
    left.remove(c)
    letters = {c: "C"}
    if dimensions == 4:
        m = min(left, key=lambda axis: sizes[axis])
        left.remove(m)
        letters[m] = "M"
    changing = [axis for axis in left if len({shape[axis] for shape in shapes}) > 1]
    usual = [axis for axis in left if sizes[axis] in known]
    t = changing[0] if changing else next((axis for axis in left if axis not in usual), left[0])
    v = next(axis for axis in left if axis != t)
    letters |= {t: "T", v: "V"}
    return " ".join(letters[axis] for axis in range(dimensions)), sizes[v], min(max(sizes[c], 2), 3)


def _csv(files: Files, part: str) -> _Form:
    content = files.read(part, cells.LARGEST)
    first = content.split(b"\n", 1)[0].decode(errors="replace")
    separator = max(SEPARATORS, key=first.count)
    rows = [row for _, row in cells.rows(content, separator, files.where(part))]
    header = not all(map(_is_number, rows[0])) if rows else True
    lines = [f"# The first line of {_said(part)} has {len(rows[0]) if rows else 0} cells.", "csv:"]
    lines += [f"  header: {_said(header)}", f"  separator: {_said(separator)}"]
    rest, form = list(rows[0]) if rows else [], _Form(lines)
    for key, pattern in SPECIAL.items() if header else ():
        column = next((name for name in rest if re.fullmatch(pattern, name, re.IGNORECASE)), None)
        if column is not None:
            lines.append(f"  {key}: {_said(column)}")
            rest.remove(column)
    form.channels, form.joints = (3, len(rest) // 3) if len(rest) % 3 == 0 else (2, len(rest) // 2)
    for called, said in COLUMN if header else ():
        matches = [match for name in rest if (match := called.fullmatch(name))]
        between = {match["between"] for match in matches}
        names = list(dict.fromkeys(match["joint"] for match in matches))
        if names and len(between) == 1 and len({match["axis"] for match in matches}) * len(names) == len(matches):
            lines.append(f"  columns: {_said(said % between.pop())}")
            form.names, form.joints, form.channels = names, len(names), len(matches) // len(names)
            break
    numbers = [float(cell) for row in rows[header:] for cell in row if _is_number(cell)]
    form.spread = _spread([np.array(numbers)])
    return form


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return cell.lower() in ("", "nan")


def _spread(seen: Sequence[NDArray[np.generic]]) -> tuple[float, float] | None:
    numbers = [each[np.isfinite(each)] for each in seen if each.dtype.kind in "fiu"]
    numbers = [each for each in numbers if each.size]
    return (float(min(map(np.min, numbers))), float(max(map(np.max, numbers)))) if numbers else None


def _layout(form: _Form) -> list[str]:
    known = [name for name, layout in skeletons.layouts().items() if len(layout.joints) == form.joints]
    same = [name for name in known if form.names and set(skeletons.layouts()[name].joints) == set(form.names)]
    if same or (known and not form.names):
        why = "" if same else f"  # CHECK: of {form.joints} joints are {', '.join(known)}; else joints: and bones:"
        return [f"layout: {(same or known)[0]}{why}", f"dimensions: {form.channels}"]
    names = form.names or [f"joint {number}" for number in range(form.joints)]
    check = "" if form.names else "  # CHECK: give them names; hip_left, shoulder_right, ... as far as there are such"
    return [
        f"joints: {_said(names)}{check}",
        "bones: []  # CHECK: [child, parent] of every joint but one, the root",
        "mirror: []  # CHECK: [left, right]",
        "parts: {}  # CHECK: body part: [its joints]; every joint in one",
        f"dimensions: {form.channels}",
    ]


def _units(form: _Form) -> list[str]:
    least, most = form.spread or (0.0, 0.0)
    far = max(-least, most)
    units = "metres" if far < 20 else ("pixels" if form.channels == 2 else "millimetres")
    lines = [f"units: {units}  # CHECK: coordinates go from {least:.4g} to {most:.4g}"]
    if units == "pixels":
        lines.append("image: [1920, 1080]  # CHECK: width and height")
    up = "-y" if units == "pixels" else "y"
    return [*lines, f'up: "{up}"  # CHECK: the axis that points up: y, -y, z, -z, x or -x']

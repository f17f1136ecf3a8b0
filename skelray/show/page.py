"""A scene as one HTML file that needs nothing else: SVG for the first frame, a small script that moves it."""

import base64
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from skelray.page import filled
from skelray.show.scene import SIDES, Panel, Scene, sides

LABELS, STEPS, ROW = 92, 228, 10.5  # of a grid: room for joint names, room for all steps, height of a joint
MANY = 8  # panels from which on they are smaller
LIMIT = 32.7  # metres: as far as two bytes of millimetres reach


def text(scene: Scene, sections: Sequence[str] = ()) -> str:
    """The whole file; `sections` of HTML stand between its head and its panels. The same scene gives the same text."""
    wide = any(panel.grid is not None for panel in scene.panels)
    parts = {
        "title": escape(scene.title),
        "least": "20rem" if wide else "11rem" if len(scene.panels) > MANY else "15rem",
        "body": "\n".join([*_head(scene), *sections, _legend(scene), *_groups(scene)]),
        "scene": json.dumps(data(scene), separators=(",", ":")),
    }
    return filled(Path(__file__).with_suffix(".html"), parts)


def data(scene: Scene) -> dict[str, object]:
    """What the script reads: millimetres and hidden joints of every frame, base64 of little-endian bytes."""
    return {
        "frames": scene.frames,
        "rate": round(scene.rate, 2),
        "joints": len(scene.skeleton.joints),
        "bones": scene.skeleton.bones,
        "gridWidth": STEPS,
        "panels": [
            {
                "bodies": panel.joints.shape[0],
                "frames": panel.joints.shape[1],
                "centre": [round(float(each) * 100, 1) for each in panel.centre],
                "places": _millimetres(panel.joints),
                "ghost": "" if panel.ghost is None else _millimetres(panel.ghost),
                "hidden": "" if panel.hidden is None else _packed(panel.hidden.astype("u1")),
            }
            for panel in scene.panels
        ],
    }


def _millimetres(joints: Float[np.ndarray, "M T V 3"]) -> str:
    return _packed((joints.clip(-LIMIT, LIMIT) * 1000).round().astype("<i2"))


def _packed(numbers: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode("ascii")


def _head(scene: Scene) -> list[str]:
    lines = [f"<h1>{escape(scene.title)}</h1>", *(f"<p>{escape(each)}</p>" for each in scene.lead)]
    if scene.facts:
        facts = "; ".join(f"{escape(name)} {escape(value)}" for name, value in scene.facts.items())
        lines.append(f'<p class="facts">{facts}</p>')
    return lines


def _legend(scene: Scene) -> str:
    keys = {side: f"{side} side" if side != "middle" else side for side in SIDES}
    if any(panel.hidden is not None and not panel.only_visible for panel in scene.panels):
        keys["hidden"] = "hidden"
    if any(panel.ghost is not None for panel in scene.panels):
        keys["ghost"] = "the truth"
    items = "".join(f'<li><i class="{key}"></i>{word}</li>' for key, word in keys.items())
    return f'<ul class="legend" aria-label="Colours">{items}</ul>'


def _groups(scene: Scene) -> list[str]:
    lines, number = [], 0
    for name, panels in scene.groups():
        lines += [f"<h2>{escape(name)}</h2>"] if name else []
        lines.append(f'<div class="panels" style="max-width: {max(48, 34 * len(panels))}rem">')
        for panel in panels:
            lines.append(_figure(scene, panel, number))
            number += 1
        lines.append("</div>")
    return lines


def _figure(scene: Scene, panel: Panel, number: int) -> str:
    grids = [] if panel.grid is None else [_grid(scene, panel, number, body) for body in range(len(panel.grid))]
    level = "h3" if panel.group else "h2"
    title = (
        f"<{level}>{escape(panel.title)}</{level}>"  # the note comes last, so that pictures in a row stand side by side
    )
    note = [f"<p>{escape(panel.note)}</p>"] if panel.note else []
    return "\n".join(["<figure>", title, _pose(scene, panel, number), *grids, *note, "</figure>"])


def _pose(scene: Scene, panel: Panel, number: int) -> str:
    """The first frame; its lines and circles are in the order in which the script moves them."""
    width, height = (100 * each for each in panel.reach or scene.reach)
    thick, names = 0.02 * max(width, height), sides(scene.skeleton)
    ghosts, bones, circles = [], [], []
    for body in range(len(panel.joints)):
        flat = _flat(panel.joints[body, 0], panel.centre)
        dark = np.zeros(len(names), bool) if panel.hidden is None else panel.hidden[body, 0]
        for joint, parent in scene.skeleton.bones:
            bones.append(_line(flat[joint], flat[parent], names[joint] + " hidden" * bool(dark[joint] | dark[parent])))
        for joint, (x, y) in enumerate(flat):
            side = names[joint] + " hidden" * bool(dark[joint])
            circles.append(f'<circle class="{side}" cx="{x:.1f}" cy="{y:.1f}" r="{0.8 * thick:.2f}"/>')
        if panel.ghost is not None:
            behind = _flat(panel.ghost[body, 0], panel.centre)
            ghosts += [_line(behind[joint], behind[parent], "") for joint, parent in scene.skeleton.bones]
    kind = "" if panel.hidden is None else " only masked" if panel.only_visible else " masked"
    style = f'stroke-width="{0.8 * thick:.2f}" style="--thin: {0.3 * thick:.2f}"'
    return (
        f'<svg class="pose{kind}" data-panel="{number}" role="img" aria-label="{escape(panel.told)}" '
        f'viewBox="{-width:.1f} {-height:.1f} {2 * width:.1f} {2 * height:.1f}">\n'
        f'<g class="ghosts" stroke-width="{0.4 * thick:.2f}" stroke-dasharray="{thick:.2f}">{"".join(ghosts)}</g>\n'
        f'<g class="bones" stroke-width="{thick:.2f}">{"".join(bones)}</g>\n'
        f'<g class="joints" {style}>{"".join(circles)}</g>\n</svg>'
    )


def _line(start: Float[np.ndarray, " 2"], end: Float[np.ndarray, " 2"], kind: str) -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<line{named} x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'


def _flat(pose: Float[np.ndarray, "V 3"], centre: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "V 2"]:
    """Centimetres from the middle, seen from before; down is positive, as SVG has it."""
    return 100 * (pose - centre)[:, :2] * [1, -1]


def _grid(scene: Scene, panel: Panel, number: int, body: int) -> str:
    """Joint x time: visible cells in the colour of their side, hidden ones grey, and a mark at the frame shown."""
    assert panel.grid is not None
    hidden, names = panel.grid[body], sides(scene.skeleton)
    steps, joints = hidden.shape
    wide, height = STEPS / steps, ROW * joints
    labels = "".join(
        f'<text x="{LABELS - 4}" y="{ROW * (joint + 0.78):.1f}" text-anchor="end">{escape(name)}</text>'
        for joint, name in enumerate(each.replace("_", " ") for each in scene.skeleton.joints)
    )
    paths = "".join(f'<path class="{side}" d="{_cells(~hidden & (np.array(names) == side), wide)}"/>' for side in SIDES)
    share = f"{hidden.mean():.0%} of {hidden.size} cells hidden"
    of = f"body {body + 1} of {len(panel.grid)}: " if len(panel.grid) > 1 else ""
    told = f"Joint by time, {of}{share}; visible cells are coloured"
    return (
        f'<svg class="grid" data-grid="{number}" role="img" aria-label="{escape(told)}" '
        f'viewBox="0 0 {LABELS + STEPS + 2} {height + 14:.1f}">{labels}'
        f'<g transform="translate({LABELS} 0)"><rect width="{STEPS}" height="{height:.1f}"/>{paths}'
        f'<path class="now" d="M0 0v{height:.1f}"/></g>'
        f'<text x="{LABELS}" y="{height + 11:.1f}">{escape(of + share)}</text></svg>'
    )


def _cells(chosen: Bool[np.ndarray, "S V"], wide: float) -> str:
    cells = zip(*np.nonzero(chosen), strict=True)
    size = f"h{wide - 0.6:.2f}v{ROW - 1:.1f}h-{wide - 0.6:.2f}z"
    return "".join(f"M{step * wide + 0.3:.2f} {joint * ROW + 0.5:.1f}{size}" for step, joint in cells)

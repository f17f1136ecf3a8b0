"""A scene as an animated GIF, for where no script may run."""

from pathlib import Path
from textwrap import fill, wrap
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from PIL import Image

from skelray.show.scene import Panel, Scene, sides

COLOURS = {"left": "#c2410c", "right": "#0067a8", "middle": "#333333"}  # those of page.html
HIDDEN, GHOST = "#c4c4c4", "#9b9b9b"
ACROSS, LEAST = 4, 0.06  # panels in a row; seconds a picture stays: viewers slow down what is shorter


def write(scene: Scene, path: Path) -> None:
    """Draw every frame that a viewer can show in time and write them to `path`."""
    every = max(1, round(LEAST * scene.rate))
    show = _Show(scene)
    pictures = [Image.fromarray(show.picture(frame)) for frame in range(0, scene.frames, every)]
    palette = pictures[0].quantize(128, method=Image.Quantize.MEDIANCUT)
    first, *rest = (each.quantize(palette=palette, dither=Image.Dither.NONE) for each in pictures)
    stay = round(1000 * every / scene.rate / 10) * 10  # GIF counts hundredths of a second
    first.save(
        path, format="GIF", save_all=True, append_images=rest, duration=stay, loop=0, comment=scene.title.encode()
    )


def _wrapped(note: str) -> list[str]:
    return wrap(note, 52)


def _legend(scene: Scene) -> list[Line2D]:
    """What colours mean in this scene."""
    entries = [Line2D([], [], color=colour, linewidth=2.4, label=f"{side} side") for side, colour in COLOURS.items()]
    entries[-1].set_label("middle")
    if any(panel.hidden is not None for panel in scene.panels):
        entries.append(Line2D([], [], color=HIDDEN, linewidth=2.4, label="hidden"))
    if any(panel.ghost is not None for panel in scene.panels):
        entries.append(Line2D([], [], color=GHOST, linestyle="dashed", label="the truth"))
    return entries


class _Moved(NamedTuple):
    panel: Panel
    behind: LineCollection
    bones: LineCollection
    joints: PathCollection
    marks: list[Line2D]


class _Show:
    """A figure whose lines are moved from frame to frame."""

    def __init__(self, scene: Scene):
        self.scene, self.sides = scene, sides(scene.skeleton)
        across = min(ACROSS, max(len(panels) for _, panels in scene.groups()))
        rows = [panels[i : i + across] for _, panels in scene.groups() for i in range(0, len(panels), across)]
        # Every panel has the same room for tables and for its note, so that poses in a row stand side by side.
        self.tables = max(0 if panel.grid is None else len(panel.grid) for panel in scene.panels)
        self.lines = max(len(_wrapped(panel.note)) for panel in scene.panels)
        width, height = scene.reach
        tall = min(5.0, max(2.2, 3.4 * height / width)) + 2.6 * bool(self.tables) + 0.13 * self.lines
        lead = fill(" ".join(scene.lead), 50 * max(across, 2))
        size = (max(4.8, 3.6 * across), tall * len(rows) + 0.8 + 0.15 * lead.count("\n"))
        self.figure = Figure(figsize=size, dpi=80, layout="constrained")
        self.canvas = FigureCanvasAgg(self.figure)
        self.figure.suptitle(f"{scene.title}\n{lead}", fontsize=8.5)
        self.figure.legend(handles=_legend(scene), loc="outside lower center", ncols=5, frameon=False, fontsize=8)
        parts = self.figure.subfigures(len(rows), across, squeeze=False)
        cells = [
            (part, panel)
            for line, panels in zip(parts, rows, strict=True)
            for part, panel in zip(line, panels, strict=False)
        ]
        self.moved = [self._panel(part, panel) for part, panel in cells]

    def _panel(self, part: SubFigure, panel: Panel) -> _Moved:
        shares = [3.0] + [2 / max(1, self.tables)] * self.tables
        axes = part.subplots(len(shares), 1, height_ratios=shares, squeeze=False)[:, 0]
        pose, width, height = axes[0], *(panel.reach or self.scene.reach)
        pose.set(xlim=(-width, width), ylim=(-height, height), aspect="equal")
        for each in axes:
            each.set_axis_off()
        pose.set_title(panel.title, fontsize=10)
        note = _wrapped(panel.note)
        part.supxlabel("\n".join(note + [" "] * (self.lines - len(note))), fontsize=7.5)
        behind = pose.add_collection(LineCollection([], colors=GHOST, linewidths=1.0, linestyles="dashed"))
        bones = pose.add_collection(LineCollection([], linewidths=2.4, capstyle="round"))
        joints = pose.scatter([], [], s=16, linewidths=1.0, zorder=3)
        marks = []
        for hidden, table in zip(() if panel.grid is None else panel.grid, axes[1:], strict=False):
            colours = ListedColormap(["#dcdcdc", *COLOURS.values()])
            kinds = np.array([1 + list(COLOURS).index(side) for side in self.sides])
            table.imshow(
                np.where(hidden, 0, kinds).T, cmap=colours, vmin=0, vmax=3, aspect="auto", interpolation="none"
            )
            table.set_axis_on()
            table.set(yticks=[], xticks=[], ylabel="joints", xlabel="time")
            marks.append(table.axvline(-0.5, color="black", linewidth=1.2))
        return _Moved(panel, behind, bones, joints, marks)

    def picture(self, frame: int) -> UInt8[np.ndarray, "H W 3"]:
        """The figure as it looks at one frame."""
        for panel, behind, bones, joints, marks in self.moved:
            now = frame % panel.joints.shape[1]
            bones.set_segments(self._segments(panel, panel.joints[:, now]))
            if panel.ghost is not None:
                behind.set_segments(self._segments(panel, panel.ghost[:, now]))
            joints.set_offsets((panel.joints[:, now] - panel.centre)[..., :2].reshape(-1, 2))
            bones.set_color(self._colours(panel, now, self.scene.skeleton.bones))
            edges = self._colours(panel, now, [(joint, joint) for joint in range(len(self.sides))])
            joints.set_edgecolor(edges)
            joints.set_facecolor(["white" if each == HIDDEN else each for each in edges])
            for mark in marks:
                steps = panel.grid.shape[1] if panel.grid is not None else 1
                mark.set_xdata([now / panel.joints.shape[1] * steps - 0.5] * 2)
        self.canvas.draw()
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()

    def _segments(self, panel: Panel, poses: np.ndarray) -> list[np.ndarray]:
        flat = (poses - panel.centre)[..., :2]
        return [body[[joint, parent]] for body in flat for joint, parent in self.scene.skeleton.bones]

    def _colours(self, panel: Panel, now: int, bones: list[tuple[int, int]]) -> list[str]:
        hidden = np.zeros(panel.joints.shape[::2][:2], bool) if panel.hidden is None else panel.hidden[:, now]
        away = "none" if panel.only_visible else HIDDEN
        return [
            away if dark[joint] or dark[parent] else COLOURS[self.sides[joint]]
            for dark in hidden
            for joint, parent in bones
        ]

"""`skelray data show`: what a store holds."""

from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from skelray.data import locate, splits, store
from skelray.data.clip import UNKNOWN


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command()
    def show(
        store_: Annotated[str, typer.Argument(metavar="STORE", help="The name or path of a store.")],
    ) -> None:
        """Say what a store holds, after reading every byte of it."""
        opened = store.open(locate.find(store_))
        opened.verify()
        table = Table(show_header=False, title=f"{opened.name} at {opened.path}")
        table.add_column()
        table.add_column(overflow="fold")
        for what, value in _facts(opened).items():
            table.add_row(what, value)
        Console().print(table)


def _facts(opened: store.Store) -> dict[str, str]:
    bodies = {number: int((opened.bodies == number).sum()) for number in np.unique(opened.bodies)}
    copies = opened.clips - len(np.unique(opened.digest))
    return {
        "clips": f"{opened.clips:,}" + (f", {copies} of them exact copies of another" if copies else ""),
        "frames": _spread(opened.frames, "a clip"),
        "bodies": ", ".join(f"{count:,} clips with {number}" for number, count in bodies.items()),
        "layout": f"{opened.skeleton.name}: {opened.rows.shape[1]} joints, {opened.rows.shape[2]} coordinates",
        "classes": _classes(opened),
        **{what: _numbers(getattr(opened, what)) for what in ("subject", "camera", "setup", "replication")},
        "splits": "; ".join(_sides(opened, split) for split in splits.available(opened)) or "none known for this name",
        "bones": _bones(opened),
        "transforms": "; ".join(opened.transforms) or "none",
        "fingerprint": opened.fingerprint,
    }


def _classes(opened: store.Store) -> str:
    counts = np.bincount(opened.label, minlength=len(opened.classes))
    if len(counts) > 20:
        return f"{len(counts)}, with {counts.min():,} to {counts.max():,} clips"
    return f"{len(counts)}: " + ", ".join(
        f"{name} {count:,}" for name, count in zip(opened.classes, counts, strict=True)
    )


def _spread(values: np.ndarray, of: str) -> str:
    return f"{values.sum():,}; {values.min()} to {values.max()} {of}, median {np.median(values):g}"


def _numbers(column: np.ndarray) -> str:
    known = np.unique(column[column != UNKNOWN])
    return f"{len(known)}: {', '.join(map(str, known))}" if len(known) else "unknown"


def _sides(opened: store.Store, split: str) -> str:
    train, test = splits.sizes(opened, split)
    whole = splits.protocols().get(opened.name, {}).get(split, {}).get("whole", {"train": train, "test": test})
    complete = whole == {"train": train, "test": test}
    note = "" if complete else f" (the complete set has {whole['train']:,} / {whole['test']:,})"
    return f"{split} {train:,} train / {test:,} test{note}"


def _bones(opened: store.Store) -> str:
    """Median bone length in the first frame of each clip: tells metres from millimetres at a glance."""
    joint, parent = np.array(opened.skeleton.bones).T
    first = np.asarray(opened.rows[opened.offset])
    lengths = np.linalg.norm(first[:, joint] - first[:, parent], axis=-1)
    median = np.median(lengths, 0)
    longest, shortest = int(median.argmax()), int(median.argmin())
    names = opened.skeleton.joints
    hint = "" if 0.1 < median[longest] < 1.0 else "; these do not look like metres"
    return (
        f"median {np.median(median):.3f} m, from {median[shortest]:.3f} ({names[joint[shortest]]}) "
        f"to {median[longest]:.3f} ({names[joint[longest]]}){hint}"
    )

"""The model card: what somebody who finds the folder needs to know, in Markdown."""

from typing import Any

from skelray.method import MethodConfig
from skelray.schema import Strict
from skelray.skeletons import Skeleton


class Origin(Strict):
    """Where weights come from, as far as it is known: a file that somebody released, or a trial."""

    file: str | None = None
    sha256: str | None = None  # of the file
    layout: str | None = None  # whose names its tensors had
    aside: tuple[str, ...] = ()  # tensors of the file that were left there

    data: dict[str, Any] | None = None  # store, split and validation subjects
    fingerprint: str | None = None  # of the store
    side: str | None = None  # of the split
    clips: int | None = None  # seen in training
    steps: int | None = None  # of the optimiser
    metrics: dict[str, float] = {}
    trial: dict[str, Any] | None = None  # the whole config

    @property
    def stream(self) -> str:
        """What of a body the encoder looks at, see skelray.data.streams; joints where nothing else is known."""
        return str((self.data or {}).get("stream", "joint"))


LOADING = """## How to load

```python
import torch

from skelray import weights

method = weights.load("{folder}")  # this folder
x = torch.zeros(1, {frames}, {joints}, {channels})  # bodies, frames, joints, coordinates in metres{stream}
with torch.no_grad():
    tokens = method.pretrained(x)  # bodies, tokens, {width}
```

A clip is resampled to {frames} frames first. Joints are numbered as `skeleton` in `config.json` says.
"""

LICENCE = """## Licence

These weights were learned from recordings of people. Whoever owns those data decides what may be done with what was
learned from them; many such sets allow research alone. skelray knows no licence of the data: ask before passing on.
"""


def text(
    config: MethodConfig,
    skeleton: Skeleton,
    sizes: dict[str, int],
    absent: list[str],
    origin: Origin,
    buffers: dict[str, str],
) -> str:
    """The card. `sizes`: numbers in each part; `absent`: parts left out; `origin`, `buffers`: as in config.json."""
    encoder = config.encoder
    rows = [
        ("encoder", f"{encoder.depth} blocks, width {encoder.width}, {encoder.heads} heads"),
        ("input", f"{encoder.frames} frames, {len(skeleton.joints)} joints ({skeleton.name}), metres"),
        *([("stream", f"{origin.stream}, not joints: see `skelray.data.streams`")] if origin.stream != "joint" else []),
        ("tokens", f"one joint over {encoder.patch} frames"),
        *((f"numbers in {part}", f"{count:,}") for part, count in sizes.items()),
        *([("not here, untrained when loaded", ", ".join(absent))] if absent else []),
        *known(origin),
        *((f"`{name}`", where) for name, where in buffers.items()),
    ]
    head = "---\nlibrary_name: skelray\ntags: [skeleton-action-recognition, self-supervised]\n---\n"
    loading = LOADING.format(
        folder="path/to/this/folder",
        frames=encoder.frames,
        joints=len(skeleton.joints),
        channels=skeleton.channels,
        width=encoder.width,
        stream="" if origin.stream == "joint" else f" of the {origin.stream} stream",
    )
    found = table("metric", [(f"`{name}`", f"{value:.4f}") for name, value in origin.metrics.items()])
    results = (
        f"## What was measured\n\n{found}"
        if origin.metrics
        else "## What was measured\n\nNothing that this folder knows of.\n"
    )
    return "\n".join([f"{head}\n# {config.name}\n", table("", rows), results, loading, LICENCE])


def known(origin: Origin) -> list[tuple[str, str]]:
    """What there is to say about where weights come from, as rows."""
    told = []
    if origin.file:
        told += [("imported from", f"`{origin.file}`, sha256 {origin.sha256}"), ("layout", str(origin.layout))]
    if origin.data:
        told.append(("data", f"{origin.data.get('store')}, split {origin.data.get('split')}, {origin.side}"))
        told.append(("fingerprint of the data", f"`{origin.fingerprint}`"))
    if origin.clips is not None:
        told.append(("clips seen", f"{origin.clips:,}"))
    if origin.trial:
        told.append(("seed", str(origin.trial.get("seed"))))
    return told


def table(heading: str, rows: list[tuple[str, str]]) -> str:
    """Two columns of Markdown; a bar inside a value would end its cell."""
    body = "\n".join(f"| {name} | {value.replace('|', '&#124;')} |" for name, value in rows)
    return f"| {heading} | |\n|---|---|\n{body}\n"

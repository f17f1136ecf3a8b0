"""The card of an encoder that is handed on: what it is, what it was measured to be worth, what it must not be used for.

Nothing here is guessed: what nobody knows is said to be unknown.
"""

import re

from skelray.schema import Strict
from skelray.weights import card
from skelray.weights.folder import Weights


class Figure(Strict):
    """One measured number: of one run, or the mean over runs that differ in their seed alone."""

    metric: str  # test/linear: a share of 1
    mean: float
    seeds: int = 1
    low: float | None = None  # of the 95 % interval over seeds
    high: float | None = None
    note: str = ""  # why there is no interval


class Recordings(Strict):
    """What a store says of itself."""

    name: str
    fingerprint: str
    licence: str = ""
    units: str = "unknown"
    transforms: tuple[str, ...] = ()  # what import did to the coordinates, in this order


class Facts(Strict):
    """What is known of an encoder beside its folder of weights."""

    sweep: str | None = None
    trial: str | None = None
    figures: tuple[Figure, ...] = ()
    seconds: float | None = None  # that the training and its evaluation took
    flops: float | None = None  # of the training, forward and backward, as `skelray.cost` counts
    encoding: float | None = None  # FLOPs of the features of one body
    data: Recordings | None = None


PLACE = "path/to/this/folder"
USE = """## Use

```python
import mlflow

encoder = mlflow.pyfunc.load_model("{uri}")
features = encoder.predict(clips)  # float32 (n, {width})
```

`clips` is a float32 array (n, frames, bodies, {joints}, {channels}), or an object array of n arrays without the first
axis where their lengths differ. Any number of frames: the central 95 % of a clip is stretched to {frames}. Any number
of bodies: one that is not there is all zeros, and is left out of the mean. {units} Joints are numbered as below. The
features are those that `skelray features` writes and every protocol of skelray is given: bit for bit on a CPU where the
same {size} clips are encoded at once, and but for rounding otherwise.

Joints: {names}.
"""

INTENDED = """## Intended use

Research on recognising actions from skeletons: as frozen features for a probe or for retrieval, or as the start of
fine-tuning on recordings of the same joints.

## Limits

- It was trained and measured on the recordings named above alone: other cameras, other estimators of poses, other
  places and other actions are unknown, and usually worse.
- Coordinates must be prepared as those of the training were{prepared}.
- Features may tell persons, their body sizes and their ways of moving apart. It is not meant for identifying or
  watching people, and not for decisions about anybody.
- Accuracies are those of a probe fitted on the training side's labels, not of the encoder by itself.

## Licence

{licence} Whoever owns the recordings decides what may be done with what was learned from them.
"""


def text(weights: Weights, facts: Facts, size: int = 64) -> str:
    """The card in Markdown."""
    encoder, skeleton, origin = weights.method.cfg.encoder, weights.skeleton, weights.origin
    data = facts.data
    metres = "Coordinates are metres." if data is None or data.units == "metres" else f"Coordinates: {data.units}."
    use = flowing(USE).format(
        uri=PLACE, width=encoder.width, frames=encoder.frames, size=size, joints=len(skeleton.joints),
        channels=skeleton.channels, units=metres, names=", ".join(skeleton.joints),
    )  # fmt: skip
    rows = [
        ("encoder", f"{weights.method.cfg.name}: {encoder.depth} blocks, width {encoder.width}, {encoder.heads} heads"),
        ("layout", f"{skeleton.name}, {len(skeleton.joints)} joints, {skeleton.channels} coordinates"),
        ("stream", origin.stream),
        *([("trial", f"{facts.trial} of {facts.sweep}")] if facts.trial and facts.sweep else []),
        *card.known(origin),
        *([("done to the coordinates", ", ".join(data.transforms) or "nothing")] if data else []),
    ]
    licence = f"Of the recordings: {data.licence}." if data and data.licence else "Of the recordings: not known."
    told = f" ({', '.join(data.transforms)})" if data and data.transforms else ""
    head = "---\nlibrary_name: skelray\ntags: [skeleton-action-recognition, self-supervised]\n---\n"
    return "\n".join(
        [
            f"{head}\n# An encoder of skeletons: {weights.method.cfg.name}\n", card.table("", rows), use,
            f"## What was measured\n\n{measured(weights, facts)}", f"## Cost\n\n{cost(weights, facts)}",
            flowing(INTENDED).format(prepared=told, licence=licence),
        ]
    )  # fmt: skip


def flowing(text: str) -> str:
    """The text with each paragraph and each point of a list in one line: MLflow's page keeps the breaks of lines."""
    inside, lines = False, list[str]()
    for line in text.split("\n"):
        inside ^= line.startswith("```")
        goes_on = lines and lines[-1] and line and not inside and not line.startswith(("```", "- ", "#"))
        if goes_on and not lines[-1].startswith(("```", "#")):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    return "\n".join(lines)


def note(card: str, uri: str) -> str:
    """A card as MLflow shows it beside the model: without its head, and with the address that loads it there."""
    return card[card.index("\n# ") + 1 :].replace(PLACE, uri)


def measured(weights: Weights, facts: Facts) -> str:
    """The table of figures, with intervals where there are any."""
    alone = weights.origin.metrics.items()
    figures = facts.figures or tuple(Figure(metric=name, mean=value, note="one run") for name, value in alone)
    told = [each for each in figures if not re.search(r"^train/|_lr$|/clips", each.metric)]
    if not told:
        return "Nothing that is known here.\n"
    lines = [f"| `{each.metric}` | {each.mean:.4f} | {bounds(each)} | {each.seeds} |" for each in told]
    return "| metric | mean | 95 % interval | seeds |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"


def bounds(figure: Figure) -> str:
    """0.71 to 0.78, or why there is no interval."""
    if figure.low is None or figure.high is None:
        return figure.note or "none"
    return f"{figure.low:.4f} to {figure.high:.4f}"


def cost(weights: Weights, facts: Facts) -> str:
    """What training and using it takes."""
    numbers = sum(each.numel() for each in weights.method.encoder.parameters())
    told = [f"{numbers:,} parameters in the encoder"]
    if weights.origin.clips is not None:
        told.append(f"{weights.origin.clips:,} clips seen in training")
    if facts.flops is not None:
        told.append(f"{gflops(facts.flops)} for training, forward and backward")
    if facts.seconds is not None:
        told.append(f"{facts.seconds:,.0f} seconds for training and evaluation on the machine of the sweep")
    if facts.encoding is not None:
        told.append(f"{gflops(facts.encoding)} for the features of one body")
    counted = facts.flops is not None or facts.encoding is not None
    how = " FLOPs are those of matrix products, 2 for a multiply-add, attention included." if counted else ""
    return "; ".join(told) + f".{how}\n"


def gflops(flops: float) -> str:
    """1,234 GFLOPs, 0.0123 GFLOPs."""
    return f"{flops / 1e9:,.0f} GFLOPs" if flops >= 1e11 else f"{flops / 1e9:.3g} GFLOPs"

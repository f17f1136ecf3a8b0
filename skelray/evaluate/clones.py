"""Labelled clips that a generative method makes out of labelled clips, for training with few labels.

MacDiff, ECCV 2024, https://arxiv.org/abs/2409.10473: each is sampled once, before training, conditioned on a labelled
clip of which the encoder sees a tenth through a new mask, and keeps that clip's label; then real and made clips are
cropped and turned alike. The authors' script is not public; steps and start are ours.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skelray.data import store
from skelray.data.clip import Clip
from skelray.data.loader import Pool
from skelray.data.splits import Indices
from skelray.errors import BadInput
from skelray.evaluate.case import Case
from skelray.method import Method
from skelray.rng import generator
from skelray.train import Diverged


def refuse(method: Method, pool: Pool, steps: int, start: int | None) -> None:
    """Raise BadInput unless the method makes variants of a given clip, by so many steps; one body is tried."""
    if pool.stream != "joint":
        raise BadInput(f"clips cannot be made in the stream {pool.stream}: joints are what a store holds")
    if pool.skeleton != pool.store.skeleton:
        raise BadInput(f"clips cannot be made in the layout {pool.skeleton.name}: the store holds others")
    x = torch.zeros(1, method.cfg.encoder.frames, len(pool.skeleton.joints), pool.skeleton.channels, device=pool.device)
    draw = generator(0, "clones", device=pool.device)
    variants(method, x, draw, steps, None)
    if start is not None:
        variants(method, x, draw, steps, start)


def variants(
    method: Method, x: Float[Tensor, "B T V C"], draw: torch.Generator, steps: int, start: int | None
) -> Float[Tensor, "B T V C"]:
    """One new body for each, in metres. `start`: so many steps of noise are put on it. Raises BadInput, Diverged."""
    generate: Any = getattr(method, "generate", None)
    if generate is None:
        raise BadInput(f"{method.cfg.name} generates no clips; macdiff does")
    more = {} if start is None else {"start": start}
    training = method.training
    method.eval()
    try:
        with torch.no_grad():
            made: Tensor = generate(x, len(x), draw, steps=steps, **more)
    finally:
        method.train(training)
    if not made.isfinite().all():
        raise Diverged("a clip that the method made is not finite")
    return made


def sources(clips: Indices, count: int, seed: int) -> Indices:
    """Which clip each of `count` clips is made from: every clip as often as any other, or once less, by chance."""
    order = torch.randperm(len(clips), generator=generator(seed, "clones", "order")).numpy()
    return clips[np.resize(order, count)]


@contextmanager
def enlarged(
    case: Case, clips: Indices, ratio: float, *, steps: int, start: int | None, seed: int
) -> Iterator[tuple[Pool, Indices]]:
    """A pool of some training clips and int(ratio * clips) made ones, and all its places. Raises BadInput, Diverged."""
    known, pool = case.pool.store, case.pool
    if pool.quarantine is not None:
        pool.quarantine.refuse(clips, training=True)
    draw = generator(seed, "clones", device=pool.device)
    whole = [Clip(str(known.clip_name[i]), known.joints(i).astype(np.float32), int(known.label[i])) for i in clips]
    made = list[Clip]()
    for batch in case.batches(sources(clips, int(ratio * len(clips)), seed)):
        bodies = variants(case.method, batch.counted(), draw, steps, start).float().cpu()
        for joints, label in zip(bodies.split(batch.present.sum(1).tolist()), batch.label.tolist(), strict=True):
            made.append(Clip(f"made {len(made)}", joints.numpy(), label))
    with tempfile.TemporaryDirectory(prefix="skelray-clones-") as folder:
        path = Path(folder) / "clones.arrow"
        store.write(path, [*whole, *made], known.skeleton, known.name, known.classes)
        yield Pool(store.open(path), pool.device, stream=pool.stream), np.arange(len(whole) + len(made))

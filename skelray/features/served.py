"""Clips as arrays -> features: what stands behind an encoder that is handed on, in Python and in MLflow.

MLflow knows this module by name (`loader_module`) and calls `_load_pyfunc` with a folder of weights; nothing of ours is
pickled for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray
from torch import Tensor

from skelray.batch import Batch, test_view
from skelray.data import streams
from skelray.data.config import Stream
from skelray.data.loader import crop, resample
from skelray.errors import BadInput
from skelray.evaluate.features import of_clips
from skelray.rng import generator
from skelray.weights import folder, named
from skelray.weights.folder import Weights

AXES = "(frames, bodies, joints, coordinates)"


class Encoder:
    """Features of clips in metres, by the same view and the same means as every evaluation of skelray."""

    def __init__(self, weights: Weights, device: str = "cpu", size: int = 64):
        """`size`: clips encoded at once."""
        self.weights, self.size, self.device = weights, size, torch.device(device)
        self.method = weights.method.eval().to(self.device)
        data = named.data_of(weights)
        self.stream: Stream = data.stream if data else "joint"

    @torch.no_grad()
    def features(self, clips: Any) -> Float32[np.ndarray, "N D"]:
        """One feature a clip, float32.

        `clips`: an array (clips, frames, bodies, joints, coordinates), or one such array a clip without the first axis
        when their lengths differ. Any number of frames and bodies will do; a body that is not there is all zeros.
        Raises BadInput that names the clip.
        """
        checked = [self._checked(clip, number) for number, clip in enumerate(each_of(clips))]
        found = [self._batch(checked[at : at + self.size]) for at in range(0, len(checked), self.size)]
        return np.concatenate(found) if found else np.zeros((0, self.method.cfg.encoder.width), np.float32)

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Float32[np.ndarray, "N D"]:
        """What MLflow calls."""
        return self.features(model_input)

    def _checked(self, clip: Any, number: int) -> Tensor:
        """T M V C of finite float32 with a body in it. Raises BadInput."""
        skeleton = self.weights.skeleton
        due = (len(skeleton.joints), skeleton.channels)
        try:
            array = np.asarray(clip)
            floating = array.astype(np.float32) if array.dtype.kind in "fiu" else None
        except ValueError:  # a ragged list
            array, floating = np.empty(0), None
        if floating is None or array.ndim != 4:
            raise BadInput(f"clip {number} is no array {AXES} of numbers, but {kind(clip, array)}")
        if array.shape[2:] != due:
            raise BadInput(
                f"clip {number} has {array.shape[2]} joints of {array.shape[3]} coordinates; the encoder was trained "
                f"on {due[0]} of {due[1]} ({skeleton.name})"
            )
        if not array.shape[0]:
            raise BadInput(f"clip {number} has no frames")
        if not np.isfinite(floating).all():
            frame, body, joint, _ = np.argwhere(~np.isfinite(floating))[0]
            raise BadInput(
                f"clip {number} is not finite at frame {frame}, body {body}, joint {joint} ({skeleton.joints[joint]}); "
                "a body that is not seen is all zeros"
            )
        if not floating.any():
            raise BadInput(f"clip {number} has nobody in it: all its coordinates are zero")
        return torch.from_numpy(floating)

    def _batch(self, clips: Sequence[Tensor]) -> NDArray[np.float32]:
        """The features of some clips, put into one batch as `skelray.data.loader` does with those of a store."""
        frames = torch.tensor([len(clip) for clip in clips])
        bodies = torch.tensor([clip.shape[1] for clip in clips])
        offset = (frames * bodies).cumsum(0) - frames * bodies
        rows = torch.cat([clip.transpose(0, 1).flatten(0, 1).flatten(1) for clip in clips])
        body = torch.arange(int(bodies.max()))
        present = body < bodies[:, None]
        for number, clip in enumerate(clips):
            present[number, : clip.shape[1]] = clip.ne(0).any(3).any(2).any(0)
        view = test_view(self.method.cfg.encoder.frames)
        start, length = crop(frames, view, generator(0, "fixed"))
        begin = offset[:, None] + torch.where(present, body * frames[:, None], 0) + start[:, None]
        along = length[:, None].expand_as(begin).flatten()
        x = resample(rows, begin.flatten(), along, present.flatten(), view.frames)
        x = x.view(len(clips), len(body), view.frames, *clips[0].shape[2:]).to(self.device)
        x = streams.of(x, self.stream, self.weights.skeleton)
        label = torch.zeros(len(clips), dtype=torch.int64, device=self.device)
        batch = Batch([x], present.to(self.device), label, generator(0, "fixed", device=self.device))
        features: NDArray[np.float32] = of_clips(self.method.pretrained, batch).cpu().numpy()
        return features


def each_of(clips: Any) -> Iterator[Any]:
    """The clips of an array or a sequence. Raises BadInput for what is neither."""
    if isinstance(clips, Mapping) or not hasattr(clips, "__len__") or getattr(clips, "ndim", 1) == 0:
        raise BadInput(f"an array (clips, ...) or a list of clips {AXES} is due, not a {type(clips).__name__}")
    return iter(clips)


def kind(clip: Any, array: NDArray[Any]) -> str:
    """What came instead of an array of numbers with four axes."""
    is_numbers = isinstance(clip, np.ndarray) and array.dtype.kind in "fiu"
    return f"one of shape {array.shape}" if is_numbers else f"a {type(clip).__name__}"


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> Encoder:
    """What MLflow calls: `path` is a folder of weights, whose sha256 is checked; config: `device`, `size`."""
    return Encoder(folder.read(Path(path)), **(model_config or {}))

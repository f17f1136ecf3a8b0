"""Clips and methods by what a user names them with."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skelray import methods
from skelray.batch import test_view
from skelray.data import facts, locate, store
from skelray.data.loader import Pool, fixed
from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.method import Method
from skelray.rng import generator
from skelray.show import recorded
from skelray.show.scene import RATE
from skelray.weights import exported, folder, tensors
from skelray.weights.folder import Weights


def opened(name: str) -> Store:
    """A store by name or path. Raises BadInput."""
    return store.open(locate.find(name))


def refuse_clip(clips: Store, clip: int) -> None:
    """Raise BadInput unless the store has that clip."""
    if not 0 <= clip < clips.clips:
        raise BadInput(f"--clip {clip}: {clips.name} has the clips 0..{clips.clips - 1}")


def described(clips: Store, clip: int) -> str:
    """Clip 3 of nw-ucla: "walk around", subject 2, camera 1."""
    return ", ".join([f"clip {clip} of {clips.name}: {recorded.spoken(clips, clip)}", *recorded.known(clips, clip)])


def heading(clips: Store, clip: int) -> str:
    """The same as a title; names keep their capitals."""
    words = described(clips, clip)
    return words[0].upper() + words[1:]


def resampled(clips: Store, clip: int, frames: int) -> Float[Tensor, "M T V C"]:
    """The bodies of a clip as evaluation sees them: the central 95 %, stretched to `frames`."""
    (batch,) = fixed(Pool(clips), np.array([clip]), test_view(frames), 1)
    return batch.counted()


def weights(path: Path) -> Weights:
    """What lies in the folder of a trial or of exported weights, ready to predict. Raises BadInput."""
    if not path.is_dir():
        raise BadInput(f"--weights {path}: no such folder")
    if trials := sorted(each.parent for each in path.glob("trials/*/step-*")):
        raise BadInput(f"--weights {path} is a whole sweep; name one of its trials, e.g. {trials[0]}")
    found = folder.read(path) if (path / folder.CONFIG).exists() else exported.trained(path, None)
    if lacking := sorted(set(folder.parts_of(found.method)) - set(found.parts)):
        raise BadInput(
            f"--weights {path} holds no {' and no '.join(lacking)} of {found.method.cfg.name}, which draws the picture"
        )
    if found.origin.stream != "joint":
        raise BadInput(f"--weights {path} were trained on the {found.origin.stream} stream; pictures are of joints")
    found.method.eval()
    return found


def untrained(name: str, clips: Store) -> Method:
    """A method by name in its paper's configuration, never trained. Raises BadInput."""
    return tensors.built(methods.load(name).Config(name=name), clips.skeleton)


def refuse_layout(found: Weights, clips: Store) -> None:
    """Raise BadInput unless the weights were trained on bodies like those of the store."""
    mine, theirs = found.skeleton, clips.skeleton
    if (mine.joints, mine.channels) != (theirs.joints, theirs.channels):
        raise BadInput(
            f"these weights were trained on bodies of {len(mine.joints)} joints ({mine.name}); "
            f"{clips.name} has {len(theirs.joints)} ({theirs.name})"
        )


def trained_on(found: Weights) -> str:
    """What is known of a training, in a sentence's end."""
    origin = found.origin
    if origin.data is not None and origin.clips is not None:
        return f"trained on {origin.data['store']}, {origin.clips:,} clips seen"
    return f"weights from {origin.file}" if origin.file else "trained weights"


def method_facts(method: Method) -> dict[str, str]:
    """The part of a configuration that a picture depends on."""
    cfg = method.cfg
    found = {"frames": str(cfg.encoder.frames), "patch": f"{cfg.encoder.patch} frames"}
    return found | ({"mask ratio": f"{cfg.mask_ratio:g}"} if hasattr(cfg, "mask_ratio") else {})


def chance(seed: int) -> torch.Generator:
    """The one source of chance of a picture."""
    if seed < 0:
        raise BadInput(f"--seed {seed}: a number from 0 on is due")
    return generator(seed, "show")


def rate(clips: Store, clip: int, frames: int) -> float:
    """Frames a second at which a clip stretched to `frames` takes as long as it did."""
    recorded_at = facts.aside(clips)["frame_rate"] or RATE
    return min(60.0, max(5.0, recorded_at * frames / (0.95 * float(clips.frames[clip]))))


def store_of(found: Weights) -> str:
    """The name of the store that weights were trained on. Raises BadInput when it is not known."""
    if found.origin.data is None:
        raise BadInput("these weights do not say what they were trained on; name a STORE")
    return str(found.origin.data["store"])

"""What a masked method predicts where it may not look: coordinates as they are, motion as the way it leads."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.layers.patch import motion
from skelray.layers.reconstruct import Reconstruction
from skelray.method import Method
from skelray.show import source, upright
from skelray.show.scene import Panel, Scene, reach


def scene(clips: Store, clip: int, method: Method, *, known: str, seed: int) -> Scene:
    """The clip, what is visible of it, and the prediction. `known`: how the method was trained, in words.

    Raises BadInput for a clip that is not there and a method that predicts neither coordinates nor motion.
    """
    source.refuse_clip(clips, clip)
    refuse(method)
    name, patch = type(method).__name__, method.cfg.encoder.patch
    x = source.resampled(clips, clip, method.cfg.encoder.frames)
    with torch.no_grad():
        found: Reconstruction = method.reconstruct(x, source.chance(seed))  # type: ignore[operator]
    grid = found.mask.hidden.unflatten(1, (-1, x.shape[2]))
    hidden = grid.repeat_interleave(patch, 1)
    poses, seen_again = drawn(x, found, hidden)
    up = upright.of_store(clips)
    joints, predicted = upright.seen(x.numpy(), up), upright.seen(poses.numpy(), up)
    share = f"{hidden.float().mean():.0%} of the tokens are hidden"
    answer = f"{seen_again} {error(x, found, hidden)}"
    panels = (
        Panel("The clip", f"Skeleton: {source.described(clips, clip)}", joints, "As evaluation sees it: complete."),
        Panel(
            "What the encoder sees", f"The same skeleton without hidden joints; {share}", joints,
            f"Tokens of {patch} frames; {share}.", hidden=hidden.numpy(), only_visible=True, grid=grid.numpy(),
        ),
        Panel(
            f"What {name} predicts", f"The predicted skeleton over the true one. {answer}", predicted, answer,
            ghost=joints, about=joints,
        ),
    )  # fmt: skip
    title = f"{name} fills in. {source.heading(clips, clip)}"
    facts = {"clip": str(clips.clip_name[clip]), **source.method_facts(method), "seed": str(seed)}
    rate = source.rate(clips, clip, method.cfg.encoder.frames)
    lead = (f"{name}, {known}.", standardised(method))
    return Scene(title, lead, clips.skeleton, panels, reach([joints]), rate, facts)


def refuse(method: Method) -> None:
    """Raise BadInput unless the method says what it predicts in metres."""
    if not hasattr(method, "reconstruct"):
        raise BadInput(
            f"{method.cfg.name} predicts no coordinates and no motion, so there is nothing to draw; "
            "skeletonmae, mamp and amr do, and macdiff and umd have: skelray show sample"
        )


def standardised(method: Method) -> str:
    """In what way the picture is helped by the truth."""
    how = method.cfg.normalise
    if how in (False, "none"):
        return "The method predicts metres; nothing is taken from the truth."
    over = "each axis of the clip" if how == "axis" else "each cell, its frames and coordinates together,"
    return (
        f"The method predicts standardised targets: the mean and the spread of {over} are taken from the truth when it "
        "is drawn. So a part of what looks right is given; the errors say how much the network adds."
    )


def drawn(
    x: Float[Tensor, "B T V C"], found: Reconstruction, hidden: Bool[Tensor, "B T V"]
) -> tuple[Float[Tensor, "B T V C"], str]:
    """The poses that a prediction stands for, and a sentence on how they were made from it."""
    if not found.stride:
        if found.cell == _cell(hidden, found):
            return torch.where(hidden[..., None], found.predicted, x), "Hidden joints lie where it predicts them."
        return found.predicted, "All joints lie where it predicts them."
    if found.cell == _cell(hidden, found):
        begins, told = ~hidden, "A hidden joint goes on from its last visible place by the predicted motion."
        begins[:, 0] = True
        way = torch.where(hidden[..., None], found.predicted, motion(x, found.stride)) / found.stride
    else:
        begins = torch.zeros_like(hidden)
        begins[:, :: found.cell] = True
        told = f"Every {found.cell} frames each joint begins at its true place and goes on by the predicted motion."
        way = found.predicted / found.stride
    return walked(x, way, begins), told


def walked(
    x: Float[Tensor, "B T V C"], way: Float[Tensor, "B T V C"], begins: Bool[Tensor, "B T V"]
) -> Float[Tensor, "B T V C"]:
    """Poses that stand at the truth where `begins`, and elsewhere one step of `way` beyond the frame before."""
    poses = [x[:, 0]]
    for frame in range(1, x.shape[1]):
        onwards = poses[-1] + way[:, frame - 1]
        poses.append(torch.where(begins[:, frame, :, None], x[:, frame], onwards))
    return torch.stack(poses, 1)


def error(x: Float[Tensor, "B T V C"], found: Reconstruction, hidden: Bool[Tensor, "B T V"]) -> str:
    """How far off hidden joints are, beside an answer of nothing."""
    truth, counted = (motion(x, found.stride), hidden) if found.stride else (x, hidden)
    off, nothing = (
        1000 * float((each - truth).norm(dim=-1)[counted].mean()) for each in (found.predicted, found.nothing)
    )
    steps = "a frame" if found.stride == 1 else f"in {found.stride} frames"
    what = f"Motion of hidden joints {steps} is off by" if found.stride else "Hidden joints are off by"
    return f"{what} {off:.1f} mm on average; a network that answers zero would be off by {nothing:.1f} mm."


def _cell(hidden: Bool[Tensor, "B T V"], found: Reconstruction) -> int:
    """Frames in a masked token."""
    return hidden.shape[1] * hidden.shape[2] // found.mask.hidden.shape[1]

"""What a mask hides: one clip under each masking strategy."""

from collections.abc import Callable
from math import inf

import torch
from jaxtyping import Bool, Float
from pydantic import ValidationError
from torch import Tensor

from skelray import masking, tubes
from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.layers.encoder import EncoderConfig
from skelray.layers.patch import patchify
from skelray.show import source, upright
from skelray.show.scene import Panel, Scene, reach
from skelray.skeletons import Skeleton

MOST = 1000  # frames on a page
AREAS = (8.0, 100.0)  # least and most tokens of a tube, as SLiM has them

# Bodies and chance -> what is hidden, True for each hidden token.
Strategy = Callable[[Float[Tensor, "B T V C"], torch.Generator], Bool[Tensor, "B P"]]


def scene(clips: Store, clip: int, *, frames: int, patch: int, ratio: float, tau: float, seed: int) -> Scene:
    """A panel a strategy, hidden joints greyed. Raises BadInput for what cannot be masked."""
    source.refuse_clip(clips, clip)
    refuse(frames, patch, ratio, tau)
    x = source.resampled(clips, clip, frames)
    joints = upright.seen(x.numpy(), upright.of_store(clips))
    panels = []
    for name, (sentence, strategy) in strategies(clips.skeleton, patch, ratio, tau).items():
        tokens = strategy(x, source.chance(seed))
        grid = tokens.unflatten(1, (-1, x.shape[2]))
        note = f"{sentence} {found(x, patch, tokens)}"
        told = f"Animated skeleton, {name}: {tokens.float().mean():.0%} of its tokens are hidden. {note}"
        hidden = grid.repeat_interleave(patch, 1)
        panels.append(Panel(name, told, joints, note, hidden=hidden.numpy(), grid=grid.numpy()))
    lead = (
        f"A token is one joint over {patch} of {frames} frames. Each strategy is asked to hide {ratio:.0%} of the "
        "tokens of each body; the encoder reads what is left in colour.",
    )
    title = f"What a mask hides. {source.heading(clips, clip)}"
    facts = {"clip": str(clips.clip_name[clip]), "seed": str(seed), "time": f"stretched to {frames} frames"}
    rate = source.rate(clips, clip, frames)
    return Scene(title, lead, clips.skeleton, tuple(panels), reach([joints]), rate, facts)


def strategies(skeleton: Skeleton, patch: int, ratio: float, tau: float) -> dict[str, tuple[str, Strategy]]:
    """Name -> a sentence on it, and how it draws. Parts and tubes need a layout that names its body parts."""
    joints = len(skeleton.joints)

    def uniform(x: Float[Tensor, "B T V C"], chance: torch.Generator) -> Bool[Tensor, "B P"]:
        return masking.uniform(len(x), x.shape[1] // patch * joints, ratio, chance).hidden

    def by_motion(x: Float[Tensor, "B T V C"], chance: torch.Generator) -> Bool[Tensor, "B P"]:
        return masking.by_motion(masking.motion_intensity(patchify(x, patch), joints), ratio, tau, chance).hidden

    def blocks(kind: tubes.Kind) -> Strategy:
        groups = tuple(skeleton.parts.values()) or (tuple(range(joints)),)

        def hide(x: Float[Tensor, "B T V C"], chance: torch.Generator) -> Bool[Tensor, "B P"]:
            share, steps = torch.full((len(x),), ratio), x.shape[1] // patch
            return tubes.hide(kind, share, steps, groups, chance, *AREAS)

        return hide

    found: dict[str, tuple[str, Strategy]] = {
        "Uniform": ("Every token is equally likely to be hidden (SkeletonMAE, AMR).", uniform),
        "Motion-aware": (f"What moves more is hidden more often, at temperature {tau:g} (MAMP).", by_motion),
    }
    if skeleton.parts:
        found["Tubes"] = ("Neighbouring joints of a body part are hidden over successive steps (SLiM).", blocks("stm"))
    found["Whole joints"] = ("A joint is hidden all the time or never.", blocks("joint"))
    if skeleton.parts:
        found["Whole body parts"] = ("A body part is hidden all the time or never, as many as fit.", blocks("part"))
    return found


def found(x: Float[Tensor, "B T V C"], patch: int, hidden: Bool[Tensor, "B P"]) -> str:
    """How much of what moves most, and of what moves least, is hidden."""
    intensity = masking.motion_intensity(patchify(x, patch), x.shape[2])
    order, fifth = intensity.argsort(1), max(1, intensity.shape[1] // 5)
    parts = order[:, -fifth:], order[:, :fifth]
    most, least = (float(hidden.gather(1, part).float().mean()) for part in parts)
    return f"Here it hides {most:.0%} of the fifth that moves most and {least:.0%} of the fifth that moves least."


def refuse(frames: int, patch: int, ratio: float, tau: float) -> None:
    """Raise BadInput for numbers that make no mask."""
    if frames > MOST:
        raise BadInput(f"--frames {frames}: a page holds at most {MOST}")
    try:
        EncoderConfig(frames=frames, patch=patch)
    except ValidationError as error:
        told = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadInput(f"--frames {frames} --patch {patch}: {told}") from None
    if not 0 < ratio < 1:
        raise BadInput(f"--ratio {ratio:g}: a share between 0 and 1 is due")
    if not 0 < tau < inf:
        raise BadInput(f"--tau {tau:g}: a temperature above 0 is due")

"""What a generative method makes up, with clips of the data beside it."""

from math import isfinite

import torch
from jaxtyping import Float
from torch import Tensor

from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.method import Method
from skelray.show import recorded, source, upright
from skelray.show.scene import RATE, Panel, Scene, reach
from skelray.skeletons import Skeleton

FROM_NOISE = ("umd",)  # methods that take no clip as a condition
MOST = 12  # samples on a page


def scene(
    clips: Store, method: Method, *, known: str, number: int, steps: int | None, guidance: float, eta: float | None,
    seed: int,
) -> Scene:  # fmt: skip
    """`number` clips of the data, as many made from noise, and as many made from what MacDiff sees of the former.

    Raises BadInput for a method that generates nothing and for numbers it cannot work with.
    """
    refuse(method, number, guidance, eta)
    name, frames, chance = type(method).__name__, method.cfg.encoder.frames, source.chance(seed)
    chosen = torch.randperm(clips.clips, generator=chance)[:number].tolist()
    x = torch.stack([source.resampled(clips, clip, frames)[0] for clip in chosen])
    words = [recorded.spoken(clips, clip) for clip in chosen]
    settings = {key: each for key, each in (("steps", steps), ("eta", eta)) if each is not None}
    made = method.generate(None, len(x), chance, **settings)  # type: ignore[operator]
    rows = [
        ("Clips of the data, drawn by chance", x, words),
        (f"Made by {name} from noise alone", made, [f"sample {place + 1}" for place in range(len(x))]),
    ]
    if method.cfg.name not in FROM_NOISE:
        made = method.generate(x, len(x), chance, guidance=guidance, **settings)  # type: ignore[operator]
        heading = f"Made by {name} from the visible tokens of the clips above"
        rows.append((heading, made, [f"given {word}" for word in words]))
    if not all(bodies.isfinite().all() for _, bodies, _ in rows):
        raise BadInput(f"what {name} makes up with these weights and settings is not finite: nothing can be drawn")
    up = upright.of_store(clips)
    panels = []
    for group, bodies, titles in rows:
        joints = upright.seen(bodies.float().numpy(), up)[:, None]
        panels += [
            Panel(title, f"{group}: animated skeleton, {title}. {size}", each, size, group)
            for each, title, size in zip(joints, titles, sizes(bodies, x, clips.skeleton), strict=True)
        ]
    real = [panel.joints for panel in panels[: len(x)]]
    lead = (
        f"{name}, {known}. Nothing is cleaned up: what shakes or comes apart does so as generated.",
        "All panels have one scale, that of the data, and each is centred on itself: what is far too large leaves it.",
    )
    facts = {**source.method_facts(method), "seed": str(seed), **{key: f"{each:g}" for key, each in settings.items()}}
    facts |= {"guidance": f"{guidance:g}"} if method.cfg.name not in FROM_NOISE else {}
    title = f"What {name} makes up, beside {clips.name}"
    typical = float(clips.frames[chosen].mean())
    return Scene(title, lead, clips.skeleton, tuple(panels), reach(real), max(5.0, RATE * frames / typical), facts)


def sizes(bodies: Float[Tensor, "B T V C"], real: Float[Tensor, "B T V C"], skeleton: Skeleton) -> list[str]:
    """How long the bones of each body are, and how much they stretch, beside those of all real ones.

    A layout of a single joint has no bone: nothing is said.
    """
    if not skeleton.bones:
        return [""] * len(bodies)
    joint, parent = (list(each) for each in zip(*skeleton.bones, strict=True))
    made, due = ((each[:, :, joint] - each[:, :, parent]).norm(dim=-1) for each in (bodies.float(), real))
    long, stretch = made.mean((1, 2)) / due.mean(), made.std(1).mean(1)
    return [
        f"Bones {share:.1f} times as long as the data's, and changing by {1000 * change:.0f} mm while it moves."
        for share, change in zip(long.tolist(), stretch.tolist(), strict=True)
    ]


def refuse(method: Method, number: int, guidance: float, eta: float | None) -> None:
    """Raise BadInput for what cannot be sampled."""
    if not hasattr(method, "generate"):
        raise BadInput(f"{method.cfg.name} generates nothing; macdiff and umd do")
    if not 1 <= number <= MOST:
        raise BadInput(f"--number {number}: 1 to {MOST} fit on a page")
    if not isfinite(guidance):
        raise BadInput(f"--guidance {guidance:g}: a number is due, 0 for the condition as it is")
    if eta is not None and not 0 <= eta <= 1:
        raise BadInput(f"--eta {eta:g}: a share between 0 and 1 is due")
    if guidance and method.cfg.name in FROM_NOISE:
        raise BadInput(
            f"--guidance {guidance:g}: {method.cfg.name} takes no condition that it could follow more closely"
        )

"""What a generative method makes up, with clips of the data beside it."""

import torch

from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.method import Method
from skelray.show import source, upright
from skelray.show.scene import RATE, Panel, Scene, reach

FROM_NOISE = ("umd",)  # methods that take no clip as a condition
MOST = 12  # samples on a page


def scene(
    clips: Store, method: Method, *, known: str, number: int, steps: int | None, guidance: float, eta: float | None,
    seed: int,
) -> Scene:  # fmt: skip
    """`number` clips of the data, as many made from noise, and as many made from what MacDiff sees of the former.

    Raises BadInput for a method that generates nothing and for numbers it cannot work with.
    """
    refuse(method, number, guidance)
    name, frames, chance = type(method).__name__, method.cfg.encoder.frames, source.chance(seed)
    chosen = torch.randperm(clips.clips, generator=chance)[:number].tolist()
    x = torch.stack([source.resampled(clips, clip, frames)[0] for clip in chosen])
    settings = {key: each for key, each in (("steps", steps), ("eta", eta)) if each is not None}
    rows = [
        ("Clips of the data, drawn by chance", x, [source.spoken(clips, clip) for clip in chosen]),
        (
            f"Made by {name} from noise alone",
            method.generate(None, len(x), chance, **settings),  # type: ignore[operator]
            [f"sample {place + 1}" for place in range(len(x))],
        ),
    ]
    if method.cfg.name not in FROM_NOISE:
        given = method.generate(x, len(x), chance, guidance=guidance, **settings)  # type: ignore[operator]
        rows.append(
            (
                f"Made by {name} from the visible tokens of the clips above",
                given,
                [f"given {title}" for title in rows[0][2]],
            )
        )
    up = upright.of_store(clips)
    panels = []
    for group, bodies, titles in rows:
        joints = upright.seen(bodies.float().numpy(), up)[:, None]
        panels += [
            Panel(title, f"{group}: animated skeleton, {title}", each, group=group)
            for each, title in zip(joints, titles, strict=True)
        ]
    real = [panel.joints for panel in panels[:number]]
    lead = (
        f"{name}, {known}. Nothing is cleaned up: what shakes or comes apart does so as generated.",
        "All panels have one scale, that of the data; each is centred on itself.",
    )
    facts = {**source.method_facts(method), "seed": str(seed), **{key: f"{each:g}" for key, each in settings.items()}}
    facts |= {"guidance": f"{guidance:g}"} if method.cfg.name not in FROM_NOISE else {}
    title = f"What {name} makes up, beside {clips.name}"
    typical = float(clips.frames[chosen].mean())
    return Scene(title, lead, clips.skeleton, tuple(panels), reach(real), max(5.0, RATE * frames / typical), facts)


def refuse(method: Method, number: int, guidance: float) -> None:
    """Raise BadInput for what cannot be sampled."""
    if not hasattr(method, "generate"):
        raise BadInput(f"{method.cfg.name} generates nothing; macdiff and umd do")
    if not 1 <= number <= MOST:
        raise BadInput(f"--number {number}: 1 to {MOST} fit on a page")
    if guidance and method.cfg.name in FROM_NOISE:
        raise BadInput(
            f"--guidance {guidance:g}: {method.cfg.name} takes no condition that it could follow more closely"
        )

"""`skelray show`: pictures of skeletons, as a page that needs nothing else or as a GIF."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skelray.errors import BadInput
from skelray.show import output

if TYPE_CHECKING:
    from skelray.show.scene import Scene

app = typer.Typer(no_args_is_help=True, help="Draw skeletons: a clip, a mask, what a method fills in or makes up.")

StoreName = Annotated[str, typer.Argument(metavar="STORE", help="The name or path of a store.", show_default=False)]
Clip = Annotated[int, typer.Option(help="Which clip, counted from 0.")]
Seed = Annotated[int, typer.Option(help="Draws the mask or the noise; the same seed gives the same picture.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="A file ending in .html or .gif; by default in this folder.", show_default=False),
]
Folder = Annotated[
    Path | None,
    typer.Option(help="The folder of a trial, or of exported weights.", show_default=False),
]


@app.command()
def clip(store: StoreName, clip: Clip = 0, out: Out = None) -> None:
    """Draw one clip, all bodies, bones coloured by side."""
    place = output.place(out, f"clip-{clip}")
    from skelray.show import clip as question
    from skelray.show import source

    _write(question.scene(source.opened(store), clip), place)


@app.command()
def mask(
    store: StoreName,
    clip: Clip = 0,
    frames: Annotated[int, typer.Option(help="Frames that the clip is stretched to.")] = 120,
    patch: Annotated[int, typer.Option(help="Frames of a token.")] = 4,
    ratio: Annotated[float, typer.Option(help="Share of tokens that is hidden.")] = 0.9,
    tau: Annotated[float, typer.Option(help="Temperature of motion-aware masking.")] = 0.8,
    seed: Seed = 0,
    out: Out = None,
) -> None:
    """Draw what each masking strategy hides of a clip, as skeletons and as joint x time."""
    place = output.place(out, f"mask-{clip}")
    from skelray.show import mask as question
    from skelray.show import source

    clips = source.opened(store)
    _write(question.scene(clips, clip, frames=frames, patch=patch, ratio=ratio, tau=tau, seed=seed), place)


@app.command()
def reconstruction(
    store: StoreName,
    weights: Folder = None,
    untrained: Annotated[
        str | None,
        typer.Option(metavar="METHOD", help="Instead of weights: a method that was never trained.", show_default=False),
    ] = None,
    clip: Clip = 0,
    seed: Seed = 0,
    out: Out = None,
) -> None:
    """Draw a clip, what is visible of it, and what SkeletonMAE, MAMP or AMR predicts."""
    place = output.place(out, f"reconstruction-{clip}")
    if (weights is None) == (untrained is None):
        raise BadInput("give --weights FOLDER, or --untrained METHOD for a network that knows nothing yet; one of them")
    from skelray.show import reconstruction as question
    from skelray.show import source

    clips = source.opened(store)
    if weights is not None:
        found = source.weights(weights)
        source.refuse_layout(found, clips)
        method, known = found.method, source.trained_on(found)
    else:
        method, known = source.untrained(str(untrained), clips), "never trained: its weights are random"
    _write(question.scene(clips, clip, method, known=known, seed=seed), place)


@app.command()
def sample(
    store: Annotated[
        str | None,
        typer.Argument(
            metavar="[STORE]", help="The store beside it; by default that of the training.", show_default=False
        ),
    ] = None,
    weights: Folder = None,
    number: Annotated[int, typer.Option(help="Clips of each kind.")] = 4,
    steps: Annotated[
        int | None, typer.Option(help="Sampling steps; by default the method's.", show_default=False)
    ] = None,
    guidance: Annotated[float, typer.Option(help="How much more closely MacDiff follows its condition.")] = 0.0,
    eta: Annotated[float | None, typer.Option(help="Share of fresh noise in a step.", show_default=False)] = None,
    seed: Seed = 0,
    out: Out = None,
) -> None:
    """Draw clips that MacDiff or UMD makes up, with the data's own beside them."""
    place = output.place(out, "sample")
    if weights is None:
        raise BadInput("give --weights FOLDER: a network that was never trained makes up noise")
    from skelray.show import sample as question
    from skelray.show import source

    found = source.weights(weights)
    clips = source.opened(store or source.store_of(found))
    source.refuse_layout(found, clips)
    settings = {"number": number, "steps": steps, "guidance": guidance, "eta": eta, "seed": seed}
    _write(question.scene(clips, found.method, known=source.trained_on(found), **settings), place)  # type: ignore[arg-type]


def _write(scene: "Scene", path: Path) -> None:
    with output.whole(path) as unfinished:
        if path.suffix == ".gif":
            from skelray.show import gif

            gif.write(scene, unfinished)
        else:
            from skelray.show import page

            unfinished.write_text(page.text(scene), encoding="utf-8")

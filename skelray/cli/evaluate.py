"""`skelray evaluate`: an encoder on a store by any of the protocols, on validation clips or, once, on the test side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from skelray.appraise import Appraisal

app = typer.Typer()

Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A protocol's setting, as linear.form=full; may be given again.")
]
Threads = Annotated[int, typer.Option(min=1, max=1024, help="Of a CPU; numbers repeat on equal threads.")]


@app.command()
def evaluate(
    encoder: Annotated[
        str, typer.Argument(help="A folder of weights, the folder of a trial, or results/NAME.", show_default=False)
    ],
    store: Annotated[str, typer.Argument(help="The name or path of a store.", show_default=False)],
    protocol: Annotated[str, typer.Option(help="Protocols, with commas between them.")] = "linear,knn",
    split: Annotated[
        str | None,
        typer.Option(help="A split of the store; by default the encoder's own, or the only one.", show_default=False),
    ] = None,
    val_subjects: Annotated[
        int | None,
        typer.Option(min=1, help="Subjects to hold out; by default the encoder's own choice.", show_default=False),
    ] = None,
    set_: Settings = None,
    test: Annotated[bool, typer.Option("--test", help="Score the test side; the ledger gets a line.")] = False,
    ledger: Annotated[
        Path | None,
        typer.Option(help="Where an opening of the test is written down.", show_default="OUT/test_ledger.jsonl"),
    ] = None,
    out: Annotated[Path, typer.Option(help="A folder for evaluation.json and predictions.json.")] = Path("evaluation"),
    force: Annotated[bool, typer.Option("--force", help="Replace what an earlier evaluation left in OUT.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Threads = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of what the protocols draw.")] = 0,
) -> None:
    """Measure what ENCODER is worth on STORE. Without --test validation clips are scored and no test clip is read."""
    import torch

    from skelray import appraise  # after the options are read: --help need not wait for torch
    from skelray.cli.train import usable

    usable(device)
    torch.set_num_threads(threads)
    asked = [name.strip() for name in protocol.split(",") if name.strip()]
    found = appraise.run(
        encoder, store, asked, settings=tuple(set_ or ()), split=split, val_subjects=val_subjects, test=test,
        ledger=ledger, out=out, force=force, device=device, seed=seed,
    )  # fmt: skip
    shown(found)
    where = found.about["store"]
    own = ", the split that the encoder was trained on" if where["own_split"] else ""
    typer.echo(f"{out / appraise.FILE}: {found.about['side']} side of {where['name']}{own}")


def shown(found: "Appraisal") -> None:
    """The table of metrics, shares in percent."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    side: Any = found.about["side"]
    table = Table("metric", box=SIMPLE, pad_edge=False)
    table.add_column("value", justify="right")
    table.add_column("seconds", justify="right")
    for name, part in found.parts.items():
        for number, (metric, value) in enumerate(part.metrics.items()):
            table.add_row(f"{side}/{metric}", told(metric, value), "" if number else f"{found.seconds[name]:.1f}")
    Console().print(table)


def told(metric: str, value: float) -> str:
    """A share in percent; what is no share as it is."""
    from skelray.report.tables import is_accuracy

    return f"{100 * value:.2f} %" if is_accuracy(f"val/{metric}") else f"{value:.4g}"

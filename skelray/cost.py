"""What a method costs at the paper's size: parameters, tokens, and FLOPs by part, beside the published figures.

One convention for all: torch's FLOP counter, one clip of two bodies and 120 frames, 2 FLOPs for a multiply-add, matrix
products and convolutions alone, forward pass only; attention counts (it is written out as matrix products for this).
"""

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skelray import methods
from skelray.batch import Batch
from skelray.errors import leave
from skelray.layers import attention
from skelray.method import Method
from skelray.rng import generator
from skelray.skeletons import layout

BODIES = 2
PUBLISHED: dict[str, list[dict[str, Any]]] = json.loads(Path(__file__).with_suffix(".json").read_text())


def cost(name: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """The cost of one method, at its defaults or with other `settings`: a dict of JSON values, tokens per body.

    gflops: encoder (visible tokens), decoder, target (all else that the loss computes), pretrain (their sum), linear
    (pretrain without attention's matrix products), inference (the complete clip through what evaluation takes away).
    """
    method_class = methods.load(name)
    method = method_class(method_class.Config(**(settings or {})), layout("kinect25")).eval()
    batch = two_bodies(method)
    seen = token_counts(method, batch)
    parts = count(method, lambda: method(batch))
    whole, encoder, decoder = parts[""], parts["encoder"], parts["decoder"]
    return {
        "method": name,
        "parameters": {
            "encoder": sum(p.numel() for p in method.encoder.parameters()),
            "trained": sum(p.numel() for p in method.parameters() if p.requires_grad),
            "total": sum(p.numel() for p in method.parameters()),
        },
        "tokens": seen,
        "gflops": {
            "encoder": encoder,
            "decoder": decoder,
            "target": whole - encoder - decoder,
            "pretrain": whole,
            "linear": count(method, lambda: method(batch), explicit=False)[""],
            "inference": count(method, lambda: method.pretrained(batch.bodies()))[""],
        },
        "published": PUBLISHED.get(name, []),
    }


def two_bodies(method: Method) -> Batch:
    """One clip of two moving bodies in every view that the method wants."""
    draw = generator(0, "cost")
    views = [torch.randn(1, BODIES, view.frames, 25, 3, generator=draw) for view in method.cfg.views]
    return Batch(views, torch.ones(1, BODIES, dtype=torch.bool), torch.zeros(1, dtype=torch.long), draw)


def token_counts(method: Method, batch: Batch) -> dict[str, int]:
    """Tokens of one body: in all, visible to the encoder, hidden from it, and predicted (the tables' `targets`)."""
    shapes: dict[str, int] = {}

    def note(name: str) -> Any:
        return lambda module, inputs, output: shapes.__setitem__(name, output.shape[1])

    hooks = [
        method.encoder.register_forward_hook(note("visible")),
        method.get_submodule("decoder").register_forward_hook(note("targets")),
    ]
    with torch.no_grad():
        method(batch)
    for hook in hooks:
        hook.remove()
    total, visible = method.encoder.tokens, shapes["visible"]
    return {"total": total, "visible": visible, "hidden": total - visible, "targets": shapes["targets"]}


def count(method: nn.Module, run: Any, explicit: bool = True) -> dict[str, float]:
    """GFLOPs of run() under the name of each direct part of `method`, and under "" for the whole."""
    switch: AbstractContextManager[Any] = attention.explicit() if explicit else nullcontext()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), switch, counter:
        run()
    by_module = {name: sum(kinds.values()) / 1e9 for name, kinds in counter.get_flop_counts().items()}
    root = type(method).__name__
    parts = {name: by_module.get(f"{root}.{name}", by_module.get(name, 0.0)) for name, _ in method.named_children()}
    return {"": by_module["Global"], **parts}


def table(rows: list[dict[str, Any]]) -> Table:
    """The costs for a terminal."""
    shown = Table(title="Cost at the paper's size: one clip, two bodies, 120 frames, 2 FLOPs per multiply-add, forward")
    shown.add_column("method")
    headings = (
        "encoder",
        "trained",
        "tokens",
        "visible",
        "targets",
        "encoder G",
        "decoder G",
        "target G",
        "pretrain G",
    )
    for heading in (*headings, "linear only G", "inference G"):
        shown.add_column(heading, justify="right")
    shown.add_column("published")
    for row in rows:
        sizes, tokens, gflops = row["parameters"], row["tokens"], row["gflops"]
        published = "\n".join(f"{each['what']} {each['gflops']:g} G ({each['source']})" for each in row["published"])
        counts = [sizes["encoder"], sizes["trained"], tokens["total"], tokens["visible"], tokens["targets"]]
        shown.add_row(row["method"], *(f"{n:,}" for n in counts), *(f"{g:.4f}" for g in gflops.values()), published)
    return shown


def main(
    method: Annotated[str | None, typer.Option(help="One method; all of them when left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")] = False,
) -> None:
    """Print what each method costs at the paper's size, beside the published figures."""
    rows = [cost(name) for name in ([method] if method else methods.available())]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table(rows))
    for row in rows:
        for each in row["published"]:
            if each["difference"]:
                console.print(f"{row['method']}, {each['gflops']:g} G: {each['difference']}.")


if __name__ == "__main__":
    leave(lambda: typer.run(main))

"""What a method costs at the paper's size: parameters, tokens, FLOPs by part and by schedule, beside published figures.

One convention for all: one clip of two bodies, 2 FLOPs for a multiply-add, matrix products and convolutions alone,
forward pass; attention counts (it is written out as matrix products for this). A schedule counts the bodies that the
method's own recipe encodes, and forward and backward together as three forward passes, of a teacher as one.
"""

import json
from collections import Counter
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

from skelray import beside, methods
from skelray.batch import Batch
from skelray.data import splits
from skelray.errors import leave
from skelray.layers import attention
from skelray.method import Method
from skelray.rng import generator
from skelray.skeletons import layout

BODIES = 2
BATCHED = (torch.ops.aten.bmm, torch.ops.aten.baddbmm)
TEACHING = ("teacher", "teacher_heads")  # followed, never trained: no backward pass
PARTS = {  # what the table calls them: the attributes of a method, "" outside of all
    "encoder": ("encoder",),
    "decoder": ("decoder",),
    "target": ("teacher", "target"),
    "heads": ("heads", "teacher_heads"),
    "rest": ("",),
}
PUBLISHED = beside.facts(__file__)


def cost(name: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """The cost of one method, at its defaults or with other `settings`: a dict of JSON values.

    parameters: encoder, trained, teacher (with its heads), heads (the student's), total.
    tokens, of one body: total (a complete one), visible and hidden (what each pass of the trained encoder reads and
    leaves out; one number a kind of pass), targets (predicted by the decoder).
    gflops: encoder, decoder, target (a teacher or a target network), heads (also a teacher's), rest (the loss itself),
    pretrain (their sum), linear (of the parts, without batched products, which are attention's), inference (the
    complete clip through what evaluation takes away).
    schedule: clips and bodies of the published recipe, gflops (forward and backward, one clip), eflop (all clips).
    """
    config = methods.load(name).Config
    recipe = config(**(settings or {}))
    method = methods.load(name)(recipe.model_copy(update={"bodies": "all"}), layout("kinect25")).eval()
    batch = two_bodies(method)
    with Watch(method) as loss:
        method(batch)
    sizes = parameters(method)
    method.to("meta")  # evaluation depends on no value
    with Watch(method) as evaluation:
        method.pretrained(batch.bodies().to("meta"))
    complete = max(length for lengths in evaluation.read.values() for length in lengths)
    parts = {what: loss.gflops(*names) for what, names in PARTS.items()}
    return {
        "method": name,
        "parameters": sizes,
        "tokens": {
            "total": method.encoder.tokens,
            "visible": loss.read["encoder"],
            "hidden": [complete - read for read in loss.read["encoder"]],
            "targets": loss.predicted // BODIES,
        },
        "gflops": parts
        | {
            "pretrain": loss.gflops(),
            "linear": loss.gflops(*(name for names in PARTS.values() for name in names if name), batched=False),
            "inference": evaluation.gflops(),
        },
        "schedule": schedule(name, loss, 2 if recipe.bodies == "all" else 1),
        "published": PUBLISHED[name]["figures"] if name in PUBLISHED else [],
    }


def two_bodies(method: Method, joints: int = 25, channels: int = 3, clips: int = 1) -> Batch:
    """One clip (or some) of two moving bodies in every view that the method wants."""
    draw = generator(0, "cost")
    shape = joints, channels
    views = [torch.randn(clips, BODIES, view.frames, *shape, generator=draw) for view in method.cfg.views]
    return Batch(views, torch.ones(clips, BODIES, dtype=torch.bool), torch.zeros(clips, dtype=torch.long), draw)


def parameters(method: Method) -> dict[str, int]:
    """How many numbers each kind of part holds."""

    def size(*names: str) -> int:
        parts = [part for name, part in method.named_children() if name in names]
        return sum(weight.numel() for part in parts for weight in part.parameters())

    everything = [(weight.numel(), weight.requires_grad) for weight in method.parameters()]
    return {
        "encoder": size("encoder"),
        "trained": sum(number for number, trained in everything if trained),
        "teacher": size(*TEACHING),
        "heads": size("heads"),
        "total": sum(number for number, _ in everything),
    }


def schedule(name: str, loss: "Watch", bodies: int) -> dict[str, Any]:
    """What the whole published training on NTU RGB+D 60 X-Sub costs; no clips where no schedule is published."""
    published = PUBLISHED.get(name, {})
    epoch = splits.protocols()["ntu60"]["xsub"]["whole"]["train"]
    clips = published.get("clips") or published.get("epochs", 0) * epoch
    each = loss.training() * bodies / BODIES
    return {"clips": clips, "bodies": bodies, "gflops": each, "eflop": each * clips / 1e9}


class Watch(TorchDispatchMode):
    """Inside: counts matrix products by the direct part of `method` in which they happen, and tokens; no gradients.
    A product is zeros of its shape, so results mean nothing.

    read: by encoder (the trained one, its teacher), lengths of the sequences that it read, each once, in order.
    predicted: tokens that the decoder predicts, or rows that the heads score where there is no decoder.
    """

    def __init__(self, method: Method):
        super().__init__()  # type: ignore[no-untyped-call]
        self.method = method
        self.products: Counter[tuple[str, bool]] = Counter()  # (part, whether the product is batched) -> FLOPs
        self.read: dict[str, list[int]] = {}
        self.predicted = 0
        self._inside: list[str] = []  # parts, outermost first
        self._undo = ExitStack()

    def __enter__(self) -> "Watch":
        for name, part in self.method.named_children():
            for module in part.modules():  # a method may call a part of a part
                self._hook(module.register_forward_pre_hook, lambda *_, name=name: self._inside.append(name))
                self._hook(module.register_forward_hook, lambda *_: self._leave())
            if name in ("encoder", "teacher"):
                self._hook(part.get_submodule("body").register_forward_pre_hook, partial(self._reads, name))
        decoder = getattr(self.method, "decoder", getattr(self.method, "heads", None))
        if decoder is not None:
            self._hook(decoder.register_forward_hook, self._predicts)
        self._undo.enter_context(torch.no_grad())
        self._undo.enter_context(attention.explicit())
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._undo.close()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation, kwargs = func._overloadpacket, kwargs or {}
        if operation not in flop_registry:
            return func(*args, **kwargs)
        # which tokens are hidden depends on no product: its shape is enough, and nobody waits for its numbers
        shaped = func(*tree_map_only(Tensor, lambda each: each.to("meta"), args), **kwargs)
        key = self._inside[0] if self._inside else "", operation in BATCHED
        self.products[key] += flop_registry[operation](*args, **kwargs, out_val=shaped)
        return torch.zeros_like(shaped, device=args[0].device)

    def gflops(self, *parts: str, batched: bool = True) -> float:
        """Of the named parts, or of everything; `batched`: whether batched products (attention's) count."""
        counted = [
            number
            for (part, is_batched), number in self.products.items()
            if (not parts or part in parts) and (batched or not is_batched)
        ]
        return sum(counted) / 1e9

    def training(self) -> float:
        """GFLOPs of forward and backward: three times the forward pass, of what is followed and not trained once."""
        return 3 * self.gflops() - 2 * self.gflops(*TEACHING)

    def _hook(self, register: Any, note: Any) -> None:
        self._undo.callback(register(note).remove)

    def _leave(self) -> None:
        self._inside.pop()

    def _reads(self, name: str, module: nn.Module, inputs: Any) -> None:
        lengths = self.read.setdefault(name, [])
        if (length := inputs[0].shape[1]) not in lengths:
            lengths.append(length)

    def _predicts(self, module: nn.Module, inputs: Any, output: Any) -> None:
        rows = [each for each in tree_leaves(output) if isinstance(each, Tensor)]
        self.predicted += sum(each.numel() // each.shape[-1] for each in rows)


def table(rows: list[dict[str, Any]]) -> Table:
    """The costs for a terminal."""
    shown = Table(title="One clip, two bodies, 2 FLOPs per multiply-add, forward; schedules: forward and backward")
    shown.add_column("method")
    sizes = ("encoder", "trained", "teacher", "heads")
    counts = ("tokens", "visible", "targets")
    gflops = ("encoder", "decoder", "target", "heads", "rest", "pretrain", "linear", "inference")
    for heading in (*sizes, *counts, *(f"{part} G" for part in gflops), "M clips", "bodies", "EFLOP"):
        shown.add_column(heading, justify="right")
    shown.add_column("published")
    for row in rows:
        tokens, whole = row["tokens"], row["schedule"]
        published = "\n".join(f"{each['what']} {each['gflops']:g} G ({each['source']})" for each in row["published"])
        shown.add_row(
            row["method"],
            *(f"{row['parameters'][part] / 1e6:.2f} M" for part in sizes),
            f"{tokens['total']}",
            " ".join(map(str, tokens["visible"])),
            f"{tokens['targets']}",
            *(f"{row['gflops'][part]:.3f}" for part in gflops),
            f"{whole['clips'] / 1e6:.1f}",
            f"{whole['bodies']}",
            f"{whole['eflop']:.2f}",
            published,
        )
    return shown


def main(
    method: Annotated[str | None, typer.Option(help="One method; all of them when left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")] = False,
) -> None:
    """Print what each method costs at the paper's size, beside the published figures."""
    torch.set_num_threads(1)  # there is little to compute: threads would wait for one another
    rows = [cost(name) for name in ([method] if method else methods.available())]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    console = Console(width=None if Console().is_terminal else 240)
    console.print(table(rows))
    for row in rows:
        for each in row["published"]:
            if each["difference"]:
                console.print(f"{row['method']}, {each['gflops']:g} G: {each['difference']}.")


if __name__ == "__main__":
    leave(lambda: typer.run(main))

"""Training steps of every method at the paper's size: eager and compiled, float32 and bfloat16, and the batch path.

Needs torch, numpy and what skelray's methods import (pydantic, jaxtyping; pyarrow for the batch path); no Ray.

python benchmarks/gpu.py [--device cuda|cpu] [--clips 128] [--rounds 20] [--markdown FILE]
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent))
from clock import best_of, matrix_product

from skelray import methods
from skelray.batch import Batch
from skelray.data import augment
from skelray.data.loader import resample
from skelray.layers import attention
from skelray.optim import OptimConfig, optimiser
from skelray.skeletons import layout
from skelray.train import TrainConfig, forward_backward

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def batch_of(clips: int, device: str) -> Batch:
    """Two-body clips that wander."""
    draw = torch.Generator(device).manual_seed(0)
    x = 0.01 * torch.randn(clips, 2, 120, 25, 3, generator=draw, device=device).cumsum(2)
    present, label = torch.ones(clips, 2, device=device).bool(), torch.zeros(clips, device=device).long()
    return Batch([x], present, label, draw)


def step_of(name: str, batch: Batch, device: str, precision: str, compiled: bool, small: bool) -> tuple[Callable, int]:
    """One optimiser step of a method, and its FLOPs (forward and backward, attention written out)."""
    method_class = methods.load(name)
    size = {"encoder": {"width": 64, "depth": 2, "heads": 2}, "decoder_depth": 2} if small else {}
    model = method_class(method_class.Config(**size), layout("kinect25")).to(device)
    with attention.explicit(), FlopCounterMode(display=False) as counter:
        model(batch)["loss"].backward()
    stepper = optimiser(model, OptimConfig())
    if compiled:
        for child in model.children():
            child.compile()
    cfg = TrainConfig(clips=1, precision=precision)

    def step() -> None:
        stepper.zero_grad(set_to_none=True)
        forward_backward(model, batch, cfg, torch.device(device))
        stepper.step()

    return step, counter.get_total_flops()


def batch_path(clips: int, device: str) -> Callable[[], object]:
    """Crop, resize and rotate `clips` two-body clips out of rows that lie on the device."""
    rows = torch.randn(2 * 4096 * 80, 75, device=device)
    rotate = augment.load("rotate")
    chance = torch.Generator().manual_seed(0)

    def run() -> object:
        first = (torch.randint(4096, (2 * clips,), generator=chance) * 80).to(device)
        length = torch.randint(40, 80, (2 * clips,), generator=chance).to(device)
        present = torch.ones(2 * clips, dtype=torch.bool, device=device)
        x = resample(rows, first, length, present, 120).view(clips, 2, 120, 25, 3)
        return rotate.apply(x, rotate.draw(clips, chance).to(device))

    return run


def main() -> None:
    """Print a table in Markdown; write it to a file when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--clips", type=int, default=None, help="clips in a step; 128, or 8 on a CPU")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    small = asked.device == "cpu"
    clips = asked.clips or (8 if small else 128)
    batch = batch_of(clips, asked.device)
    name = "CPU, small models" if small else torch.cuda.get_device_name()
    lines = [
        f"{name}, torch {torch.__version__}, {clips} two-body clips a step, `python benchmarks/gpu.py`",
        "",
        "| method | precision | compiled | ms/step | clips/s | share of the matrix-product rate |",
        "|---|---|---|---|---|---|",
    ]
    for precision in ("float32",) if small else ("float32", "bfloat16"):
        edge = 1024 if small else 8192
        product = best_of({"it": matrix_product(asked.device, DTYPES[precision], edge)}, asked.rounds)["it"]
        rate = 2 * edge**3 / product
        for method in methods.available():
            for compiled in (False, True):
                step, work = step_of(method, batch, asked.device, precision, compiled, small)
                s = best_of({"it": step}, asked.rounds)["it"]
                cells = (method, precision, "yes" if compiled else "no", f"{1e3 * s:.1f}", f"{clips / s:.0f}")
                lines.append("| " + " | ".join((*cells, f"{work / s / rate:.0%} of {rate / 1e12:.2f} TFLOP/s")) + " |")
                print(lines[-1], flush=True)
    s = best_of({"it": batch_path(clips, asked.device)}, asked.rounds)["it"]
    lines += ["", f"Batch path alone: {1 / s:.0f} batches/s, {clips / s:.0f} clips/s."]
    print("\n".join(lines))
    if asked.markdown:
        asked.markdown.parent.mkdir(parents=True, exist_ok=True)
        asked.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""Training steps at the paper's size on a CPU: shares of the machine's matrix-product rate, and ratios.

python benchmarks/step.py [--threads 2] [--clips 4] [--rounds 3]
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent))
from clock import best_of, matrix_product

from skelray import methods
from skelray.batch import Batch
from skelray.layers import attention
from skelray.layers.patch import motion, patchify, standardise
from skelray.masking import by_motion, motion_intensity
from skelray.optim import OptimConfig, optimiser
from skelray.skeletons import layout

SIZE = 2048


class PlainBlock(nn.Module):
    """A transformer block as a textbook has it: attention as two matrix products and a softmax."""

    def __init__(self, width: int = 256, heads: int = 8):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, p, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, p, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        weight = torch.softmax(q @ k.transpose(-2, -1) / (d // self.heads) ** 0.5, dim=-1)
        x = x + self.out((weight @ v).transpose(1, 2).reshape(b, p, d))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class PlainMAMP(nn.Module):
    """MAMP 8+5 without any care for speed: the yardstick of `against a plain step`."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.enter, self.leave = nn.Linear(12, 256), nn.Linear(256, 256), nn.Linear(256, 12)
        self.where, self.where_again = (nn.Parameter(0.02 * torch.randn(750, 256)) for _ in range(2))
        self.blank = nn.Parameter(0.02 * torch.randn(256))
        self.encoder = nn.Sequential(*(PlainBlock() for _ in range(8)), nn.LayerNorm(256))
        self.decoder = nn.Sequential(*(PlainBlock() for _ in range(5)), nn.LayerNorm(256))

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        x = batch.bodies()
        cells = patchify(x, 4)
        mask = by_motion(motion_intensity(cells, 25), 0.9, 0.8, batch.generator)
        index = mask.keep[..., None].expand(-1, -1, 256)
        z = self.enter(self.encoder((self.embed(cells) + self.where).gather(1, index)))
        full = self.blank.expand(len(x), 750, -1).scatter(1, index, z)
        predicted = self.leave(self.decoder(full + self.where_again))
        error = (predicted - standardise(patchify(motion(x), 4))).square().mean(-1)
        return {"loss": error[mask.hidden].mean()}


def stepper(model: nn.Module, batch: Batch):
    """One optimiser step of `model` on `batch`."""
    trained = torch.optim.AdamW(model.parameters(), 1e-3) if isinstance(model, PlainMAMP) else None
    trained = trained or optimiser(model, OptimConfig())

    def step() -> None:
        model(batch)["loss"].backward()
        trained.step()
        trained.zero_grad(set_to_none=True)

    return step


def flops(model: nn.Module, batch: Batch) -> int:
    """FLOPs of forward and backward, attention written out."""
    with attention.explicit(), FlopCounterMode(display=False) as counter:
        model(batch)["loss"].backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)

    draw = torch.Generator().manual_seed(0)
    x = 0.01 * torch.randn(asked.clips, 2, 120, 25, 3, generator=draw).cumsum(2)
    batch = Batch([x], torch.ones(asked.clips, 2).bool(), torch.zeros(asked.clips).long(), draw)
    models: dict[str, nn.Module] = {"plain mamp": PlainMAMP()}
    for name in methods.available():
        method_class = methods.load(name)
        models[name] = method_class(method_class.Config(), layout("kinect25"))
    work = {name: flops(model, batch) for name, model in models.items()}
    seconds = best_of(
        {"product": matrix_product(size=SIZE)} | {name: stepper(model, batch) for name, model in models.items()},
        asked.rounds,
    )
    rate = 2 * SIZE**3 / seconds["product"]
    print(f"{asked.threads} threads, {asked.clips} clips of 2 bodies; matrix products: {rate / 1e9:.0f} GFLOP/s")
    print(f"{'':14}{'s/step':>8}{'clips/s':>9}{'share of rate':>15}{'plain mamp / it':>17}{'mamp / it':>11}")
    for name, each in work.items():
        s = seconds[name]
        ratios = (seconds["plain mamp"] / s, seconds["mamp"] / s)
        print(f"{name:14}{s:8.2f}{asked.clips / s:9.2f}{each / s / rate:15.0%}{ratios[0]:17.2f}{ratios[1]:11.2f}")


if __name__ == "__main__":
    main()

"""Addressed randomness: every random stream is named by its purpose, never by the order of drawing."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever asks for a seed alone, as readers do in their processes, does not wait for torch
    import torch


def seed_for(run: int, *purpose: str | int) -> int:
    """The 63-bit seed of one stream: seed_for(3, "subset", "1%") is the same on every rank, machine and resume."""
    digest = hashlib.blake2b(repr((run, *purpose)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(run: int, *purpose: str | int, device: "torch.device | str" = "cpu") -> "torch.Generator":
    """A fresh torch generator for one stream, on the device where its numbers are used."""
    import torch

    return torch.Generator(device=device).manual_seed(seed_for(run, *purpose))

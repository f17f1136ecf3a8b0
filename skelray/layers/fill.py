"""Visible tokens back in their places: where every decoder of a masked encoder starts."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skelray.layers.encoder import EncoderConfig
from skelray.layers.patch import Positions, table
from skelray.layers.transformer import xavier
from skelray.masking import Mask
from skelray.skeletons import Skeleton


def filled(
    z: Float[Tensor, "B K D"], mask: Mask, mask_token: Float[Tensor, "1 1 D"], positions: Float[Tensor, "P D"]
) -> Float[Tensor, "B P D"]:
    """Visible tokens at their places, the mask token at every other, and the position of each."""
    full = mask_token.to(z.dtype).expand(*mask.hidden.shape, -1)
    return torch.scatter(full, 1, mask.keep[..., None].expand_as(z), z) + positions


class Fill(nn.Module):
    """A linear layer, the mask token at every hidden place, and positions of its own: all P tokens of a body."""

    def __init__(self, cfg: EncoderConfig, skeleton: Skeleton):
        super().__init__()
        self.enter = nn.Linear(cfg.width, cfg.width).apply(xavier)
        self.mask_token = table(1, 1, cfg.width)
        self.positions = Positions(cfg.steps, len(skeleton.joints), cfg.width)

    def forward(self, z: Float[Tensor, "B K D"], mask: Mask) -> Float[Tensor, "B P D"]:
        return filled(self.enter(z), mask, self.mask_token, self.positions())

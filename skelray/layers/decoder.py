"""The light decoder of the MAE family: fills the hidden tokens back in."""

from jaxtyping import Float
from torch import Tensor, nn

from skelray.layers.encoder import EncoderConfig
from skelray.layers.fill import filled
from skelray.layers.patch import Positions, table
from skelray.layers.transformer import Transformer, xavier
from skelray.masking import Mask
from skelray.skeletons import Skeleton


class Decoder(nn.Module):
    """Puts visible tokens and a mask token in place, adds its own positions, and predicts every cell."""

    def __init__(self, cfg: EncoderConfig, skeleton: Skeleton, depth: int, out: int):
        super().__init__()
        self.enter = nn.Linear(cfg.width, cfg.width)
        self.body = Transformer(cfg.width, depth, cfg.heads)
        self.leave = nn.Linear(cfg.width, out)
        self.apply(xavier)
        self.mask_token = table(1, 1, cfg.width)
        self.positions = Positions(cfg.steps, len(skeleton.joints), cfg.width)

    def forward(self, z: Float[Tensor, "B K D"], mask: Mask) -> Float[Tensor, "B P F"]:
        return self.leave(self.body(filled(self.enter(z), mask, self.mask_token, self.positions())))

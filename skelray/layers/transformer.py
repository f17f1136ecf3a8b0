"""A plain pre-norm transformer, and how its weights start."""

from jaxtyping import Float
from torch import Tensor, nn

from skelray.layers.attention import SelfAttention
from skelray.layers.drop import DropPath


def mlp(width: int, ratio: int = 4) -> nn.Sequential:
    """Two linear layers around a GELU."""
    return nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.mlp = SelfAttention(width, heads), mlp(width)
        self.drop = DropPath()

    def forward(self, x: Float[Tensor, "B P D"]) -> Float[Tensor, "B P D"]:
        x = x + self.drop(self.attention(self.norm1(x)))
        return x + self.drop(self.mlp(self.norm2(x)))


class Transformer(nn.Module):
    """`depth` blocks and a final norm."""

    def __init__(self, width: int, depth: int, heads: int):
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "B P D"]) -> Float[Tensor, "B P D"]:
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


def xavier(module: nn.Module) -> None:
    """Start linear layers as the MAE family does: Xavier-uniform weights, zero biases. For Module.apply()."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)

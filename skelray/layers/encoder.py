"""The encoder every method pretrains and every protocol evaluates."""

from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from skelray.layers.patch import PatchEmbedding
from skelray.layers.transformer import Transformer, xavier
from skelray.masking import Mask
from skelray.schema import Depth, Strict, Width
from skelray.skeletons import Skeleton


class EncoderConfig(Strict):
    """Size of the encoder; joints and channels come from the data."""

    frames: int = Field(120, ge=1, le=100_000)  # frames of a clip after resampling
    patch: int = Field(4, ge=1)  # frames in one token
    width: Width = 256
    depth: Depth = 8
    heads: int = Field(8, ge=1)

    @model_validator(mode="after")
    def cuts_are_whole(self) -> "EncoderConfig":
        must_divide(self.frames, self.patch, "patch")
        must_divide(self.width, self.heads, "heads")
        return self

    @property
    def steps(self) -> int:
        """Tokens of one joint along time."""
        return self.frames // self.patch


def must_divide(whole: int, part: int, name: str) -> None:
    """Raise ValueError, naming the nearest number that would do, unless `part` divides `whole`."""
    if whole % part:
        fits = min((n for n in range(1, whole + 1) if whole % n == 0), key=lambda n: abs(n - part))
        raise ValueError(f"{name} {part} does not divide {whole}; the nearest that does is {fits}")


def gather(x: Float[Tensor, "B P D"], keep: Int[Tensor, "B K"]) -> Float[Tensor, "B K D"]:
    """The tokens at the given indices of each body."""
    return x.gather(1, keep[..., None].expand(-1, -1, x.shape[2]))


class Encoder(nn.Module):
    """Patch embedding, positions, pre-norm blocks, final norm; no class token (the backbone of MAMP's code)."""

    def __init__(self, cfg: EncoderConfig, skeleton: Skeleton):
        super().__init__()
        joints = len(skeleton.joints)
        self.tokens = cfg.steps * joints
        self.body = Transformer(cfg.width, cfg.depth, cfg.heads).apply(xavier)
        self.embedding = PatchEmbedding(cfg.steps, joints, cfg.patch, skeleton.channels, cfg.width)

    def forward(self, x: Float[Tensor, "B T V C"], mask: Mask | None = None) -> Float[Tensor, "B S D"]:
        """Encode every token (S = P), or the visible ones alone (S = K)."""
        tokens = self.embedding(x)
        return self.body(tokens if mask is None else gather(tokens, mask.keep))

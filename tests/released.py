"""Checkpoints as the authors of MAMP, SkeletonMAE, MacDiff and SLiM lay them out, with made-up numbers.

And their forward, written from the key names and the papers with nothing of skelray: what an import must agree with.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from skelray.rng import generator

State = dict[str, Tensor]


def vit(width: int, blocks: str, depth: int, norm: str) -> dict[str, tuple[int, ...]]:
    """Shapes of pre-norm blocks with fused qkv."""
    shapes: dict[str, tuple[int, ...]] = {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    for number in range(depth):
        for name, out, into in (
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", 4 * width, width),
            ("mlp.fc2", width, 4 * width),
        ):
            shapes |= {f"{blocks}.{number}.{name}.weight": (out, into), f"{blocks}.{number}.{name}.bias": (out,)}
        for name in ("norm1", "norm2"):
            shapes |= {f"{blocks}.{number}.{name}.{kind}": (width,) for kind in ("weight", "bias")}
    return shapes


def grid(prefix: str, embed: str, width: int, steps: int, patch: int, joints: int) -> dict[str, tuple[int, ...]]:
    """Shapes of a patch embedding (where `embed` names one) and of the two tables of positions."""
    kernel = {f"{embed}.proj.weight": (width, 3, patch, 1), f"{embed}.proj.bias": (width,)} if embed else {}
    return kernel | {
        f"{prefix}temp_embed": (1, steps, 1, width),
        f"{prefix}pos_embed": (1, 1, joints, width),
    }


def mamp(width: int = 16, depth: int = 2, decoder: int = 1, steps: int = 3, patch: int = 4, joints: int = 25) -> State:
    """MAMP's and SkeletonMAE's."""
    shapes = grid("", "joints_embed", width, steps, patch, joints) | vit(width, "blocks", depth, "norm")
    shapes |= grid("decoder_", "", width, steps, patch, joints) | vit(width, "decoder_blocks", decoder, "decoder_norm")
    shapes |= {"mask_token": (1, 1, width), "decoder_embed.weight": (width, width), "decoder_embed.bias": (width,)}
    shapes |= {"decoder_pred.weight": (3 * patch, width), "decoder_pred.bias": (3 * patch,)}
    return filled(shapes)


def macdiff(
    width: int = 16, depth: int = 2, decoder: int = 2, steps: int = 3, patch: int = 4, joints: int = 25
) -> State:
    """MacDiff's, with its denoiser."""
    shapes = grid("", "joints_embed", width, steps, patch, joints) | vit(width, "blocks", depth, "norm")
    shapes |= grid("decoder_", "decoder_embed", width, steps, patch, joints)
    shapes |= vit(width, "decoder_blocks", decoder, "decoder_norm")
    for number in range(decoder):
        for norm in (f"decoder_blocks.{number}.norm1", f"decoder_blocks.{number}.norm2"):
            for kind in ("weight", "bias"):
                shapes[f"{norm}.norm.{kind}"] = shapes.pop(f"{norm}.{kind}")
            shapes |= {f"{norm}.fc_z.weight": (2 * width, width), f"{norm}.fc_z.bias": (2 * width,)}
            shapes |= {f"{norm}.fc_t.weight": (2 * width, 64), f"{norm}.fc_t.bias": (2 * width,)}
    shapes |= {"decoder_pred.weight": (3 * patch, width), "decoder_pred.bias": (3 * patch,)}
    return filled(shapes)


def slim(width: int = 16, depth: int = 2, joints: int = 25, registers: int = 4) -> State:
    """SLiM's encoder, its hidden width rounded up to a multiple of 8."""
    hidden = (int(4 * width * 2 / 3) + 7) // 8 * 8
    shapes = vit(width, "blocks", depth, "norm")
    for number in range(depth):
        at = f"blocks.{number}.mlp"
        for kind in ("weight", "bias"):
            del shapes[f"{at}.fc1.{kind}"], shapes[f"{at}.fc2.{kind}"]
        shapes |= {f"{at}.w12.weight": (2 * hidden, width), f"{at}.w12.bias": (2 * hidden,)}
        shapes |= {f"{at}.w3.weight": (width, hidden), f"{at}.w3.bias": (width,)}
    shapes |= {"patch_embed.proj.weight": (width, 3, 8, 1), "patch_embed.proj.bias": (width,)}
    shapes |= {"cls_token": (1, 1, width), "mask_token": (1, width)}
    shapes |= {"pos_embed": (1, 1 + joints, width), "register_tokens": (1, registers, width)}
    return filled(shapes)


def filled(shapes: dict[str, tuple[int, ...]]) -> State:
    """Numbers large enough for every tensor to matter."""
    draw = generator(0, "released")
    return {name: 0.3 * torch.randn(shape, generator=draw) for name, shape in shapes.items()}


def linear(x: Tensor, w: State, name: str) -> Tensor:
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def norm(x: Tensor, w: State, name: str, eps: float = 1e-5) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], eps)


def attention(
    x: Tensor, w: State, name: str, heads: int, turn: Callable[[Tensor], Tensor] = lambda heads: heads
) -> Tensor:
    bodies, tokens, width = x.shape
    qkv = linear(x, w, f"{name}.qkv").reshape(bodies, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    weight = (turn(qkv[0]) @ turn(qkv[1]).transpose(2, 3) / (width // heads) ** 0.5).softmax(-1)
    return linear((weight @ qkv[2]).transpose(1, 2).reshape(bodies, tokens, width), w, f"{name}.proj")


def mlp(x: Tensor, w: State, name: str) -> Tensor:
    return linear(F.gelu(linear(x, w, f"{name}.fc1")), w, f"{name}.fc2")


def blocks(x: Tensor, w: State, name: str, heads: int) -> Tensor:
    number = 0
    while f"{name}.{number}.norm1.weight" in w:
        at = f"{name}.{number}"
        x = x + attention(norm(x, w, f"{at}.norm1"), w, f"{at}.attn", heads)
        x = x + mlp(norm(x, w, f"{at}.norm2"), w, f"{at}.mlp")
        number += 1
    return x


def embedded(x: Tensor, w: State, embed: str, prefix: str = "") -> Tensor:
    """Bodies of frames x joints x 3 -> tokens with their positions, time first."""
    kernel = w[f"{embed}.proj.weight"]
    cells = F.conv2d(x.permute(0, 3, 1, 2), kernel, w[f"{embed}.proj.bias"], stride=kernel.shape[2:])
    tokens = cells.permute(0, 2, 3, 1) + w[f"{prefix}pos_embed"] + w[f"{prefix}temp_embed"]
    return tokens.flatten(1, 2)


def features(x: Tensor, w: State, heads: int, order: Tensor | None = None) -> Tensor:
    """The encoder's tokens: of all, or of those that `order` (bodies x kept) names, in that order."""
    tokens = embedded(x, w, "joints_embed")
    if order is not None:
        tokens = torch.stack([body[kept] for body, kept in zip(tokens, order, strict=True)])
    return norm(blocks(tokens, w, "blocks", heads), w, "norm")


def predictions(x: Tensor, w: State, heads: int, shuffle: Tensor, kept: int) -> Tensor:
    """MAMP's decoder on what a random order leaves visible: mask tokens at the end, put back in their places."""
    z = linear(features(x, w, heads, shuffle[:, :kept]), w, "decoder_embed")
    full = torch.cat([z, w["mask_token"].expand(len(z), shuffle.shape[1] - kept, -1)], dim=1)
    restore = shuffle.argsort(1)
    full = torch.stack([body[places] for body, places in zip(full, restore, strict=True)])
    full = full + (w["decoder_pos_embed"] + w["decoder_temp_embed"]).flatten(1, 2)
    return linear(norm(blocks(full, w, "decoder_blocks", heads), w, "decoder_norm"), w, "decoder_pred")


def denoised(x_t: Tensor, step: int, z: Tensor, w: State, heads: int) -> Tensor:
    """MacDiff's decoder: norms that time and the condition steer."""
    angle = step * 10_000 ** (-torch.arange(32) / 32)
    time = torch.cat([angle.cos(), angle.sin()])
    h, width = embedded(x_t, w, "decoder_embed", "decoder_"), z.shape[-1]

    def steered(h: Tensor, name: str) -> Tensor:
        of_z, of_t = linear(z, w, f"{name}.fc_z"), linear(time, w, f"{name}.fc_t")
        inner = of_t[:width] * norm(h, w, f"{name}.norm") + of_t[width:]
        return of_z[..., :width] * inner + of_z[..., width:]

    number = 0
    while f"decoder_blocks.{number}.attn.qkv.weight" in w:
        at = f"decoder_blocks.{number}"
        h = h + attention(steered(h, f"{at}.norm1"), w, f"{at}.attn", heads)
        h = h + mlp(steered(h, f"{at}.norm2"), w, f"{at}.mlp")
        number += 1
    return linear(norm(h, w, "decoder_norm"), w, "decoder_pred")


def compact(x: Tensor, w: State, heads: int) -> Tensor:
    """SLiM's patch tokens: class token and registers in front, which time does not turn."""
    kernel, registers = w["patch_embed.proj.weight"], w["register_tokens"].shape[1]
    cells = F.conv2d(x.permute(0, 3, 1, 2), kernel, w["patch_embed.proj.bias"], stride=kernel.shape[2:])
    steps, joints, width = cells.shape[2], cells.shape[3], len(kernel)
    tokens = (cells.permute(0, 2, 3, 1) + w["pos_embed"][:, None, 1:]).flatten(1, 2)
    front = torch.cat([w["cls_token"] + w["pos_embed"][:, :1], w["register_tokens"]], dim=1)
    tokens = torch.cat([front.expand(len(x), -1, -1), tokens], dim=1)

    head = width // heads
    angle = torch.arange(steps).repeat_interleave(joints)[:, None] * 10_000 ** (-torch.arange(0, head, 2) / head)
    angle = torch.cat([angle, angle], dim=1)

    def turned(each: Tensor) -> Tensor:
        still, moving = each[:, :, : 1 + registers], each[:, :, 1 + registers :]
        crossed = torch.cat([-moving[..., head // 2 :], moving[..., : head // 2]], dim=-1)
        return torch.cat([still, moving * angle.cos() + crossed * angle.sin()], dim=2)

    number = 0
    while f"blocks.{number}.norm1.weight" in w:
        at = f"blocks.{number}"
        tokens = tokens + attention(norm(tokens, w, f"{at}.norm1", 1e-6), w, f"{at}.attn", heads, turned)
        gate, value = linear(norm(tokens, w, f"{at}.norm2", 1e-6), w, f"{at}.mlp.w12").chunk(2, dim=-1)
        tokens = tokens + linear(F.silu(gate) * value, w, f"{at}.mlp.w3")
        number += 1
    return norm(tokens, w, "norm", 1e-6)[:, 1 + registers :]

"""Diffusion: how much noise at which step, conversions between what a network may predict, and two samplers.

Levels: `alpha_bar` (abar) is the share of variance that is still signal, x_t = sqrt(abar) x0 + sqrt(1 - abar) eps.
Steps are counted from 0 (nearly clean) to S - 1 (nearly noise), the index into a schedule; papers count them from 1.
Schedules are float64: the last level of a cosine is 2e-9, and everything divides by it.

Sources: Ho et al., NeurIPS 2020, https://arxiv.org/abs/2006.11239 (DDPM, linear betas); Song et al., ICLR 2021,
https://arxiv.org/abs/2010.02502 (DDIM); Nichol and Dhariwal, ICML 2021, https://arxiv.org/abs/2102.09672 (cosine);
Salimans and Ho, ICLR 2022, https://arxiv.org/abs/2202.00512 (v); MacDiff, ECCV 2024, https://arxiv.org/abs/2409.10473
(the family).
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from skelray.errors import BadInput

ScheduleName = Literal["linear_beta", "cosine", "inverse_cosine", "family"]
Target = Literal["eps", "x0", "v"]  # what a network may be asked to predict
Predict = Callable[[Tensor, int], Tensor]  # (x_t, index of the step) -> eps, shaped like x_t

TAU_END = 1.79  # from here on the family is no longer falling, so that a beta would be negative


def alpha_bar(name: ScheduleName, steps: int, tau: float = 1.0) -> Float[Tensor, " S"]:
    """The signal's share of variance after each of S = `steps` steps, float64, falling.

    "linear_beta" is DDPM's: betas rise evenly from 1e-4 to 0.02 (for 1000 steps, in proportion otherwise). The others
    are the one-parameter family f(u) = (1 + tau) f0 (1 - u) - tau c(u) over u = step / S, with c(u) the squared cosine
    and f0 = c(0): tau -1 is "cosine", 0 falls in a straight line, 1 is "inverse_cosine", the mirror image of the cosine
    about that line, which spends more steps at medium noise. `tau` is read by "family" alone.
    Raises BadInput when there is no step, or a family whose level would rise on its way.
    """
    if steps < 1:
        raise BadInput(f"a noise schedule needs at least 1 step, not {steps}")
    if name == "linear_beta":
        betas = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64) * (1000 / steps)
    else:
        level = _family(steps, {"cosine": -1.0, "inverse_cosine": 1.0, "family": tau}[name])
        betas = 1 - level[1:] / level[:-1]
    return (1 - betas.clamp(max=0.999)).cumprod(0)


def _family(steps: int, tau: float) -> Float[Tensor, " levels"]:
    """f at u = 0, 1/S, ..., 1: S + 1 numbers."""
    if not -1 <= tau < TAU_END:
        raise BadInput(f"tau {tau:g} of the noise schedule is outside -1 <= tau < {TAU_END}: its level would rise")
    u, offset = torch.linspace(0, 1, steps + 1, dtype=torch.float64), 0.008
    cosine = ((u + offset) / (1 + offset) * math.pi / 2).cos().square()
    return (1 + tau) * cosine[0] * (1 - u) - tau * cosine


def snr(level: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Signal-to-noise ratio abar / (1 - abar)."""
    return level / (1 - level)


def min_snr(level: Float[Tensor, " S"], target: Target, limit: float = 5.0) -> Float[Tensor, " S"]:
    """Weight of each step, of mean 1: no step counts as more than SNR `limit` does (https://arxiv.org/abs/2303.09556).

    For x0 min(SNR, limit); an error of eps is one of x0 divided by SNR, one of v by SNR + 1, and so are their weights.
    """
    ratio = snr(level)
    weight = ratio.clamp(max=limit) / {"eps": ratio, "x0": torch.ones_like(ratio), "v": ratio + 1}[target]
    return weight / weight.mean()


def _shares(level: Float[Tensor, "..."], like: Tensor) -> tuple[Tensor, Tensor]:
    """sqrt(abar) and sqrt(1 - abar), in the precision of `like`; the roots are taken in that of `level`."""
    return level.sqrt().to(like), (1 - level).sqrt().to(like)


def noised(
    x0: Float[Tensor, "*shape"], noise: Float[Tensor, "*shape"], level: Float[Tensor, "..."]
) -> Float[Tensor, "*shape"]:
    """x_t at abar `level`, which broadcasts over x0 (so do those below)."""
    signal, dirt = _shares(level, x0)
    return signal * x0 + dirt * noise


def x0_of_eps(
    x_t: Float[Tensor, "*shape"], eps: Float[Tensor, "*shape"], level: Float[Tensor, "..."]
) -> Float[Tensor, "*shape"]:
    """The clean sample that eps implies; an error of eps grows by sqrt((1 - abar) / abar), 2e4 at a cosine's end."""
    signal, dirt = _shares(level, x_t)
    return (x_t - dirt * eps) / signal


def eps_of_x0(
    x_t: Float[Tensor, "*shape"], x0: Float[Tensor, "*shape"], level: Float[Tensor, "..."]
) -> Float[Tensor, "*shape"]:
    """The noise that a clean sample implies."""
    signal, dirt = _shares(level, x_t)
    return (x_t - signal * x0) / dirt


def velocity(
    x0: Float[Tensor, "*shape"], eps: Float[Tensor, "*shape"], level: Float[Tensor, "..."]
) -> Float[Tensor, "*shape"]:
    """v = sqrt(abar) eps - sqrt(1 - abar) x0: orthogonal to x_t, of the same length where x0 has unit variance."""
    signal, dirt = _shares(level, x0)
    return signal * eps - dirt * x0


def x0_of_v(
    x_t: Float[Tensor, "*shape"], v: Float[Tensor, "*shape"], level: Float[Tensor, "..."]
) -> Float[Tensor, "*shape"]:
    """The clean sample that v implies: never a division."""
    signal, dirt = _shares(level, x_t)
    return signal * x_t - dirt * v


def eps_of_v(
    x_t: Float[Tensor, "*shape"], v: Float[Tensor, "*shape"], level: Float[Tensor, "..."]
) -> Float[Tensor, "*shape"]:
    """The noise that v implies."""
    signal, dirt = _shares(level, x_t)
    return dirt * x_t + signal * v


def wanted(
    target: Target, x0: Float[Tensor, "*shape"], eps: Float[Tensor, "*shape"], level: Float[Tensor, "..."]
) -> Float[Tensor, "*shape"]:
    """What a network with this target is asked for."""
    if target == "v":
        return velocity(x0, eps, level)
    return eps if target == "eps" else x0


def eps_of(
    target: Target, x_t: Float[Tensor, "*shape"], predicted: Float[Tensor, "*shape"], level: Float[Tensor, "..."]
) -> Float[Tensor, "*shape"]:
    """The noise that a prediction implies, whatever its target."""
    if target == "eps":
        return predicted
    return (eps_of_x0 if target == "x0" else eps_of_v)(x_t, predicted, level)


def bounded(
    x_t: Float[Tensor, "*shape"], eps: Float[Tensor, "*shape"], level: Float[Tensor, "..."], bound: float
) -> Float[Tensor, "*shape"]:
    """The noise that is left when no coordinate of the clean sample may leave -bound..bound.

    Standardised skeletons leave -1..1, the usual bound of images, in a third of their numbers.
    """
    return eps_of_x0(x_t, x0_of_eps(x_t, eps, level).clamp(-bound, bound), level)


def ddim_times(steps: int, total: int) -> list[int]:
    """`steps` indices spread evenly over `total` diffusion steps, from the last down to 0.

    Raises BadInput unless 1 <= steps <= total.
    """
    if not 1 <= steps <= total:
        raise BadInput(f"{steps} sampling steps do not lie within 1..{total}, the diffusion steps")
    if steps == 1:
        return [total - 1]
    return torch.linspace(total - 1, 0, steps, dtype=torch.float64).round().int().tolist()


@torch.no_grad()
def ddpm(
    predict: Predict,
    start: Float[Tensor, "*shape"],
    alpha_bar: Float[Tensor, " S"],
    generator: torch.Generator,
    variance: Literal["large", "small"] = "large",
) -> Float[Tensor, "*shape"]:
    """Walk back through every step, x_S-1 = `start`, with fresh noise each but the last (Ho et al., Eq. 7 and 11).

    variance: "large" beta, "small" beta (1 - abar_prev) / (1 - abar). A walk from the middle gets the first levels of a
    schedule and a start noised to the last of them. The generator is on the device of `start`.
    """
    x = start
    levels = [1.0, *alpha_bar.double().tolist()]
    for index in reversed(range(len(alpha_bar))):
        before, now = levels[index], levels[index + 1]
        alpha = now / before
        x0 = x0_of_eps(x, predict(x, index), alpha_bar[index])
        x = math.sqrt(before) * (1 - alpha) / (1 - now) * x0 + math.sqrt(alpha) * (1 - before) / (1 - now) * x
        if index > 0:
            spread = (1 - alpha) * (1.0 if variance == "large" else (1 - before) / (1 - now))
            x = x + math.sqrt(spread) * gaussian_like(x, generator)
    return x


@torch.no_grad()
def ddim(
    predict: Predict,
    start: Float[Tensor, "*shape"],
    alpha_bar: Float[Tensor, " S"],
    times: Sequence[int],
    generator: torch.Generator,
    eta: float = 0.0,
) -> Float[Tensor, "*shape"]:
    """Walk back over `times` alone, falling indices, from x at times[0] = `start` (Song et al., Eq. 12 and 16).

    eta 0 draws nothing: the same start gives the same sample; eta 1 over all steps is ddpm with the small variance.
    """
    x = start
    levels = [*alpha_bar.double()[list(times)].tolist(), 1.0]
    for index, (now, after) in zip(times, pairwise(levels), strict=True):
        eps = predict(x, index)
        x0 = x0_of_eps(x, eps, alpha_bar[index])
        sigma = eta * math.sqrt((1 - after) / (1 - now) * (1 - now / after))  # 0 at the last, where after is 1
        x = math.sqrt(after) * x0 + math.sqrt(max(0.0, 1 - after - sigma**2)) * eps
        if sigma > 0:
            x = x + sigma * gaussian_like(x, generator)
    return x


def gaussian_like(x: Float[Tensor, "*shape"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """White noise in the shape and precision of x, on the generator's device."""
    return torch.randn(x.shape, generator=generator, device=generator.device, dtype=x.dtype)

"""SLiM: Skeleton Less is More, self-distillation of few long tokens without a decoder.

Do et al., 2026, https://arxiv.org/abs/2603.10648; public code KAIST-VICLab/SLiM, which this follows (the recipe of
DINOv2 on skeletons). Version 1 of the paper differs in its views.

Idea        what a short or masked look at a body says must agree with what a slow teacher says of the whole look
Equations   q = Sinkhorn(teacher / tau_t), p = softmax(student / tau_s)        -> layers.distil.Balance
            GLCL = mean of CE(q_g, p_v) over views v and globals g != v        -> layers.distil.agreement
            MFP = 1/2B sum over masked globals, 1/#masked sum CE(q, p)         -> layers.distil.token_agreement
            KoLeo = -mean log distance to the nearest neighbour                -> layers.rows.koleo
            L = clip_weight GLCL + token_weight MFP + koleo_weight KoLeo       -> SLiM.loss
            theta' <- m theta' + (1 - m) theta, m rises to 1                   -> SLiM.after_step
            tubes of neighbouring joints over time                             -> tubes.semantic_tubes
Symbols     CE(q, p) ~ -sum over prototypes of q log p; GLCL ~ clip, on the class token; MFP ~ token, same view and
            place; theta' ~ teacher with teacher_heads; tau_s, tau_t ~ tau_student, tau_teacher; local ~ (frames, least
            and largest share of its global's crop, how many for each global)
Departures  bones are rebuilt in tree order (the code's order of joints moves the upper body even by factors of 1); a
            body is moved to where its clip's first one starts (there: its spine to the origin, the same on NTU); clips
            are not lengthened by reversed copies, and one shorter than the least crop is stretched whole; both heads'
            gradients are clipped as one part; absent bodies are left out where bodies are not drawn at random:
            count_absent restores them; momentum keeps its start however short the training. Evaluated as all methods
            are: patch tokens of the teacher, frames interpolated, one probe instead of 52. Inferred: a bone scales with
            the joint at its far end, masked parts are all that fit. Version 1's views are not built
Reproduces  results/nw_ucla_methods, seeds and intervals there; no claim for NTU RGB+D
"""

from typing import Annotated, Any, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from skelray import tubes
from skelray.batch import Batch, Bodies, Crop, View
from skelray.errors import BadInput
from skelray.layers.compact import CompactConfig, CompactEncoder
from skelray.layers.distil import Balance, agreement, token_agreement
from skelray.layers.ema import follow, rising, teacher_of
from skelray.layers.encoder import must_divide
from skelray.layers.prototypes import TwoHeads
from skelray.layers.rows import koleo
from skelray.method import Method, MethodConfig
from skelray.skeletons import Skeleton
from skelray.trainable import Losses

Share = Annotated[float, Field(ge=0, le=1)]
Metres = Annotated[float, Field(ge=0)]
Local = tuple[Annotated[int, Field(ge=1)], float, float, Annotated[int, Field(ge=1)]]
FILLED = 43  # prototypes for each class token of a step: 65,536 by 2 * 768 in the published recipe, and no more


class SLiMConfig(MethodConfig):
    name: Literal["slim"] = "slim"
    encoder: CompactConfig = CompactConfig()
    bodies: Bodies = "random"
    augment: tuple[str, ...] = ("mirror", "scale_bones", "rotate")  # of every view, each by itself
    chance: Share = 0.5  # that each of them changes a clip
    scaling: float = Field(0.15, ge=0, lt=1)  # bones within 1 +- it
    tilt: float = Field(0.3, ge=0)  # radians about x and z
    vertical: float = Field(0.3, ge=0)  # radians about y
    noise: tuple[Metres, Metres, Metres] = (0.01, 0.05, 0.01)  # metres: first global, second global, locals
    noise_chance: tuple[Share, Share, Share] = (1.0, 0.1, 0.5)
    drop_axis: Share = 0.2  # chance, second global alone
    sample: Literal["linear", "segments"] = "segments"
    origin: int | None = Field(1, ge=0)  # the joint by which a body is moved onto its clip's first one; None: not
    local: tuple[Local, ...] = ((32, 0.35, 0.7, 1), (16, 0.15, 0.4, 2), (8, 0.05, 0.2, 1))
    mask_ratio: Crop = (0.5, 0.9)  # each masked view gets a slice of its own
    masked_share: Share = 0.5  # of the student's global views
    mask_local: bool = True
    masking: tubes.Kind = "stm"
    tube_minimum: float = Field(8.0, gt=0)  # tokens, in a global view; in proportion to the frames of others
    tube_maximum: float = Field(100.0, gt=0)
    prototypes: int = Field(65_536, ge=2, le=2**24)
    head_width: int = Field(2048, ge=1, le=65_536)
    bottleneck: int = Field(256, ge=1, le=65_536)
    head_depth: int = Field(3, ge=1, le=1000)
    separate_heads: bool = True
    balance: Literal["sinkhorn", "centring"] = "sinkhorn"
    sinkhorn_iterations: int = Field(3, ge=1)
    centre_rate: Share = 0.9  # share of the old centre that stays, where targets are centred
    tau_student: float = Field(0.1, gt=0)
    tau_teacher: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.04, 0.07)
    tau_warmup: Share = 0.2  # of training, in which the teacher's temperature moves (30 of 150 epochs)
    momentum: Share = 0.994  # of the teacher at first; 1 at the end
    clip_weight: float = Field(1.0, ge=0)
    token_weight: float = Field(1.0, ge=0)
    koleo_weight: float = Field(0.1, ge=0)
    embedding_rate: Share = 0.2  # share of the learning rate that the patch embedding gets
    prototypes_still: Share = 1 / 150  # of training, in which the prototypes do not move

    @model_validator(mode="after")
    def views_fit(self) -> "SLiMConfig":
        for frames, *share, _ in self.local:
            must_divide(frames, self.encoder.patch, f"a local view has {frames} frames, and patch")
            if not 0 < share[0] <= share[1] <= 1:
                raise ValueError(f"local: {share} is not a range within 0..1")
        if self.tube_minimum > self.tube_maximum:
            raise ValueError(f"tube_minimum {self.tube_minimum:g} is above tube_maximum {self.tube_maximum:g}")
        if self.clip_weight == self.token_weight == self.koleo_weight == 0:
            raise ValueError("clip_weight, token_weight and koleo_weight are all 0: nothing would be learned")
        return self

    def refuse_batch(self, clips: int) -> None:
        """Raise ValueError where a step of so many clips leaves most prototypes without any view."""
        if self.prototypes > (most := FILLED * 2 * clips):
            raise ValueError(
                f"{self.prototypes:,} prototypes are more than the 2 global views of {clips} clips fill: "
                f"at most {FILLED} each, so {most:,}"
            )

    @property
    def views(self) -> tuple[View, ...]:
        """Two globals, then the locals: of one length together, those of the first global before the second's."""
        usual: dict[str, Any] = {"scale_bones": self.scaling, "rotate": (self.tilt, self.vertical, self.tilt)}

        def view(frames: int, crop: tuple[float, float], kind: int, **more: Any) -> View:
            names = (*self.augment, "jitter") + (("drop_axis",) if kind == 1 else ())
            chance = dict.fromkeys(self.augment, self.chance)
            chance |= {"jitter": self.noise_chance[kind]} | ({"drop_axis": self.drop_axis} if kind == 1 else {})
            strength = {name: value for name, value in usual.items() if name in names} | {"jitter": self.noise[kind]}
            least = max(8, min(self.crop_minimum or 16, frames))  # frames of a crop
            more |= {"sample": self.sample, "origin": self.origin, "crop_minimum": least}
            return View(frames=frames, crop=crop, augment=names, strength=strength, chance=chance, **more)

        whole = (view(self.encoder.frames, self.crop, kind) for kind in (0, 1))
        parents = [(each, parent) for each in self.local for parent in (0, 1) for _ in range(each[3])]
        return (*whole, *(view(frames, (low, high), 2, within=g) for (frames, low, high, _), g in parents))


class SLiM(Method):
    """See the head of this file."""

    Config = SLiMConfig
    encoder: CompactEncoder  # type: ignore[assignment]

    def __init__(self, cfg: SLiMConfig, skeleton: Skeleton):
        super().__init__(cfg, skeleton)
        if (cfg.origin or 0) >= (joints := len(skeleton.joints)):
            raise BadInput(f"method.origin: origin {cfg.origin} is no joint: the layout {skeleton.name!r} has {joints}")
        self.groups = list(skeleton.parts.values()) or [tuple(range(joints))]
        self.encoder = CompactEncoder(cfg.encoder, skeleton)
        sizes = cfg.encoder.width, cfg.head_width, cfg.bottleneck, cfg.head_depth, cfg.prototypes
        self.heads = TwoHeads(*sizes, separate=cfg.separate_heads)
        self.teacher, self.teacher_heads = teacher_of(self.encoder), teacher_of(self.heads)
        how = cfg.balance, cfg.prototypes, cfg.tau_teacher, cfg.tau_warmup, cfg.sinkhorn_iterations, cfg.centre_rate
        self.even_clips, self.even_tokens = Balance(*how), Balance(*how)

    def loss(self, batch: Batch) -> Losses:
        cfg, front = self.cfg, self.encoder.front
        whole = torch.cat([batch.counted(cfg.count_absent, view) for view in (0, 1)])
        bodies = len(whole) // 2
        hidden = self.hidden(cfg.encoder.frames, len(whole), cfg.masked_share, batch.generator)

        seen = self.encoder(whole, hidden)
        classes, first = [seen[:, 0]], 2
        for frames, _, _, count in cfg.local:
            x = torch.cat([batch.counted(cfg.count_absent, first + number) for number in range(2 * count)])
            first += 2 * count
            mask = self.hidden(frames, len(x), 1.0, batch.generator) if cfg.mask_local else None
            classes.append(self.encoder(x, mask)[:, 0])
        clips, tokens = self.heads(torch.cat(classes), seen[:, front:][hidden])

        with torch.no_grad():
            known = self.teacher(whole)
            clip_scores, token_scores = self.teacher_heads(known[:, 0], known[:, front:][hidden])
        target = self.even_clips(clip_scores).unflatten(0, (2, bodies))
        clip = agreement(clips.unflatten(0, (first, bodies)), target, cfg.tau_student)
        token = token_agreement(tokens, self.even_tokens(token_scores), hidden, cfg.tau_student)
        apart = torch.stack([koleo(view) for view in seen[:, 0].unflatten(0, (2, bodies))]).sum()
        loss = cfg.clip_weight * clip + cfg.token_weight * token + cfg.koleo_weight * apart
        return {"loss": loss, "clip": clip, "token": token, "koleo": apart}

    def hidden(self, frames: int, views: int, share: float, generator: torch.Generator) -> Bool[Tensor, "B P"]:
        """What is hidden of so many views of a length; where not all are masked, chance decides which."""
        cfg, masked = self.cfg, int(views * share)
        ratio = tubes.stratified(cfg.mask_ratio, masked, generator, idle=views - masked, shuffle=share < 1)
        smallest = max(1.0, cfg.tube_minimum * frames / cfg.encoder.frames)
        steps = frames // cfg.encoder.patch
        return tubes.hide(cfg.masking, ratio, steps, self.groups, generator, smallest, cfg.tube_maximum)

    def after_step(self, progress: float, steps: int) -> None:
        """The teacher follows, with the momentum of the step just done; its temperature moves on."""
        for teacher, student in ((self.teacher, self.encoder), (self.teacher_heads, self.heads)):
            follow(teacher, student, rising(progress - 1 / steps, self.cfg.momentum))
        for balance in (self.even_clips, self.even_tokens):
            balance.progress.fill_(progress)

    def rates(self, progress: float) -> dict[str, float]:
        slow = {"encoder.embedding.": self.cfg.embedding_rate}
        still = {f"heads.heads.{n}.prototypes.": 0.0 for n in range(len(self.heads.heads))}
        return slow | (still if progress < self.cfg.prototypes_still else {})

    def tables(self) -> set[str]:
        """As everywhere, without the gain of a prototype: it is multiplied."""
        return {name for name in super().tables() if not name.endswith(".gain")}

    def pretrained(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B P D"]:
        """The teacher's patch tokens, without class token and registers."""
        return self.teacher(x)[:, self.encoder.front :]

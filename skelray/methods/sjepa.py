"""S-JEPA: a joint embedding predictive architecture for skeletons, which predicts features instead of coordinates.

Abdelfattah and Alahi, ECCV 2024, https://sjepa.github.io; no arXiv version and no authors' code are public.

Idea        hide what moves, and predict of it what a slowly following copy of the encoder makes of the whole clip
Equations   p1 = softmax(R_p / tau_p)                                          -> cross_entropy
            p2 = softmax((R_t - c) / tau_t), no gradient                       -> sharpened
            L = -mean over hidden tokens of sum_d p2[d] log p1[d]              -> SJEPA.loss
            c <- beta c + (1 - beta) mean(R_t), after the step                 -> SJEPA.after_step
            theta' <- m theta' + (1 - m) theta, m from its start to 1          -> SJEPA.after_step, SJEPA.momentum
            view = the clip turned about its trunk, mirrored and shifted       -> transformed
Symbols     R_p ~ predicted; R_t ~ target; c ~ centre; beta ~ centre_rate; tau_p, tau_t ~ tau_prediction, tau_target;
            theta' ~ teacher; 1 - m summed over training ~ lifetimes; tau ~ temperature of the motion prior
Departures  absent bodies are left out of loss and centre: count_absent restores them. The momentum is rescaled to the
            length of training: lifetimes is the paper's 187,200 steps from 0.9999. Inferred, hence fields: rotation,
            flip, translation, trunk, tau, centre_over, augment (only the crop is stated, so MAMP's rotation is off);
            inferred without a field: each body gets a transformation of its own; where it is mirrored, mask and target
            go with the joints, so left predicts what was right; the centre starts at 0 and moves after its use;
            predictor and final norms as in MAMP. Evaluated like every method on the central 95 % of a clip, not 90 %
Reproduces  results/nw_ucla_methods, seeds and intervals there; no claim for NTU RGB+D
"""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from skelray import geometry, masking
from skelray.batch import Batch
from skelray.errors import BadInput, near
from skelray.layers.compare import mean_of
from skelray.layers.decoder import Decoder
from skelray.layers.ema import follow, rising, teacher_of
from skelray.layers.encoder import Encoder, gather
from skelray.layers.patch import patchify
from skelray.layers.rows import mean_row
from skelray.method import Method, MethodConfig
from skelray.schema import Depth
from skelray.skeletons import Skeleton
from skelray.trainable import Losses


class SJEPAConfig(MethodConfig):
    name: Literal["sjepa"] = "sjepa"
    augment: tuple[str, ...] = ()  # before the two branches part; what tells them apart is below
    mask_ratio: float = Field(0.9, gt=0, lt=1)
    masking: Literal["motion", "uniform"] = "motion"
    tau: float = Field(0.80, gt=0)  # temperature, where masking follows motion; 0.75 on NTU-120
    rotation: float = Field(30.0, ge=0, le=180)  # degrees either way about the trunk
    flip: float = Field(0.5, ge=0, le=1)  # probability of a mirrored view
    translation: float = Field(0.02, ge=0)  # metres either way along each axis
    trunk: tuple[str, str] | None = None  # joints at the ends of the axis; None: where left and right limbs meet
    tau_prediction: float = Field(0.1, gt=0)
    tau_target: float = Field(0.06, gt=0)  # lower: sharper targets
    centre_rate: float = Field(0.9, ge=0, le=1)  # share of the old centre that stays; 1: no centring
    centre_over: Literal["hidden", "all"] = "hidden"  # target tokens that the centre is a mean of
    ema: bool = True  # False: the teacher is the student of the step before (the paper's "no EMA update")
    lifetimes: float = Field(9.36, ge=0)  # how often training renews the teacher; 0: it stays as it was drawn
    decoder_depth: Depth = 5  # of the predictor

    def refuse_stream(self, stream: str) -> None:
        """Raise ValueError where a view would turn or shift what are no joints."""
        if stream != "joint" and (self.rotation or self.translation):
            due = "set method.rotation and method.translation to 0"
            raise ValueError(f"the stream {stream} has no joints that could be turned and shifted: {due}")


class SJEPA(Method):
    """See the head of this file."""

    Config = SJEPAConfig
    centre: Tensor  # width; running mean of the target's channels
    mirror: Tensor  # the token that stands at each token's place in a mirror

    def __init__(self, cfg: SJEPAConfig, skeleton: Skeleton):
        super().__init__(cfg, skeleton)
        if cfg.rotation and (given := skeleton.channels) != 3:
            raise BadInput(f"method.rotation: 0 is due: a turn about the trunk needs three coordinates, not {given}")
        if cfg.flip and not skeleton.mirror:
            raise BadInput(f"method.flip: 0 is due: the layout {skeleton.name!r} does not tell left from right")
        self.skeleton, self.trunk = skeleton, trunk_ends(skeleton, cfg.trunk)
        self.encoder = Encoder(cfg.encoder, skeleton)
        self.decoder = Decoder(cfg.encoder, skeleton, cfg.decoder_depth, out=cfg.encoder.width)
        self.teacher = teacher_of(self.encoder)
        self.register_buffer("centre", torch.zeros(cfg.encoder.width))
        tokens = torch.arange(self.encoder.tokens).unflatten(0, (cfg.encoder.steps, -1))
        self.register_buffer("mirror", tokens[:, geometry.swapped(skeleton)].flatten(), persistent=False)
        self.seen: list[Tensor] = []  # "B D" of every loss since the last step: what the centre will move towards

    def loss(self, batch: Batch) -> Losses:
        x, cfg = batch.counted(self.cfg.count_absent), self.cfg
        view, order = self.look(x, batch.generator)
        mask = self.mask(x, order, batch.generator)
        predicted = self.decoder(self.encoder(view, mask), mask)
        with torch.no_grad():
            target = gather(self.teacher(x), order)
            wanted = sharpened(target[mask.hidden], self.centre, cfg.tau_target)
        error = cross_entropy(predicted[mask.hidden], wanted, cfg.tau_prediction)
        if self.training:
            counts = mask.hidden if cfg.centre_over == "hidden" else torch.ones_like(mask.hidden)
            self.seen.append((target.float() * counts[..., None]).sum(1) / counts.sum(1, keepdim=True))
        return {
            "loss": mean_of(error),
            "target_entropy": mean_of(torch.special.entr(wanted).sum(-1)),
            # 0: every target is the same single channel, which is a collapse; log(width): all channels are used alike
            "mean_target_entropy": torch.special.entr(wanted.sum(0) / max(1, len(wanted))).sum(),
        }

    def look(
        self, x: Float[Tensor, "B T V C"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "B T V C"], Int[Tensor, "B P"]]:
        """x as the trained encoder gets it, and which token of x stands at each token of that view."""
        draw = torch.rand(len(x), 2 + x.shape[-1], generator=generator, device=generator.device)
        angle = math.radians(self.cfg.rotation) * (2 * draw[:, 0] - 1)
        flipped, shift = draw[:, 1] < self.cfg.flip, self.cfg.translation * (2 * draw[:, 2:] - 1)
        order = torch.where(flipped[:, None], self.mirror, torch.arange(len(self.mirror), device=self.mirror.device))
        return transformed(x, self.skeleton, self.trunk, angle, flipped, shift), order

    def mask(self, x: Float[Tensor, "B T V C"], order: Int[Tensor, "B P"], generator: torch.Generator) -> masking.Mask:
        """Drawn by the motion of the clip as it came, and carried to where its tokens stand in the view."""
        intensity = masking.motion_intensity(patchify(x, self.cfg.encoder.patch), len(self.skeleton.joints))
        tau = self.cfg.tau if self.cfg.masking == "motion" else 0.0
        return masking.by_motion(intensity.gather(1, order), self.cfg.mask_ratio, tau, generator)

    def after_step(self, progress: float, steps: int) -> None:
        if self.seen:
            self.centre.lerp_(mean_row(torch.cat(self.seen)), 1 - self.cfg.centre_rate)
            self.seen.clear()
        follow(self.teacher, self.encoder, self.momentum(progress - 1 / steps, steps))

    def momentum(self, progress: float, steps: int) -> float:
        """How much of the teacher stays at the step that begins at `progress`, of `steps` in all.

        1 - momentum, summed over all steps, is `lifetimes` whatever their number; fewer than twice as many steps
        cannot hold them, and the momentum starts at 0.
        """
        return rising(progress, max(0.0, 1 - 2 * self.cfg.lifetimes / steps)) if self.cfg.ema else 0.0

    def pretrained(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B P D"]:
        """The teacher's tokens: the paper keeps the target encoder and throws the other away."""
        tokens: Tensor = self.teacher(x)
        return tokens


def sharpened(target: Float[Tensor, "R D"], centre: Float[Tensor, " D"], tau: float) -> Float[Tensor, "R D"]:
    """p2: a distribution over the channels of each target, without the channels that are always large."""
    return torch.softmax((target.float() - centre) / tau, -1)


def cross_entropy(predicted: Float[Tensor, "R D"], wanted: Float[Tensor, "R D"], tau: float) -> Float[Tensor, " R"]:
    """-sum over channels of wanted * log softmax(predicted / tau), in nats; in float32, for tau is small."""
    return -(wanted * torch.log_softmax(predicted.float() / tau, -1)).sum(-1)


def transformed(
    x: Float[Tensor, "B T V C"],
    skeleton: Skeleton,
    trunk: tuple[int, int],
    angle: Float[Tensor, " B"],
    flipped: Bool[Tensor, " B"],
    shift: Float[Tensor, "B C"],
) -> Float[Tensor, "B T V C"]:
    """Each body turned by `angle` radians about its mean trunk, mirrored if flipped, and shifted by metres.

    A body whose trunk has no length, such as an absent one, is not turned; nor is one of two coordinates.
    """
    ends = x[:, :, list(trunk)].mean(1)
    if x.shape[-1] == 3:
        middle = ends.mean(1)[:, None, None]
        x = geometry.turned(x - middle, geometry.about_axis(ends[:, 1] - ends[:, 0], angle)) + middle
    x = torch.where(flipped[:, None, None, None], geometry.mirrored(x, skeleton), x)
    return x + shift[:, None, None]


def trunk_ends(skeleton: Skeleton, named: tuple[str, str] | None = None) -> tuple[int, int]:
    """The two joints that the trunk lies between; which one comes first does not matter to a rotation either way.

    Unless named, the first two joints on which a left and a right limb hang (pelvis and shoulders of a Kinect body);
    where a layout has fewer such joints, the root and then any other joint stands in. Raises BadInput for names that
    are no two joints of the layout.
    """
    if named:
        for name in named:
            if name not in skeleton.joints:
                raise BadInput(
                    f"method.trunk: no joint {name!r} in the layout {skeleton.name!r}{near(name, skeleton.joints)}"
                )
        if named[0] == named[1]:
            raise BadInput(f"method.trunk: a trunk needs two ends, not {named[0]!r} twice")
        return skeleton.joints.index(named[0]), skeleton.joints.index(named[1])
    parents = skeleton.parents
    hubs = [parents[left] for left, right in skeleton.mirror if parents[left] == parents[right]]
    found = list(dict.fromkeys([*hubs, *skeleton.roots, *range(len(skeleton.joints))]))
    return found[0], found[:2][-1]

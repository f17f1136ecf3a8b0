"""A classifier that is trained end to end from a pretrained encoder: MAMP's fine-tuning, for every method the same.

Encoder, dropout on its tokens, mean over time, joints side by side, mean over the bodies that are present, one hidden
layer with batch norm. AdamW, layer-wise decay of the learning rate, stochastic depth, smoothed labels. The training
view is MAMP's crop and rotation, whatever a method pretrains on.

Departures from the authors: absent bodies are left out; position tables and tokens that are looked up do not decay.
"""

import copy
from collections.abc import Iterable
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from skelray.batch import Batch
from skelray.data.loader import Loader, Pool
from skelray.data.splits import Indices
from skelray.errors import BadInput
from skelray.evaluate.features import mean_of_present, pooled
from skelray.evaluate.look import Look
from skelray.layers.drop import spread
from skelray.method import Method
from skelray.optim import FASTEST, OptimConfig
from skelray.rng import seed_for
from skelray.skeletons import Skeleton
from skelray.train import TrainConfig, train
from skelray.trainable import Losses, Trainable

Share = Annotated[float, Field(ge=0, lt=1)]


class Recipe(Look):
    """How a classifier is trained; the defaults are those of MAMP's fine-tuning script."""

    epochs: int = Field(100, ge=1)
    batch: int = Field(48, ge=2)  # clips; all of them where there are fewer
    lr: float = Field(3e-4, gt=0, le=FASTEST)  # the peak, of the head and of the encoder's last norm
    floor: float = Field(1 / 30, ge=0, le=1)  # share of lr where the cosine ends: 1e-5
    warmup: Share = 0.05  # share of training: 5 of 100 epochs
    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: float = Field(0.05, ge=0)
    smoothing: Share = 0.1  # of the label that is spread over all classes
    dropout: Share = 0.3  # of the encoder's tokens
    drop_path: Share = 0.3  # of the last block; the first one's is 0, between them it rises evenly
    hidden: int = Field(2048, ge=1)  # numbers in the head's hidden layer
    layer_decay: float = Field(0.8, gt=0, le=1)  # of the learning rate, from one block to the one before
    from_scratch: bool = False  # True: a new encoder of the same kind, every layer at the whole learning rate


class Classifier(Trainable):
    """A method's encoder with a new head. It trains the method that it is given."""

    def __init__(self, method: Method, skeleton: Skeleton, classes: int, cfg: Recipe):
        super().__init__()
        self.backbone = method.backbone  # before the method, so that its weights are named after it
        self.method, self.cfg, self.joints = method, cfg, len(skeleton.joints)
        method.requires_grad_(False)
        self.backbone.requires_grad_(True)
        spread(self.blocks, cfg.drop_path)
        self.dropout = nn.Dropout(cfg.dropout)
        self.head = nn.Sequential(
            nn.Linear(self.joints * method.cfg.encoder.width, cfg.hidden),
            nn.BatchNorm1d(cfg.hidden),
            nn.ReLU(),
            nn.Linear(cfg.hidden, classes),
        )

    @property
    def blocks(self) -> nn.ModuleList:
        """The encoder's blocks, the first one first."""
        found: nn.ModuleList = self.backbone.get_submodule("body.blocks")  # type: ignore[assignment]
        return found

    def logits(self, batch: Batch) -> Float[Tensor, "N Y"]:
        """Scores of the Y classes; absent bodies are not even encoded."""
        tokens = self.dropout(self.method.pretrained(batch.bodies()[batch.present.flatten()]).float())
        return self.head(mean_of_present(pooled(tokens, self.joints), batch.present))

    def loss(self, batch: Batch) -> Losses:
        return {"loss": cross_entropy(self.logits(batch), batch.label, label_smoothing=self.cfg.smoothing)}

    def rates(self, progress: float) -> dict[str, float]:
        """Of L blocks number i (from 0) gets decay^(L - i), what comes before them decay^(L + 1), the rest all."""
        decay, count = 1.0 if self.cfg.from_scratch else self.cfg.layer_decay, len(self.blocks)
        found = {f"backbone.body.blocks.{number}.": decay ** (count - number) for number in range(count)}
        return found | {"backbone.body.norm.": 1.0, "backbone.": decay ** (count + 1)}

    def tables(self) -> set[str]:
        return {name for name, _ in self.named_parameters() if name.rpartition(".")[2] not in ("weight", "bias")}

    @torch.no_grad()
    def classes(self, batches: Iterable[Batch]) -> Int[Tensor, " N"]:
        """The class of each clip, in the order of the batches."""
        self.eval()
        return torch.cat([self.logits(batch).argmax(1) for batch in batches])


def fit(method: Method, pool: Pool, clips: Indices, cfg: Recipe, *, seed: int) -> Classifier:
    """Train a classifier on these clips of a pool; the method stays as it is. The last epoch counts.

    Raises BadInput for fewer than two clips, Diverged.
    """
    if len(clips) < 2:
        raise BadInput(f"a classifier cannot be trained on {len(clips)} clip; 2 are the least")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "classifier", "init"))
        skeleton = pool.skeleton
        start = type(method)(method.cfg, skeleton) if cfg.from_scratch else copy.deepcopy(method)
        model = Classifier(start, skeleton, len(pool.store.classes), cfg).to(pool.device)
    if cfg.from_scratch:
        start.begin(Loader(pool, clips, method.cfg.views, seed=seed))
    size = min(cfg.batch, len(clips))
    train(
        model,
        Loader(pool, clips, (cfg.view(method.cfg),), seed=seed),
        TrainConfig(clips=cfg.epochs * (len(clips) // size) * size, batch=size, reports=1),
        OptimConfig(
            lr=cfg.lr, floor=cfg.floor, warmup=cfg.warmup, betas=cfg.betas, weight_decay=cfg.weight_decay
        ),
        seed=seed_for(seed, "classifier"),
        device=pool.device,
    )  # fmt: skip
    return model

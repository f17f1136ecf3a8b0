"""What a frozen encoder is worth on a store: val/* for selection, test/* once.

Whatever a protocol leaves open (the probe's learning rate) is chosen on validation clips, for val/* and test/* alike.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from pydantic import Field, ValidationError, field_validator

from skelray import evaluate, yaml_file
from skelray.batch import test_view
from skelray.data.loader import Pool, fixed
from skelray.data.splits import Indices
from skelray.errors import BadInput
from skelray.evaluate import generation
from skelray.evaluate.case import Case, Outcome, some, together
from skelray.evaluate.finetune import Config as FinetuneConfig
from skelray.evaluate.generation import Config as GenerationConfig
from skelray.evaluate.knn import KnnConfig
from skelray.evaluate.linear import LinearConfig
from skelray.evaluate.robustness import Config as RobustnessConfig
from skelray.evaluate.semi import Config as SemiConfig
from skelray.evaluate.signals import Config as SignalsConfig
from skelray.method import Method
from skelray.rng import generator
from skelray.schema import Strict, problems


class EvaluateConfig(Strict):
    """How a frozen encoder is measured; each protocol has its own part."""

    protocols: tuple[str, ...] = Field(("linear", "knn"), min_length=1)  # files of skelray.evaluate; for val/*
    linear: LinearConfig = LinearConfig()
    knn: KnnConfig = KnnConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    generation: GenerationConfig = GenerationConfig()
    robustness: RobustnessConfig = RobustnessConfig()
    semi: SemiConfig = SemiConfig()
    signals: SignalsConfig = SignalsConfig()
    size: int = Field(64, ge=1)  # clips encoded at once
    reconstruction: int = Field(0, ge=0)  # held-out clips that are generated again from what the encoder sees of them

    _known = field_validator("protocols")(evaluate.known)

    def refuse_stream(self, stream: str) -> None:
        """Raise ValueError where what is generated again has no joints to be compared."""
        if stream != "joint" and self.reconstruction:
            due = "set evaluate.reconstruction to 0"
            raise ValueError(f"the stream {stream} has no joints whose distances could be measured: {due}")

    @property
    def reported(self) -> list[str]:
        """Names of the numbers that a search may look at."""
        found = [name for each in self.protocols for name in evaluate.names(each, getattr(self, each))]
        return [f"val/{name}" for name in (*found, *["reconstruction"] * bool(self.reconstruction))]


def asked(protocols: Sequence[str], settings: Sequence[str]) -> EvaluateConfig:
    """The protocols of --protocol with the settings of --set. Raises BadInput with the nearest name for one that there
    is not."""
    tree: dict[str, Any] = {}
    if not protocols:
        raise BadInput(f"--protocol: name one or more of {', '.join(evaluate.available())}")
    for name in protocols:
        evaluate.load(name)
    for text in settings:
        key, equals, value = text.partition("=")
        *path, last = key.strip().split(".")
        if not equals or not last:
            raise BadInput(f"--set {text}: key=value is due, as linear.form=full")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise BadInput(f"--set {text}: {part} has a value already")
        place[last] = yaml_file.value(value, f"--set {text}")
    if beside := [key for key in tree if key in evaluate.available() and key not in protocols]:
        raise BadInput(f"--set {beside[0]}: {beside[0]} is none of the protocols that are asked for")
    try:
        return EvaluateConfig.model_validate({"protocols": tuple(dict.fromkeys(protocols))} | tree)
    except ValidationError as error:
        key, text = problems(error, EvaluateConfig)[0]
        raise BadInput(f"--set {key}: {text}") from None


def validate(case: Case, cfg: EvaluateConfig) -> dict[str, float]:
    """val/* by every protocol of the config: fitted on the clips of training, scored on the held-out subjects."""
    found: dict[str, float] = {}
    for name in cfg.protocols:
        found |= evaluate.measure(name, case, getattr(cfg, name)).metrics
    return {f"val/{key}": value for key, value in found.items()}


def reconstruction(method: Method, pool: Pool, clips: Indices, cfg: EvaluateConfig, *, seed: int) -> dict[str, float]:
    """val/reconstruction: the mean distance of a joint to where it is in a conditional sample, in millimetres.

    Over `cfg.reconstruction` of the clips, spread evenly; {} when none is asked for. Raises BadInput for a method that
    cannot generate a clip again.
    """
    if not cfg.reconstruction:
        return {}
    chosen, draw = some(clips, cfg.reconstruction), generator(seed, "reconstruction", device=pool.device)
    training = method.training
    method.eval()
    try:
        batches = fixed(pool, chosen, test_view(method.cfg.encoder.frames), cfg.size)
        distances = [generation.millimetres(made, x) for x, made in generation.again(method, batches, draw)]
    finally:
        method.train(training)
    return {"val/reconstruction": torch.cat(distances).double().mean().item()}


def refuse_unable(method: Method, cfg: EvaluateConfig, pool: Pool) -> None:
    """Say before training what a method cannot be measured by. Raises BadInput."""
    if cfg.reconstruction:
        try:
            generation.try_again(method, pool)
        except BadInput as error:
            raise BadInput(f"evaluate.reconstruction: {error}; set it to 0") from None
    for name in cfg.protocols:
        evaluate.refuse(name, method, pool, getattr(cfg, name))


def test(case: Case, cfg: EvaluateConfig, protocols: Sequence[str]) -> Outcome:
    """test/* by each protocol, fitted on the whole training side, the class that each test clip was given, and curves.

    Rows ending in `_clean` leave out test clips whose exact copy lies on the training side; they are missing when
    nothing remains.
    """
    found = together((evaluate.measure(name, case, getattr(cfg, name)) for name in dict.fromkeys(protocols)), "test/")
    sizes = {"test/clips": float(len(case.side.standard)), "test/clips_clean": float(len(case.side.clean))}
    return replace(found, metrics={**sizes, **found.metrics})


test.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest makes of its name

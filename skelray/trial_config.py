"""The config of a trial: everything that decides its numbers."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from skelray import methods
from skelray.data import augment
from skelray.data.config import DataConfig
from skelray.errors import near
from skelray.measure import EvaluateConfig
from skelray.method import MethodConfig
from skelray.optim import OptimConfig
from skelray.schema import Strict, problems
from skelray.train import TrainConfig


def of_its_own_class(value: Any, info: Any) -> Any:  # info: ValidationInfo, which executed annotations cannot check
    """{"name": "amr", "k": 0.1} -> AMRConfig(k=0.1), from JSON strictly; its mistakes are told with its keys."""
    if not isinstance(value, dict):
        return value
    if "name" not in value:
        raise ValueError(f"name is missing: one of {', '.join(methods.available())}")
    if value["name"] not in methods.available():
        hint = near(str(value["name"]), methods.available())
        raise ValueError(f"no method {value['name']!r}{hint} (there are {', '.join(methods.available())})")
    config = methods.load(value["name"]).Config
    try:
        return config.model_validate_json(json.dumps(value), strict=True) if info.mode == "json" else config(**value)
    except ValidationError as error:
        told = [
            InitErrorDetails(type=PydanticCustomError("value_error", text), loc=tuple(key.split(".")), input=value)
            for key, text in problems(error, config)
        ]
        raise ValidationError.from_exception_data(config.__name__, told) from None


def augmented(config: MethodConfig) -> MethodConfig:
    """The config, if the augmentations of its views exist; raises ValueError otherwise."""
    known = augment.available()
    for name in (name for view in config.views for name in view.augment if name not in known):
        raise ValueError(f"augment: no {name!r}{near(name, known)} (there are {', '.join(known)})")
    return config


class TrialConfig(Strict):
    """Everything that decides a trial's numbers; the checkpoint, the results and MLflow keep the same JSON."""

    data: DataConfig = DataConfig()
    method: Annotated[SerializeAsAny[MethodConfig], BeforeValidator(of_its_own_class), AfterValidator(augmented)]
    optim: OptimConfig = OptimConfig()
    train: TrainConfig = TrainConfig(epochs=400)
    evaluate: EvaluateConfig = EvaluateConfig()
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def batch_and_stream_serve(self) -> "TrialConfig":
        self.method.refuse_batch(self.train.batch // self.train.accumulate)
        self.method.refuse_stream(self.data.stream)
        self.evaluate.refuse_stream(self.data.stream)
        return self

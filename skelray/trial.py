"""One trial, wired: a config in, numbers out. Knows nothing of Ray.

`val/*` is what a sweep may look at: run() makes it and cannot reach a test clip. `test/*` is made once, by final().
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from skelray import methods
from skelray.errors import near
from skelray.evaluate.knn import KnnConfig
from skelray.evaluate.linear import LinearConfig
from skelray.method import MethodConfig
from skelray.optim import OptimConfig
from skelray.schema import Strict, problems
from skelray.train import TrainConfig


class DataConfig(Strict):
    """Which clips: a store, its official split, and how much of the training side is held out for validation."""

    store: str = "synthetic"  # a name that skelray.data.locate knows, or a path to an .arrow file
    split: str = "xsub"
    val_subjects: int = Field(2, ge=1)  # at least so many, and at least 10 % of the clips


class EvaluateConfig(Strict):
    """How a frozen encoder is measured. What is chosen here is chosen on validation clips."""

    protocols: tuple[Literal["linear", "knn"], ...] = ("linear", "knn")  # at each report
    linear: LinearConfig = LinearConfig()
    knn: KnnConfig = KnnConfig()

    @field_validator("protocols")
    @classmethod
    def some_protocol(cls, protocols: tuple[str, ...]) -> tuple[str, ...]:
        if not protocols:
            raise ValueError("protocols must name linear, knn or both: a trial without a number is no trial")
        return protocols


def of_its_own_class(value: Any) -> Any:
    """{"name": "amr", "k": 0.1} -> AMRConfig(k=0.1); its mistakes are told with the keys that AMRConfig has."""
    if not isinstance(value, dict):
        return value
    if "name" not in value:
        raise ValueError(f"name is missing: one of {', '.join(methods.available())}")
    if value["name"] not in methods.available():
        hint = near(str(value["name"]), methods.available())
        raise ValueError(f"no method {value['name']!r}{hint} (there are {', '.join(methods.available())})")
    config = methods.load(value["name"]).Config
    try:
        return config(**value)
    except ValidationError as error:
        told = [
            InitErrorDetails(type=PydanticCustomError("value_error", text), loc=tuple(key.split(".")), input=value)
            for key, text in problems(error, config)
        ]
        raise ValidationError.from_exception_data(config.__name__, told) from None


class TrialConfig(Strict):
    """Everything that decides a trial's numbers; the checkpoint, the results and MLflow keep the same JSON."""

    data: DataConfig = DataConfig()
    method: Annotated[SerializeAsAny[MethodConfig], BeforeValidator(of_its_own_class)]
    optim: OptimConfig = OptimConfig()
    train: TrainConfig = TrainConfig(epochs=400)
    evaluate: EvaluateConfig = EvaluateConfig()
    seed: int = Field(0, ge=0)

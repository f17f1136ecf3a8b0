"""A trial's config as a closed document."""

import pytest
from pydantic import ValidationError

from skelray import methods
from skelray.schema import problems
from skelray.trial_config import TrialConfig

SMALL = {"frames": 48, "patch": 4, "width": 16, "depth": 1, "heads": 2}


def raw(method: str = "amr", **rest) -> dict:
    return {"method": {"name": method, "encoder": SMALL}, "train": {"clips": 1000, "batch": 768}, **rest}


def mistakes(document: dict) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        TrialConfig.model_validate(document)
    return dict(problems(caught.value, TrialConfig))


@pytest.mark.parametrize("name", methods.available())
def test_a_trial_survives_json_with_the_fields_of_its_own_method(name):
    config = TrialConfig.model_validate(raw(name))
    assert type(config.method) is methods.load(name).Config
    assert TrialConfig.model_validate_json(config.model_dump_json()) == config
    assert TrialConfig.model_validate(config.model_dump(mode="json")) == config
    assert config.model_dump(mode="json")["method"]["mask_ratio"] in (0.9, [0.5, 0.9])


def test_mistakes_are_told_with_their_dotted_key_and_the_nearest_key_of_that_method():
    document = raw(data={"stroe": "synthetic"}, optim={"lr": -1.0})
    document["method"] |= {"windos": [4], "encoder": {**SMALL, "widht": 3}}
    told = mistakes(document)
    assert '"windows"' in told["method.windos"]
    assert '"width"' in told["method.encoder.widht"]
    assert '"store"' in told["data.stroe"]
    assert "-1.0" in told["optim.lr"]


def test_a_method_nobody_has_is_told_with_the_nearest():
    assert 'did you mean "amr"' in mistakes({"method": {"name": "amrr"}})["method"]
    assert "skeletonmae" in mistakes({"method": {}})["method"]


def test_a_window_that_does_not_divide_the_frames_is_told_at_the_method():
    document = raw()
    document["method"]["windows"] = [5]
    (message,) = mistakes(document).values()
    assert "5" in message
    assert "48" in message


@pytest.mark.parametrize("grid", [[], [0.1, 0.1], [0.0], [-1.0, 0.1]])
def test_a_probe_grid_holds_different_rates_above_zero(grid):
    assert "lr" in next(iter(mistakes(raw(evaluate={"linear": {"lr": grid}}))))


def test_prototypes_that_a_batch_cannot_fill_are_refused_with_their_key():
    """43 for each of the two global views of a clip: what the published 65,536 are to 768 clips."""
    from skelray.sweep.layers import Unbuildable, build

    asked = {"train.clips": 4, "train.batch": 4, "method.prototypes": 345}
    with pytest.raises(Unbuildable, match="at most 43 each, so 344") as refused:
        build("slim", asked, 0)
    assert refused.value.key == "method.prototypes"
    assert build("slim", asked | {"method.prototypes": 344}, 0).method.prototypes == 344
    with pytest.raises(Unbuildable, match="so 172"):  # a piece of a batch is all that one loss sees
        build("slim", asked | {"method.prototypes": 344, "train.accumulate": 2}, 0)

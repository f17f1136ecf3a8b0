"""What names an encoder: folders, and a sweep by its results, whose best finalist no test figure chooses."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from shell import skelray
from tiny_trial import Heard, clips, one_thread, stored, tiny  # noqa: F401  # fixtures

from skelray import checkpoint, trial, weights
from skelray.errors import BadInput
from skelray.events import Ended, Event, Reported, Started
from skelray.results import Results
from skelray.sweep.places import Places
from skelray.trial_config import TrialConfig
from skelray.weights import named


def config(store: str, seed: int, lr: float = 1e-3) -> dict:
    return TrialConfig.model_validate(tiny(store=store, seed=seed, optim={"lr": lr})).model_dump(mode="json")


def told(key: str, kind: str, config: dict, state: str = "complete", **metrics: float) -> list[Event]:
    return [
        Started(trial=key, method="amr", kind=kind, seed=config["seed"], config=config, time=1.0),
        Reported(trial=key, clips=64, metrics=metrics, time=2.0),
        Ended(trial=key, state=state, time=3.0, seconds=2.0),
    ]


def trained(document: dict, place: Path) -> None:
    trial.run(TrialConfig.model_validate(document), folder=place, report=Heard())


@pytest.fixture
def results(stored, tmp_path) -> Results:  # noqa: F811
    """A sweep of two configurations: validation chose the first, the finals of the second are better on the test."""
    found = Results(tmp_path / "results/toy")
    found.create({"name": "toy", "spaces": ["amr"]}, {"id": "0", "data": {}})
    events = [
        *told("amr-000", "search", config(stored, 0), **{"val/linear": 0.8}),
        *told("amr-001", "search", config(stored, 0, 1e-2), **{"val/linear": 0.7}),
        *told("amr-000-seed-2", "final", config(stored, 2), **{"test/linear": 0.6}),
        *told("amr-000-seed-1", "final", config(stored, 1), **{"test/linear": 0.5}),
        *told("amr-001-seed-1", "final", config(stored, 1, 1e-2), **{"test/linear": 0.9}),
        *told("amr-floor-seed-1", "floor", config(stored, 1), **{"test/linear": 0.95}),
    ]
    found.write(events, "val/linear")
    found.write_best(config(stored, 0))
    return found


def test_a_sweep_is_the_first_seed_of_what_validation_chose(results, stored, tmp_path):  # noqa: F811
    place = Places.of("toy", tmp_path / "results").runs / "trials/amr-000-seed-1"
    assert named.kept(results.folder, "amr-000-seed-1") == place
    with pytest.raises(BadInput, match=r"the weights of amr-000-seed-1 are not kept at .*trials/amr-000-seed-1"):
        named.find(results.folder)
    trained(config(stored, 1), place)
    found = named.find(str(results.folder))
    assert (found.folder, found.results) == (place, results.folder)
    assert found.weights.origin.trial == config(stored, 1)

    out = tmp_path / "out.parquet"
    assert skelray("features", results.folder, stored, out) == 0
    (line,) = (results.folder / "test_ledger.jsonl").read_text().splitlines()  # where the sweep's openings stand
    assert json.loads(line)["who"] == "skelray features"
    manifest = json.loads(out.with_suffix(".json").read_text())
    assert manifest["encoder"]["trial"] == "amr-000-seed-1"
    assert manifest["test"]["ledger"] == "test_ledger.jsonl"
    assert pq.read_table(out).num_rows == 48


def test_a_sweep_without_finals_is_its_best_trial(results, stored, tmp_path):  # noqa: F811
    results.write(told("amr-000", "search", config(stored, 0), **{"val/linear": 0.8}), "val/linear")
    with pytest.raises(BadInput, match="the weights of amr-000 are not kept"):
        named.find(results.folder)
    results.write(told("amr-000", "search", config(stored, 0), state="failed"), "val/linear")
    with pytest.raises(BadInput, match="no complete trial of its best configuration"):
        named.find(results.folder)


def test_the_checkpoints_of_a_sweep_are_not_one_encoder(stored, tmp_path):  # noqa: F811
    trained(config(stored, 1), tmp_path / "runs/toy/trials/amr-000")
    with pytest.raises(BadInput, match=r"is a whole sweep; .* e\.g\. .*trials/amr-000$"):
        named.find(tmp_path / "runs/toy")


def test_the_sha256_of_a_trial_is_that_of_the_folder_it_is_exported_to(stored, tmp_path):  # noqa: F811
    trained(config(stored, 1), tmp_path / "trial")
    weights.export(tmp_path / "trial", tmp_path / "out")
    recorded = json.loads((tmp_path / "out/config.json").read_text())["sha256"]
    assert named.find(tmp_path / "trial").sha256 == named.find(tmp_path / "out").sha256 == recorded


def test_an_encoder_that_lacks_what_features_come_through_is_refused(stored, tmp_path):  # noqa: F811
    trained(config(stored, 1), tmp_path / "trial")
    found = weights.export(tmp_path / "trial", tmp_path / "out")
    said = json.loads((tmp_path / "out/config.json").read_text())
    state = {name: each for name, each in found.method.state_dict().items() if name.startswith("decoder.")}
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").mkdir()
    weights.folder.save_file(state, tmp_path / "out/model.safetensors")
    said |= {"parts": ["decoder"], "sha256": checkpoint.digest(tmp_path / "out/model.safetensors")}
    (tmp_path / "out/config.json").write_text(json.dumps(said))
    with pytest.raises(BadInput, match="holds no encoder, through which amr sees"):
        named.find(tmp_path / "out")


def test_what_is_told_of_the_data_must_make_sense(stored, tmp_path):  # noqa: F811
    trained(config(stored, 1), tmp_path / "trial")
    weights.export(tmp_path / "trial", tmp_path / "out")
    said = json.loads((tmp_path / "out/config.json").read_text())
    said["origin"]["data"] |= {"stream": "bones"}
    (tmp_path / "out/config.json").write_text(json.dumps(said))
    with pytest.raises(BadInput, match=r"data\.stream: .*not 'bones'"):
        named.data_of(named.find(tmp_path / "out").weights)

"""The models of a sweep's finalists in MLflow: logged once, whatever is cut, and never at the cost of the sweep."""

import warnings
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow import MlflowClient
from test_models import padded
from test_weights_named import config, told, trained
from test_weights_named import results as results
from tiny_trial import clips, one_thread, stored  # noqa: F401  # fixtures
from tracked_runs import TAGS, runs
from tracked_runs import fresh as fresh
from tracked_runs import uri as uri

from skelray import weights
from skelray.batch import test_view
from skelray.data import store
from skelray.data.loader import Pool, fixed
from skelray.evaluate.features import extract
from skelray.results import Results
from skelray.sweep import mlflow_runs, models, tracking
from skelray.weights import named


def test_the_finals_of_a_sweep_are_logged_once_with_their_card(results, uri, stored, tmp_path, monkeypatch):  # noqa: F811
    finals = [
        event
        for seed, accuracy in enumerate((0.5, 0.6, 0.7), 1)
        for event in told(f"amr-000-seed-{seed}", "final", config(stored, seed), **{"test/linear": accuracy})
    ]
    results.write([*told("amr-000", "search", config(stored, 0), **{"val/linear": 0.8}), *finals], "val/linear")
    trained(config(stored, 1), tmp_path / "runs/toy/trials/amr-000-seed-1")
    for _ in range(2):
        tracking.track(Results(results.folder), uri)
    client, run = MlflowClient(tracking_uri=uri), runs(uri)["amr-000-seed-1"]
    (logged,) = client.search_logged_models([run.info.experiment_id])
    assert (logged.name, str(logged.status), logged.source_run_id) == ("amr-000-seed-1", "READY", run.info.run_id)
    assert [each.model_id for each in run.outputs.model_outputs] == [logged.model_id]
    assert "| `test/linear` | 0.6000 | 0.3516 to 0.8484 | 3 |" in logged.tags["mlflow.note.content"]
    assert f'load_model("models:/{logged.model_id}")' in logged.tags["mlflow.note.content"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    loaded = mlflow.pyfunc.load_model(f"models:/{logged.model_id}")
    assert loaded.metadata.model_id == logged.model_id
    source = weights.export(tmp_path / "runs/toy/trials/amr-000-seed-1", tmp_path / "weights").method
    opened = store.open(Path(stored))
    known = extract(source.pretrained, fixed(Pool(opened), np.arange(opened.clips), test_view(12), 64)).features
    assert np.array_equal(loaded.predict(padded(stored, slice(None))), known.numpy())


def test_a_final_that_cannot_be_a_model_is_told_and_nothing_else_fails(results, tmp_path, stored):  # noqa: F811
    trained(config(stored, 1), tmp_path / "runs/toy/trials/amr-000-seed-1")
    Path(tmp_path / "runs/toy/models").touch()
    with pytest.warns(UserWarning, match="amr-000-seed-1 is no model in MLflow: .* cannot be made"):
        assert models.keep(results) == {}
    Path(tmp_path / "runs/toy/models").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(models.keep(results)) == ["amr-000-seed-1"]


def test_a_model_whose_logging_was_cut_is_finished_not_doubled(uri, stored, tmp_path, monkeypatch):  # noqa: F811
    trained(config(stored, 1), tmp_path / "trial")
    models.save(named.find(tmp_path / "trial").weights, tmp_path / "model")
    going = mlflow_runs.Runs(uri, "toy", TAGS)
    going.write(told("amr-000-seed-1", "final", config(stored, 1), **{"test/linear": 0.5}))
    for step in ("log_model_artifacts", "log_outputs", "finalize_logged_model"):
        with monkeypatch.context() as cut:
            cut.setattr(MlflowClient, step, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                models.log_model(going, "amr-000-seed-1", tmp_path / "model")
    known = models.log_model(going, "amr-000-seed-1", tmp_path / "model")
    assert models.log_model(going, "amr-000-seed-1", tmp_path / "model") == known
    client, run = MlflowClient(tracking_uri=uri), runs(uri)["amr-000-seed-1"]
    assert [each.model_id for each in client.search_logged_models([run.info.experiment_id])] == [known]
    assert [each.model_id for each in run.outputs.model_outputs] == [known]

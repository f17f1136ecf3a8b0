"""Encoders as MLflow models: a folder that `mlflow.pyfunc.load_model` reads, and the same logged with a final's run.

A model is its folder of weights and the name of the module that loads it, `skelray.features.served`: safetensors and
JSON, nothing that is run by being read.
"""

import re
import shutil
import tempfile
import warnings
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skelray import checkpoint, cost
from skelray.data import facts as store_facts
from skelray.data import locate, store
from skelray.errors import BadInput
from skelray.features.served import Encoder, _load_pyfunc
from skelray.report.tables import is_accuracy
from skelray.results import Results
from skelray.rng import generator
from skelray.statistics.intervals import Interval, student
from skelray.sweep.mlflow_runs import Runs, mannered
from skelray.weights import folder, model_card, named
from skelray.weights.folder import Weights
from skelray.weights.model_card import Facts, Figure, Recordings

LOADER = "skelray.features.served"
MLMODEL, CARD = "MLmodel", "README.md"
NOTE = 5000  # characters of a card that stand on the model's page in MLflow


def save(weights: Weights, out: Path, facts: Facts | None = None, *, force: bool = False) -> None:
    """Write an MLflow model: whole or not at all, and loaded once before it takes the name `out`.

    It holds the parts of the method that features come through. Raises BadInput when `out` exists (with `force`: when
    it is no MLflow model).
    """
    refuse_existing(out, force)
    method, skeleton = weights.method.eval(), weights.skeleton
    parts = folder.used(method, skeleton)
    buffers = {name: told for name, told in weights.buffers.items() if name.partition(".")[0] in parts}
    facts = (facts or Facts(data=recordings(weights))).model_copy(update={"encoding": encoding(weights)})
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise BadInput(f"{out} cannot be made: {error.strerror}") from None
    try:
        try:
            folder.write(Weights(method, skeleton, weights.origin, parts, buffers), place / "weights")
        except BadInput as error:
            raise BadInput(str(error).replace(str(place / "weights"), str(out))) from None
        written(place / "weights", place / "model", weights)
        (place / "model" / CARD).write_text(model_card.text(weights, facts), encoding="utf-8")
        folder.take_place(place / "model", out)
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def written(source: Path, target: Path, weights: Weights) -> None:
    """The MLflow model `target` of a folder of weights; it is loaded and gives the example's features again."""
    mannered()
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    skeleton, width = weights.skeleton, weights.method.cfg.encoder.width
    shown = example(weights)
    single = np.dtype(np.float32)
    mlflow.pyfunc.save_model(
        path=target,
        loader_module=LOADER,
        data_path=source,
        signature=ModelSignature(
            inputs=Schema([TensorSpec(single, (-1, -1, -1, len(skeleton.joints), skeleton.channels))]),
            outputs=Schema([TensorSpec(single, (-1, width))]),
        ),
        input_example=shown,
        pip_requirements=pinned(),
        model_config={"device": "cpu", "size": 64},
        metadata={"skelray": version("skelray"), "sha256": checkpoint.digest(source / folder.MODEL)},
    )
    loaded = _load_pyfunc(str(target / "data" / source.name))
    if not np.array_equal(loaded.predict(shown), Encoder(weights).features(shown)):
        raise BadInput(f"{target} does not give the features of the weights that it was made from")


def example(weights: Weights) -> NDArray[np.float32]:
    """A clip of one made-up body, whose joints tremble where they stand."""
    import torch

    shape = (1, weights.method.cfg.encoder.frames, 1, len(weights.skeleton.joints), weights.skeleton.channels)
    found: NDArray[np.float32] = torch.randn(shape, generator=generator(0, "example")).mul(0.1).numpy()
    return found.round(3)


def pinned() -> list[str]:
    """skelray and what it depends on, each in the version that is here."""
    names = [text for text in requires("skelray") or [] if "extra ==" not in text]
    found = [f"skelray=={version('skelray')}"]
    for text in names:
        name = re.match(r"[\w.-]+(\[[\w,. -]+\])?", text)
        if name:
            bare = name[0].partition("[")[0]
            found.append(f"{name[0]}=={version(bare).partition('+')[0]}")
    return sorted(found)


def refuse_existing(out: Path, force: bool) -> None:
    """Raise BadInput unless `out` is free, or with `force` an MLflow model."""
    if not (out.exists() or out.is_symlink()):
        return
    if not force:
        raise BadInput(f"{out} exists; choose another name, or replace it with --force")
    if out.is_symlink() or not (out / MLMODEL).is_file():
        raise BadInput(f"{out} is no MLflow model, so --force does not replace it")


def encoding(weights: Weights) -> float:
    """FLOPs of the features of one body, counted as `skelray.cost` does."""
    import torch

    method, skeleton = weights.method, weights.skeleton
    body = torch.zeros(1, method.cfg.encoder.frames, len(skeleton.joints), skeleton.channels)
    with cost.Watch(method) as watched:
        method.pretrained(body.to(next(method.parameters()).device))
    return watched.gflops() * 1e9


def recordings(weights: Weights) -> Recordings | None:
    """What the store that weights were trained on says of itself; None where it is gone or another by now."""
    data = weights.origin.data
    try:
        opened = store.open(locate.find(str(data["store"]))) if data else None
    except BadInput:
        return None
    if opened is None or opened.fingerprint != weights.origin.fingerprint:
        return None
    said = store_facts.aside(opened)
    return Recordings(
        name=opened.name,
        fingerprint=opened.fingerprint,
        licence=said["licence"],
        units=said["units"],
        transforms=opened.transforms,
    )


def figures(results: Results, trial: str) -> tuple[Figure, ...]:
    """The test of a final's configuration: means over its seeds with 95 % intervals, where there are enough."""
    table = results.finals()
    same = table["trial"].str.rpartition("-seed-")[0] == trial.rpartition("-seed-")[0]
    runs = table[same & (table["kind"] == "final") & (table["state"] == "complete")]
    found = []
    for metric in (name for name in runs.columns if name.startswith("test/") and not name.startswith("test/clips")):
        values = [float(value) for value in runs[metric].dropna()]
        if not values:
            continue
        bounds = student(values, shares=is_accuracy(metric))
        about = {"metric": metric, "mean": float(np.mean(values)), "seeds": len(values)}
        if isinstance(bounds, Interval):
            found.append(Figure(**about, low=bounds.low, high=bounds.high))
        else:
            found.append(Figure(**about, note=bounds.why))
    return tuple(found)


def facts_of(results: Results, trial: str, weights: Weights) -> Facts:
    """Everything that the card of a final can say."""
    table = results.finals()
    mine = table[table["trial"] == trial]
    seconds, flops = ([float(value) for value in mine[name].dropna()] for name in ("seconds", "flops"))
    return Facts(
        sweep=results.folder.resolve().name,
        trial=trial,
        figures=figures(results, trial),
        seconds=seconds[0] if seconds else None,
        flops=flops[0] if flops else None,
        data=recordings(weights),
    )


def keep(results: Results) -> dict[str, Path]:
    """Make the model of every final whose weights are kept, in runs/NAME/models/TRIAL, unless it is there.

    What cannot be made is told by a warning: a sweep that has its numbers does not fail for it.
    """
    table, found = results.finals(), dict[str, Path]()
    for trial in table.loc[(table["kind"] == "final") & (table["state"] == "complete"), "trial"]:
        source = named.kept(results.folder, trial)
        place = source.parent.parent / "models" / trial
        if not (place / MLMODEL).exists():
            if not checkpoint.steps(source):
                continue
            try:
                weights = named.find(source).weights
                save(weights, place, facts_of(results, trial, weights))
            except BadInput as error:
                warnings.warn(f"{trial} is no model in MLflow: {error}", stacklevel=2)
                continue
        found[trial] = place
    return found


def log_model(runs: Runs, trial: str, model: Path) -> str:
    """Log a model folder with the run of a final, once however often it is called; returns MLflow's id of the model."""
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    client, experiment, run = runs.at(trial)
    known = client.search_logged_models([experiment], f"source_run_id = '{run}' AND name = '{trial}'")
    told: Any = known[0] if known else None
    if told is None:
        tags = {**runs.tags, "skelray.trial": trial}
        told = client.create_logged_model(experiment, name=trial, source_run_id=run, model_type="encoder", tags=tags)
    identity = str(told.model_id)
    if str(told.status) == "READY":
        return identity
    note = model_card.note((model / CARD).read_text(encoding="utf-8"), f"models:/{identity}")
    client.set_logged_model_tags(identity, {"mlflow.note.content": note[:NOTE]})
    client.log_model_artifacts(identity, str(model))
    with tempfile.TemporaryDirectory() as scratch:  # the same description, which now knows its own name
        said = Model.load(str(model))
        said.model_id, said.model_uuid, said.run_id = identity, identity, run
        said.artifact_path = told.artifact_location
        said.save(str(Path(scratch) / MLMODEL))
        client.log_model_artifact(identity, str(Path(scratch) / MLMODEL))
    outputs = client.get_run(run).outputs
    if identity not in [each.model_id for each in (outputs.model_outputs if outputs else [])]:
        client.log_outputs(run, [LoggedModelOutput(identity, step=0)])
    client.finalize_logged_model(identity, "READY")
    return identity

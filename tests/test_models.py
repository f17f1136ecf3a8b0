"""Encoders as MLflow models: the features of skelray, no pickle, one clear error; logged once, with their card."""

import shutil
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pytest
import yaml
from mlflow.exceptions import MlflowException
from shell import skelray
from test_weights_named import config, trained
from test_weights_named import results as results
from test_weights_named import told as final
from tiny_trial import clips, one_thread, stored  # noqa: F401  # fixtures
from tracked_runs import fresh as fresh
from tracked_runs import uri as uri

from skelray import weights
from skelray.batch import test_view
from skelray.data import store
from skelray.data.loader import Pool, fixed
from skelray.errors import BadInput
from skelray.evaluate.features import extract
from skelray.results import Results
from skelray.sweep import models
from skelray.weights import folder, named
from skelray.weights.model_card import Facts, Figure, Recordings


@pytest.fixture(scope="module")
def exported(stored, tmp_path_factory) -> Path:  # noqa: F811
    """A folder of weights of a trial."""
    place = tmp_path_factory.mktemp("encoder")
    trained(config(stored, 1), place / "trial")
    weights.export(place / "trial", place / "weights")
    return place / "weights"


@pytest.fixture(scope="module")
def model(exported, tmp_path_factory) -> Path:
    """The same as an MLflow model, by the command."""
    place = tmp_path_factory.mktemp("mlflow") / "model"
    assert skelray("weights", "model", exported, place) == 0
    return place


def padded(path: str, which: slice) -> np.ndarray:
    """Clips of a store as objects in one array: each as long as it is, with room for two bodies."""
    opened = store.open(Path(path))
    found = np.empty(len(range(*which.indices(opened.clips))), dtype=object)
    for place, clip in enumerate(range(*which.indices(opened.clips))):
        joints = np.moveaxis(opened.joints(clip), 0, 1)  # frames, bodies, joints, coordinates
        found[place] = np.zeros((len(joints), 2, *joints.shape[2:]), np.float32)
        found[place][:, : joints.shape[1]] = joints
    return found


def expected(exported: Path, path: str) -> np.ndarray:
    method, opened = weights.load(exported), store.open(Path(path))
    batches = fixed(Pool(opened), np.arange(opened.clips), test_view(method.cfg.encoder.frames), 64)
    return extract(method.pretrained, batches).features.numpy()


def test_a_model_gives_the_features_of_skelray_bit_for_bit(exported, model, stored):  # noqa: F811
    loaded = mlflow.pyfunc.load_model(str(model))
    found = loaded.predict(padded(stored, slice(None)))
    assert found.dtype == np.float32
    assert np.array_equal(found, expected(exported, stored))
    one_by_one = np.concatenate([loaded.predict(clip[None]) for clip in padded(stored, slice(12))])
    assert np.allclose(one_by_one, found[:12], atol=1e-5)  # other clips beside it: the same but for rounding


def test_frames_are_stretched_and_absent_bodies_do_not_count(model):
    loaded = mlflow.pyfunc.load_model(str(model))
    still = np.ones((2, 1, 1, 5, 3), np.float32)
    still[1] *= 2
    known = loaded.predict(still)
    assert known.shape == (2, 16)
    for frames, bodies, place in ((200, 1, 0), (7, 3, 2)):
        more = np.zeros((2, frames, bodies, 5, 3), np.float32)
        more[:, :, place] = still[:, :, 0]
        assert np.allclose(loaded.predict(more), known, atol=1e-5)
    both = np.concatenate([still[:1], still[1:]], axis=2)  # two bodies: the mean of what each gives
    assert np.allclose(loaded.predict(both), known.mean(0), atol=1e-5)
    assert loaded.predict(np.zeros((0, 9, 1, 5, 3), np.float32)).shape == (0, 16)


def test_the_signature_and_the_example_say_what_goes_in(model):
    loaded = mlflow.pyfunc.load_model(str(model))
    (given,), (made,) = loaded.metadata.signature.inputs.inputs, loaded.metadata.signature.outputs.inputs
    assert (given.shape, given.type) == ((-1, -1, -1, 5, 3), np.float32)
    assert (made.shape, made.type) == ((-1, 16), np.float32)
    assert loaded.predict(loaded.input_example).shape == (1, 16)


def test_nothing_in_a_model_is_a_pickle_and_its_requirements_are_pinned(exported, model):
    files = [path for path in model.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {"", ".txt", ".yaml", ".json", ".md", ".safetensors"}
    heads = [path.read_bytes()[:2] for path in files]
    assert not [head for head in heads if head[:1] == b"\x80" or head == b"PK"]
    assert [path.name for path in files if path.suffix == ".safetensors"] == ["model.safetensors"]
    said = yaml.safe_load((model / "MLmodel").read_text())
    assert said["metadata"]["sha256"] == named.find(exported).encoder_sha256 != named.find(exported).sha256
    assert said["flavors"]["python_function"]["loader_module"] == "skelray.features.served"
    lines = (model / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in lines)
    assert {line.partition("==")[0] for line in lines} >= {"skelray", "torch", "safetensors", "mlflow"}
    tensors = folder.load_file(model / "data/weights/model.safetensors")
    assert {key.partition(".")[0] for key in tensors} == {"encoder"}


def spoilt(value: float, *place: int) -> np.ndarray:
    bad = np.ones((2, 9, 1, 5, 3), np.float32)
    bad[place] = value
    return bad


def ragged(*shapes: tuple[int, ...]) -> np.ndarray:
    found = np.empty(len(shapes), dtype=object)
    found[:] = [np.ones(shape, np.float32) for shape in shapes]
    return found


NINE = (9, 1, 5, 3)


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        (spoilt(np.nan, 1, 4, 0, 2, 1), BadInput, r"clip 1 is not finite at frame 4, body 0, joint 2 \(hand_left\)"),
        (spoilt(np.inf, 0, 0, 0, 4, 0), BadInput, r"clip 0 is not finite at frame 0, body 0, joint 4 \(head\)"),
        (spoilt(0, 1), BadInput, "clip 1 has nobody in it"),
        (np.ones((2, 9, 1, 4, 3), np.float32), MlflowException, "does not match expected shape"),
        (ragged(NINE, (9, 1, 4, 3)), BadInput, "clip 1 has 4 joints of 3 coordinates; .* 5 of 3"),
        (ragged(NINE, (9, 5, 3)), BadInput, r"clip 1 is no array \(frames, .* shape \(9, 5, 3\)"),
        (ragged((0, 1, 5, 3), NINE), BadInput, "clip 0 has no frames"),
    ],
)  # fmt: skip
def test_what_cannot_be_encoded_is_told_in_one_sentence(given, kind, said, model):
    with pytest.raises(kind, match=said):
        mlflow.pyfunc.load_model(str(model)).predict(given)


def test_tampered_weights_are_not_loaded(model, tmp_path):
    altered = shutil.copytree(model, tmp_path / "model")
    file = altered / "data/weights/model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(BadInput, match="is torn or altered"):
        mlflow.pyfunc.load_model(str(altered))


def test_a_bone_encoder_makes_its_bones_itself(exported, stored, tmp_path):  # noqa: F811
    found = folder.read(exported)
    data = found.origin.data | {"stream": "bone"}
    found = weights.Weights(found.method, found.skeleton, found.origin.model_copy(update={"data": data}), found.parts)
    models.save(found, tmp_path / "model")
    opened = store.open(Path(stored))
    batches = fixed(Pool(opened, stream="bone"), np.arange(opened.clips), test_view(12), 64)
    known = extract(found.method.pretrained, batches).features.numpy()
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert np.array_equal(loaded.predict(padded(stored, slice(None))), known)


def test_the_card_tells_data_figures_with_intervals_cost_licence_and_limits(exported, tmp_path):
    facts = Facts(
        sweep="toy",
        trial="amr-000-seed-1",
        figures=(
            Figure(metric="test/linear", mean=0.75, seeds=5, low=0.71, high=0.79),
            Figure(metric="test/knn", mean=0.6, note="one seed is too few to say"),
        ),
        seconds=1234.5,
        flops=2.5e12,
        data=Recordings(
            name="tiny", fingerprint="f" * 64, licence="for research", units="metres", transforms=("turned",)
        ),
    )  # fmt: skip
    models.save(folder.read(exported), tmp_path / "model", facts)
    card = (tmp_path / "model/README.md").read_text()
    for words in (
        "| `test/linear` | 0.7500 | 0.7100 to 0.7900 | 5 |",
        "| `test/knn` | 0.6000 | one seed is too few to say | 1 |",
        f"fingerprint of the data | `{folder.read(exported).origin.fingerprint}`",
        "64 clips seen in training; 2,500 GFLOPs for training, forward and backward; 1,234 seconds",
        # 15 tokens of 12 numbers, width 16, one block of one attention and a hidden layer four times as wide
        f"{15 * 2 * (12 * 16 + 4 * 16 * 16 + 2 * 15 * 16 + 2 * 16 * 64) / 1e9:.3g} GFLOPs for the features of one body",
        "Of the recordings: for research.",
        "prepared as those of the training were (turned)",
        "hip, chest, hand_left",
        "## Intended use",
        "## Limits",
    ):
        assert words in card
    models.save(folder.read(exported), tmp_path / "alone")
    card = (tmp_path / "alone/README.md").read_text()
    assert "| one run | 1 |" in card
    assert "GFLOPs for the features of one body" in card
    assert "for training" not in card
    assert "train/loss" not in card
    assert "linear_lr" not in card
    assert "Of the recordings: not known." in card


def test_a_folder_that_is_no_model_is_not_replaced(exported, model, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").touch()
    assert skelray("weights", "model", exported, out) == 2
    assert "out exists; choose another name" in capsys.readouterr().err
    assert skelray("weights", "model", exported, out, "--force") == 2
    assert "no MLflow model" in capsys.readouterr().err
    again = shutil.copytree(model, tmp_path / "again")
    (again / "more").touch()
    assert skelray("weights", "model", exported, again, "--force") == 0
    assert not (again / "more").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "out"]


def test_intervals_of_what_is_no_share_of_clips_reach_beyond_one(stored, tmp_path):  # noqa: F811
    told = Results(tmp_path / "results/toy")
    told.create({"name": "toy", "spaces": ["amr"]}, {"id": "0", "data": {}})
    tests = {"test/linear": 0.99, "test/generation_mpjpe_mm": 86.0}
    events = [
        event
        for seed in (1, 2, 3)
        for event in final(f"amr-000-seed-{seed}", "final", config(stored, seed), **{
            name: value * (1 + (seed - 2) / 100) for name, value in tests.items()
        })
    ]  # fmt: skip
    told.write(events, "val/linear")
    found = {each.metric: each for each in models.figures(told, "amr-000-seed-1")}
    assert (found["test/generation_mpjpe_mm"].low, found["test/generation_mpjpe_mm"].high) == pytest.approx(
        (86 - 2.1363, 86 + 2.1363), abs=1e-3
    )
    assert found["test/linear"].high == 1.0

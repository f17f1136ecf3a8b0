"""What the driver refuses before anything is made, and what it hands on. No Ray."""

import json

import pytest
from conftest import REPOSITORY
from small_plan import make_plan

from skelray.errors import BadInput
from skelray.sweep import driver
from skelray.sweep.places import Places
from skelray.sweep.preflight import Machine


@pytest.fixture(autouse=True)
def stores(synthetic_stores, monkeypatch):
    monkeypatch.setenv("SKELRAY_STORES", str(synthetic_stores))


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["resources.workers=4096"], "4096 worker(s)"),
        (["resources.gpus=99"], "resources.gpus"),
        (["data.store=nowhere"], "nowhere"),
        (["trian.clips=3"], "did you mean"),
        (["method.mask_ratio=many"], "mask_ratio"),
        (["data.split=foo"], 'cannot be split by "foo"'),
        (["data.val_subjects=500"], "cannot hold out 500"),
        (["train.batch=100000"], "do not fit into an epoch"),
        (["final.protocols=[linear, generation]"], "final.protocols: amr cannot be measured by generation"),
        (["final.protocols=[generation]"], "final.protocols: amr cannot be measured by generation"),
        (["final.protocols=[linaer]"], 'did you mean "linear"'),
        (["resources.workers=4095", "train.batch=64"], "4095 worker(s)"),  # the cores first, the batch second
    ],
)
def test_bad_input_is_refused_before_anything_is_made(tmp_path, monkeypatch, sets, told):
    monkeypatch.chdir(tmp_path)
    small = ["data.store=synthetic-small"] if not sets[0].startswith("data.store") else []
    with pytest.raises(BadInput) as caught:
        driver.sweep(REPOSITORY / "search_spaces/amr.yaml", sets=[*small, *sets])
    assert told in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1", "ray://127.0.0.1:10001", "127.0.0.1:123456"])
def test_an_address_where_no_cluster_is_is_refused_before_anything_is_made(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="--address"):
        driver.sweep(REPOSITORY / "search_spaces/amr.yaml", sets=["data.store=synthetic-small"], address=address)
    assert not list(tmp_path.iterdir())


def test_a_tracking_uri_that_does_not_answer_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="--tracking-uri"):
        driver.sweep(
            REPOSITORY / "search_spaces/amr.yaml", sets=["data.store=synthetic-small"],
            tracking_uri="http://127.0.0.1:9",
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_the_payload_is_plain_json_with_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {"store": "x", "fingerprint": "f", "classes": ["wave"]}
    payload = driver._payload(make_plan(), Places.of("one", tmp_path / "results"), data, {"amr": ["linear"]})
    assert json.loads(json.dumps(payload)) == payload
    assert all(payload[key].startswith("/") for key in ("directory", "trials", "ray", "ledger"))


def test_a_searched_batch_is_held_against_the_data_and_the_workers_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    batches = "method: mamp\nbase: {{train: {{batch: 64}}}}\nsearch: {{train.batch: {{kind: choice, values: {}}}}}\n"
    common = {"under": REPOSITORY / "sweeps/quick.yaml", "tracking_uri": "none"}
    (tmp_path / "space.yaml").write_text(batches.format([64, 100000]))
    with pytest.raises(BadInput, match="do not fit into an epoch"):
        driver.sweep(tmp_path / "space.yaml", sets=["data.store=synthetic-small"], **common)
    (tmp_path / "space.yaml").write_text(batches.format([64, 63]))
    two = ["data.store=synthetic-small", "resources.workers=2"]
    monkeypatch.setattr("skelray.sweep.preflight.here", lambda: Machine(2, 0, 16 << 30))
    with pytest.raises(BadInput, match="equal pieces"):
        driver.sweep(tmp_path / "space.yaml", sets=two, **common)


def test_the_recorded_command_holds_no_password(monkeypatch):
    monkeypatch.setattr("sys.argv", ["sweep", "a.yaml", "--storage", "postgresql://me:secret@host/db", "--name", "x"])
    command = driver._environment({"store": "x"})["command"]
    assert "secret" not in command
    assert "postgresql://me:***@host/db" in command

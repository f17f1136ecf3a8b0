"""What the joints of a store cannot serve is refused before a sweep starts, with the key that would have to change."""

import numpy as np
import pytest
from conftest import REPOSITORY

from skelray import methods
from skelray.data import store
from skelray.data.clip import Clip
from skelray.errors import BadInput
from skelray.skeletons import Skeleton, layout
from skelray.sweep import config, driver
from skelray.sweep.preflight import refuse_other_bodies

KINECT = layout("kinect20")
LAYOUTS = {
    "kinect": KINECT,
    "mine": Skeleton(name="mine", joints=("a", "b", "c"), parents=(0, 0, 1)),  # neither mirror pairs nor parts
    "dot": Skeleton(name="dot", joints=("a",), parents=(0,)),
    "flat": Skeleton(**KINECT.model_dump() | {"name": "flat", "channels": 2}),
}


def stored(name, folder):
    """Two clips of two frames, one body to train on and two to test."""
    shape = 2, len(LAYOUTS[name].joints), LAYOUTS[name].channels
    clips = [Clip(f"{n}", np.ones((n, *shape), np.float32), 0, subject=n, sides={"xsub": n - 1}) for n in (1, 2)]
    store.write(folder / f"{name}.arrow", clips, LAYOUTS[name], name, ("walk",))
    return store.open(folder / f"{name}.arrow")


def plan(method, *sets):
    return config.load(REPOSITORY / f"search_spaces/{method}.yaml", sets=sets)


@pytest.mark.parametrize(
    ("method", "body", "sets", "told"),
    [
        ("sjepa", "kinect", ["method.trunk=[spine, hed]"], 'method.trunk: no joint .hed. in .*did you mean "head"'),
        ("sjepa", "mine", [], "sjepa on mine: method.flip: 0 is due: the layout .mine. does not tell left from right"),
        ("sjepa", "flat", ["method.flip=0"], "method.rotation: 0 is due"),
        ("slim", "dot", [], "method.origin: origin 1 is no joint"),
        ("macdiff", "flat", ["method.standard=published"], "method.standard: the published"),
    ],
)
def test_what_a_layout_cannot_serve_is_refused_with_its_key(method, body, sets, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        refuse_other_bodies(plan(method, *sets), stored(body, tmp_path))


def test_an_end_of_the_search_is_asked_too(tmp_path):
    space = "method: slim\nbase: {method: {prototypes: 8}}\npoints: []\nsearch:\n"
    space += "  method.origin: {kind: choice, values: [1, 77]}\n"
    (tmp_path / "slim.yaml").write_text(space)
    found = config.load(tmp_path / "slim.yaml", REPOSITORY / "sweeps/quick.yaml")
    with pytest.raises(BadInput, match=r"method.origin = 77: method.origin: origin 77 is no joint"):
        refuse_other_bodies(found, stored("kinect", tmp_path))


@pytest.mark.parametrize("method", methods.available())
def test_every_method_can_be_had_for_every_layout(method, tmp_path):
    refuse_other_bodies(plan(method), stored("kinect", tmp_path))  # at every end of its search; below at its points
    sets = ["method.flip=0", "method.rotation=0"] if method == "sjepa" else []
    sets += ["method.origin=0"] if method == "slim" else []
    for body in ("mine", "dot", "flat"):
        refuse_other_bodies(plan(method, *sets, "only_points=true"), stored(body, tmp_path))


def test_a_sweep_is_refused_before_anything_is_made(synthetic_stores, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKELRAY_STORES", str(synthetic_stores))
    with pytest.raises(BadInput, match=r"sjepa on synthetic-small: method.trunk: no joint 'nose'"):
        driver.sweep(
            REPOSITORY / "search_spaces/sjepa.yaml",
            sets=["data.store=synthetic-small", "method.trunk=[nose, head]"],
            tracking_uri="none",
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["macdiff", "umd"])
def test_more_diffusion_steps_than_a_memory_holds_are_refused(method):
    with pytest.raises(BadInput, match=r"method.diffusion_steps: .*less than or equal to 100000"):
        plan(method, "method.diffusion_steps=100000000000")

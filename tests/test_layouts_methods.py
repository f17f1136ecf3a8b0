"""Every method learns from bodies of every layout, flat or not, named or a user's own, through its own views."""

import numpy as np
import pytest
import torch
from cases import build

from skelray import methods
from skelray.batch import test_view
from skelray.data import store
from skelray.data.clip import Clip
from skelray.data.loader import Loader, Pool, fixed
from skelray.errors import BadInput
from skelray.skeletons import Skeleton, layout, layouts

OWN = {
    "snake7": Skeleton(name="snake7", joints=tuple("abcdefg"), parents=(0, 0, 1, 2, 3, 4, 5)),
    "flat7": Skeleton(name="flat7", joints=tuple("abcdefg"), parents=(3, 0, 1, 3, 3, 4, 5), channels=2),
}
BODIES = [*layouts(), "coco17 in 3D", *OWN]
# What a method says that it cannot do with a body, and the setting that it names.
ASKED = {
    ("sjepa", "flat"): ("method.rotation: 0 is due: a turn about the trunk needs three coordinates, not 2", "rotation"),
    ("sjepa", "sideless"): ("method.flip: 0 is due: the layout '.*' does not tell left from right", "flip"),
}


def body_of(name: str) -> Skeleton:
    if name == "coco17 in 3D":
        return layout("coco17").model_copy(update={"channels": 3})
    return OWN.get(name) or layout(name)


def stored(body: Skeleton, folder) -> store.Store:
    """Four wandering clips of one and two bodies; in one a body is missing for a while."""
    draw = np.random.default_rng(0)
    clips = []
    for n in range(4):
        shape = 1 + n % 2, 11 + n, len(body.joints), body.channels
        joints = draw.normal(0, 0.1, shape).cumsum(1).astype(np.float32)
        joints[0, 4:6] = 0 if n == 3 else joints[0, 4:6]
        clips.append(Clip(f"{n}", joints, 0, subject=n))
    store.write(folder / "a.arrow", clips, body, "a", ("walk",))
    return store.open(folder / "a.arrow")


@pytest.fixture(scope="module")
def pools(tmp_path_factory):
    return {name: Pool(stored(body_of(name), tmp_path_factory.mktemp("bodies"))) for name in BODIES}


def served(name: str, body: Skeleton):
    """The method for a body, after whatever it refuses was set to nought as it asks."""
    settings = {}
    kinds = {"flat": body.channels == 2, "sideless": not body.mirror}
    for (method, kind), (told, field) in ASKED.items():
        if name == method and kinds[kind]:
            with pytest.raises(BadInput, match=told):
                build(name, body, **settings)
            settings[field] = 0
    return build(name, body, **settings)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("method", methods.available())
def test_a_method_learns_from_a_body(method, name, pools):
    pool, body = pools[name], body_of(name)
    learner = served(method, body)
    source = Loader(pool, np.arange(4), learner.cfg.views, seed=0)
    learner.begin(source)
    batch = source.batch(0, 4)
    assert all(view.shape[-2:] == (len(body.joints), body.channels) for view in batch.views)
    losses = learner(batch)
    assert losses["loss"].isfinite()
    losses["loss"].backward()
    slopes = [each.grad for each in learner.parameters() if each.grad is not None]
    assert all(slope.isfinite().all() for slope in slopes)
    assert any(slope.any() for slope in slopes)
    learner.eval()
    (whole,) = fixed(pool, np.arange(4), test_view(learner.cfg.encoder.frames), 4)
    with torch.no_grad():
        tokens = learner.pretrained(whole.counted())
    assert tokens.shape[0] == 6
    assert tokens.isfinite().all()

"""Pictures of clips and masks: every bone once, hidden joints as the mask has them, a page that needs nothing else."""

import re

import numpy as np
import pytest
from pictures import clips as clips
from pictures import read, standing

from skelray.errors import BadInput
from skelray.show import clip, gif, mask, page, source, upright
from skelray.show.scene import sides
from skelray.skeletons import Skeleton

MASK = {"frames": 12, "patch": 3, "ratio": 0.6, "tau": 0.8, "seed": 0}


def test_every_bone_of_every_body_is_drawn_once(clips):
    (panel,) = read(page.text(clip.scene(clips, 1)))
    bones = len(clips.skeleton.bones)
    assert (len(panel.lines), len(panel.circles)) == (2 * bones, 2 * 5)
    circles = np.array([[float(each["cx"]), float(each["cy"])] for each in panel.circles]).reshape(2, 5, 2)
    ends = np.array([[[float(each[f"{axis}{end}"]) for axis in "xy"] for end in "12"] for each in panel.lines])
    for body in range(2):
        for number, (joint, parent) in enumerate(clips.skeleton.bones):
            assert np.array_equal(ends[body * bones + number], circles[body, [joint, parent]])


def test_bones_have_the_colour_of_their_side(clips):
    panel = read(page.text(clip.scene(clips, 0)))[0]
    assert sides(clips.skeleton) == ["middle", "middle", "left", "right", "middle"]
    assert [each["class"] for each in panel.lines] == ["middle", "left", "right", "middle"]  # chest, hands, head


def test_a_body_stands_upright_and_its_left_hand_is_at_the_right_when_it_faces_the_viewer(clips):
    panel = read(page.text(clip.scene(clips, 0)))[0]
    x, y = (np.array([float(each[axis]) for each in panel.circles]) for axis in ("cx", "cy"))
    hip, _, left, right, head = range(5)
    assert y[head] < y[hip]  # the y of SVG points down
    assert x[left] > x[right]


@pytest.mark.parametrize(("axis", "sign"), [(0, 1), (1, 1), (1, -1), (2, 1), (2, -1)])
def test_up_is_found_whatever_axis_it_is(axis, sign, five_joints):
    pose = np.roll(standing(1, 0), axis - 1, -1)
    pose[..., axis] *= sign
    up = upright.of_joints(pose, five_joints)
    assert up == (axis, sign)
    seen = upright.seen(pose, up)
    assert seen[0, 4, 1] > seen[0, 0, 1] + 0.5
    lengths = [np.linalg.norm(each[0, 4] - each[0, 0]) for each in (pose, seen)]
    assert lengths[0] == pytest.approx(lengths[1])


def test_the_view_is_no_mirror_image():
    """Right x up = towards the viewer, for every axis that may be up: handedness is kept."""
    for up in [upright.Up(axis, sign) for axis in range(3) for sign in (1, -1)]:
        right, above, away = upright.seen(np.eye(3), up).T
        np.testing.assert_allclose(np.cross(right, above), -away, atol=1e-12)


def test_flat_data_lie_in_a_plane(five_joints):
    flat = standing(1, 0)[..., :2]
    seen = upright.seen(flat, upright.of_joints(flat, five_joints))
    assert np.array_equal(seen[..., :2], flat)
    assert not seen[..., 2].any()


def test_the_script_is_told_every_frame_to_the_millimetre(clips):
    drawn = clip.scene(clips, 1)
    (panel,) = read(page.text(drawn))
    assert np.abs(panel.places - drawn.panels[0].joints.reshape(-1, 3)).max() <= 0.5001e-3


def test_hidden_joints_are_those_of_the_mask(clips):
    x = source.resampled(clips, 1, 12)
    panels = read(page.text(mask.scene(clips, 1, **MASK)))
    ways = mask.strategies(clips.skeleton, 3, 0.6, 0.8)
    assert len(panels) == len(ways) == 5
    for panel, (_, way) in zip(panels, ways.values(), strict=True):
        hidden = way(x, source.chance(0)).unflatten(1, (4, 5)).repeat_interleave(3, 1).numpy()  # M T V
        assert np.array_equal(panel.hidden, hidden.flatten())
        assert ["hidden" in each["class"].split() for each in panel.circles] == hidden[:, 0].flatten().tolist()
        grey = [bool(hidden[body, 0, list(bone)].any()) for body in range(2) for bone in clips.skeleton.bones]
        assert ["hidden" in each["class"].split() for each in panel.lines] == grey


def test_the_grid_colours_each_visible_cell_once(clips):
    drawn = mask.scene(clips, 1, **MASK)
    text = page.text(drawn)
    grids = re.findall(r'<svg class="grid".*?</svg>', text, re.DOTALL)
    visible = [int((~body).sum()) for panel in drawn.panels for body in panel.grid]
    assert [grid.count("M") - 1 for grid in grids] == visible  # one M belongs to the mark at the frame shown


def test_each_strategy_does_what_its_name_says(clips):
    drawn = {panel.title: panel.grid for panel in mask.scene(clips, 0, **MASK).panels}
    whole = drawn["Whole joints"][0]
    assert (whole == whole[0]).all()
    assert whole[0].sum() == 3
    parts = drawn["Whole body parts"][0]
    assert parts[0, 0] == parts[0, 1] == parts[0, 4]  # the trunk
    assert drawn["Uniform"].sum() == drawn["Motion-aware"].sum() == 12


def test_pages_repeat_by_seed(clips):
    first, again, other = (page.text(mask.scene(clips, 0, **MASK | {"seed": seed})) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_page_needs_nothing_from_outside(clips):
    text = page.text(mask.scene(clips, 1, **MASK))
    assert not re.search(r"\w+://|[\"'(=\s]//|\b(src|href)\s*=|url\(|@import|\bfetch\(|XMLHttp", text)
    assert "default-src 'none'" in text
    assert not re.search(r"@\w+@", text)


def test_names_from_the_data_cannot_become_markup(clips):
    text = page.text(clip.scene(clips, 0))
    assert "clip&lt;0&gt;" in text
    assert "clip<0>" not in text


def test_who_cannot_see_the_picture_is_told_what_it_shows(clips):
    (panel,) = read(page.text(clip.scene(clips, 1)))
    assert panel.told == "Animated skeleton, clip 1 of five & more: pick up, subject 1, 2 bodies, 10 frames"


def test_a_gif_moves_and_repeats(clips, tmp_path):
    from PIL import Image

    drawn = mask.scene(clips, 1, **MASK)
    for name in ("one", "two"):
        gif.write(drawn, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with Image.open(tmp_path / "one") as picture:
        assert picture.n_frames > 1
        first = np.asarray(picture.convert("RGB"))
        picture.seek(picture.n_frames - 1)
        assert (first != np.asarray(picture.convert("RGB"))).any()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"patch": 5}, "patch 5 does not divide 12; the nearest that does is 4"),
        ({"ratio": 1.0}, "--ratio 1"),
        ({"tau": 0.0}, "--tau 0"),
        ({"tau": float("nan")}, "--tau nan"),
        ({"tau": float("inf")}, "--tau inf"),
        ({"frames": 99_999_999}, "--frames 99999999: a page holds at most 1000"),
        ({"seed": -1}, "--seed -1"),
        ({"frames": 0}, "--frames 0"),
    ],
)
def test_a_mask_that_cannot_be_is_refused(wrong, told, clips):
    with pytest.raises(BadInput, match=re.escape(told)):
        mask.scene(clips, 0, **MASK | wrong)


@pytest.mark.parametrize("number", [-1, 6])
def test_a_clip_that_is_not_there_is_refused(number, clips):
    with pytest.raises(BadInput, match=f"--clip {number}: five & more has the clips 0..5"):
        clip.scene(clips, number)


def test_a_layout_without_parts_has_no_tubes():
    bare = Skeleton(name="bare", joints=("a", "b"), parents=(0, 0))
    assert list(mask.strategies(bare, 3, 0.5, 0.8)) == ["Uniform", "Motion-aware", "Whole joints"]
    assert upright.of_joints(np.zeros((1, 2, 3), np.float32), bare) == (1, 1)

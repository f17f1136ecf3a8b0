"""Procedural human motion: a data set that anybody can have within seconds, hard enough to tell encoders apart.

Forward kinematics on the Kinect-25 tree. An action (synthetic.json) says which joints turn, how far, how fast and in
which phase, as a cycle or as one gesture at some moment of the clip; many differ from a neighbour in one of these
alone. Subjects differ in bone lengths, posture, tempo, vigour and handedness; each performance in length, phase,
heading and idle sway, and the sensor jitters. Each performance is seen by one of three cameras, so that no camera
repeats what another one saw. Some performances have a bystander as second body. Metres, y up, 30 frames a second,
origin at the first frame's mid-spine.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from skelray import beside, skeletons
from skelray.data import store
from skelray.data.clip import Clip
from skelray.rng import seed_for

VERSION = 3  # raise it whenever a clip or the skeleton changes: caches of another version are never read
SIZES = {"synthetic": (10, 3), "synthetic-small": (6, 1)}  # subjects, repetitions of each action
SUBJECTS = 10  # drawn always, so that a small set's subjects are the large one's
FRAMES = (40, 96)  # of a performance, at 30 a second
CAMERAS = ((0.0, 0.05), (-0.75, 0.10), (0.75, 0.10))  # yaw and pitch of cameras 1, 2, 3 in radians
JITTER = 0.002  # metres; hands and feet have twice as much
BYSTANDERS = 0.12  # share of performances with a second body

Array = NDArray[np.float64]


def recipe() -> dict[str, Any]:
    """Bones (joint, its parent, offset in metres at rest) and actions, from synthetic.json."""
    return beside.facts(__file__)


def build(path: Path, name: str = "synthetic") -> None:
    """Write the synthetic store `name` (one of SIZES) to `path`; the same bytes every time."""
    clips = generate(*SIZES[name])
    transforms = (f"synthetic recipe {VERSION}", "origin: first-frame spine_mid of body 0")
    store.write(path, clips, skeletons.layout("kinect25"), name, tuple(recipe()["actions"]), transforms)


def generate(subjects: int, repetitions: int) -> Iterator[Clip]:
    """Every action by every subject, `repetitions` times before each camera."""
    people = _people()
    for label, action in enumerate(recipe()["actions"]):
        random = np.random.default_rng(seed_for(0, "synthetic", action, repetitions))
        takes = [(who, k, c) for who in range(subjects) for k in range(repetitions) for c in range(len(CAMERAS))]
        who, repetition, camera = np.array(takes).T
        frames = random.integers(*FRAMES, size=len(who), endpoint=True)
        actor = _perform(action, who, frames, people, random)
        actor = np.where(_left_handed(who, random)[:, None, None, None], _mirrored(actor), actor)
        other = _beside(_perform(None, random.permutation(SUBJECTS)[who], frames, people, random), random)
        bodies = 1 + (random.random(len(who)) < BYSTANDERS)
        heading = random.normal(0, 0.3, len(who))
        yaw, pitch = np.array(CAMERAS)[camera].T
        seen = _turned(_turned(np.stack([actor, other], 1), heading, np.zeros(len(who))), yaw, pitch)
        seen = _measured(seen, random)
        for take in range(len(who)):
            joints = seen[take, : bodies[take], : frames[take]]
            # To a tenth of a millimetre, so that no platform's last digit changes the fingerprint.
            joints = np.round(joints - joints[0, 0, 1], 4).astype(np.float32)
            person, again, view = int(who[take]) + 1, int(repetition[take]) + 1, int(camera[take]) + 1
            clip_name = f"{action}_s{person:02}_r{again}_c{view}"
            yield Clip(clip_name, joints, label, person, view, replication=again)


@cache
def _people() -> dict[str, Array]:
    random = np.random.default_rng(seed_for(0, "synthetic", "people"))
    joints = len(skeletons.layout("kinect25").joints)
    size = random.uniform(0.88, 1.12, (SUBJECTS, 1)) * np.exp(random.normal(0, 0.04, (SUBJECTS, joints)))
    return {
        "size": size,  # of each bone, by its lower joint
        "posture": random.normal(0, 0.06, (SUBJECTS, joints, 3)),  # radians
        "tempo": np.exp(random.uniform(-0.25, 0.25, SUBJECTS)),
        "vigour": np.exp(random.uniform(-0.3, 0.3, SUBJECTS)),
        "left_handed": (random.permutation(SUBJECTS) < 3).astype(np.float64),
    }


def _perform(
    action: str | None,
    who: NDArray[np.int64],
    frames: NDArray[np.int64],
    people: dict[str, Array],
    random: np.random.Generator,
) -> Float64[np.ndarray, "P T V C"]:
    """One body a performance, padded to the longest, feet on the ground: `action`, or idling when there is none."""
    names = skeletons.layout("kinect25").joints
    seconds = np.arange(FRAMES[1]) / 30
    count = len(who)
    angles = np.repeat((people["posture"][who] + random.normal(0, 0.05, (count, len(names), 3)))[:, None], FRAMES[1], 1)
    for _ in range(2):  # idle sway: slow, and different in every joint
        amplitude = random.normal(0, 0.05, (count, 1, len(names), 3))
        turns = random.uniform(0.1, 0.7, amplitude.shape) * seconds[:, None, None] + random.random(amplitude.shape)
        angles += amplitude * np.sin(2 * np.pi * turns)
    if action is not None:
        plan = recipe()["actions"][action]
        tempo = (people["tempo"][who] * np.exp(random.normal(0, 0.12, count)))[:, None]
        vigour = (people["vigour"][who] * np.exp(random.normal(0, 0.15, count)))[:, None]
        start = random.random((count, 1))
        middle = (frames / 30)[:, None] * random.uniform(0.3, 0.7, (count, 1))
        for joint, axis, hold, swing, phase in plan["moves"]:
            if "hertz" in plan:
                course = np.sin(2 * np.pi * (plan["hertz"] * tempo * seconds + start + phase))
            else:  # one gesture: away from rest and back
                course = np.cos(np.pi * np.clip((seconds - middle) * tempo / plan["seconds"], -0.5, 0.5)) ** 2
            angles[:, :, names.index(joint), "xyz".index(axis)] += hold + swing * vigour * course
    return _kinematics(angles, people["size"][who])


def _kinematics(
    angles: Float64[np.ndarray, "P T V 3"], size: Float64[np.ndarray, "P V"]
) -> Float64[np.ndarray, "P T V 3"]:
    """Joints from the turns of each joint about x, y, z (radians), which carry every joint below it along."""
    names = skeletons.layout("kinect25").joints
    local = _rotation(angles)
    whole = {"spine_base": local[:, :, names.index("spine_base")]}
    joints = np.zeros_like(angles)
    for child, parent, offset in recipe()["bones"]:
        here, above = names.index(child), names.index(parent)
        bone = size[:, here, None] * np.array(offset, np.float64)
        joints[:, :, here] = joints[:, :, above] + np.einsum("ptij,pj->pti", whole[parent], bone)
        whole[child] = np.einsum("ptij,ptjk->ptik", whole[parent], local[:, :, here])
    feet = [names.index("foot_left"), names.index("foot_right")]
    joints[..., 1] -= joints[:, :, feet, 1].min(-1)[..., None]
    return joints


def _rotation(angles: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3 3"]:
    (cx, cy, cz), (sx, sy, sz) = np.moveaxis(np.cos(angles), -1, 0), np.moveaxis(np.sin(angles), -1, 0)
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def _left_handed(who: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.bool_]:
    return (_people()["left_handed"][who] == 1) ^ (random.random(len(who)) < 0.1)


def _mirrored(joints: Float64[np.ndarray, "P T V 3"]) -> Float64[np.ndarray, "P T V 3"]:
    order = np.arange(joints.shape[2])
    for left, right in skeletons.layout("kinect25").mirror:
        order[[left, right]] = right, left
    return joints[:, :, order] * [-1.0, 1.0, 1.0]


def _beside(joints: Float64[np.ndarray, "P T V 3"], random: np.random.Generator) -> Float64[np.ndarray, "P T V 3"]:
    """Turn each body anyhow and put it about a metre to one side, a little behind."""
    count = len(joints)
    joints = _turned(joints[:, None], random.uniform(-np.pi, np.pi, count), np.zeros(count))[:, 0]
    side = random.choice([-1.0, 1.0], count) * random.uniform(0.8, 1.3, count)
    place = np.stack([side, np.zeros(count), random.uniform(0.0, 0.8, count)], -1)
    return joints + place[:, None, None]


def _turned(joints: Float64[np.ndarray, "P M T V 3"], yaw: Array, pitch: Array) -> Float64[np.ndarray, "P M T V 3"]:
    turn = _rotation(np.stack([pitch, np.zeros_like(yaw), np.zeros_like(yaw)], -1)) @ _rotation(
        np.stack([np.zeros_like(yaw), yaw, np.zeros_like(yaw)], -1)
    )
    return np.einsum("pij,pmtvj->pmtvi", turn, joints)


def _measured(
    joints: Float64[np.ndarray, "P M T V 3"], random: np.random.Generator
) -> Float64[np.ndarray, "P M T V 3"]:
    """What a sensor makes of it: jitter, twice as much at hands and feet, and short slips of single joints."""
    names = skeletons.layout("kinect25").joints
    loose = np.array([name.split("_")[0] in ("hand", "thumb", "foot", "ankle", "wrist") for name in names])
    joints = joints + random.normal(0, JITTER, joints.shape) * np.where(loose, 2, 1)[:, None]
    count, bodies, frames, width, _ = joints.shape
    begins = random.random((count, bodies, frames, width, 1)) < 0.002 * loose[:, None]
    slip = np.where(begins, random.normal(0, 0.04, joints.shape), 0)
    for delay in range(4):  # a slip lasts four frames
        joints[:, :, delay:] += slip[:, :, : frames - delay]
    return joints

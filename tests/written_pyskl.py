"""Writes annotation pickles as PYSKL does, of random clips or of any that a test has."""

import pickle

import numpy as np

SHAPES = {"kinect25": (25, 3), "kinect20": (20, 3), "coco17": (17, 2), "openpose18": (18, 2), "jhmdb15": (15, 2)}
IMAGE = (1080, 1920)  # height, width


def keypoints(random, layout="kinect25", bodies=1, frames=7, dtype=np.float16):
    """Joints that no recording shows, all of them somewhere: metres, or pixels of IMAGE."""
    joints, width = SHAPES[layout]
    drawn = random.uniform(0.05, 0.95, (bodies, frames, joints, width))
    return (drawn * (IMAGE[1], IMAGE[0]) if width == 2 else drawn).astype(dtype)


def annotation(name="S001C002P003R001A004", label=3, keypoint=None, score=None, **more):
    """One annotation; flat joints get an image, and scores of 0.9 where none are given."""
    keypoint = keypoints(np.random.default_rng(0)) if keypoint is None else keypoint
    made = {"frame_dir": name, "label": label, "keypoint": keypoint, "total_frames": keypoint.shape[1]}
    if keypoint.shape[-1] == 2:
        score = np.full(keypoint.shape[:3], 0.9, np.float16) if score is None else score
        made |= {"keypoint_score": score, "img_shape": IMAGE, "original_shape": IMAGE}
    return {**made, **more}


def write(path, annotations, split=None, protocol=4):
    """The pickle; `split` None writes the older form, a list alone."""
    whole = annotations if split is None else {"split": split, "annotations": annotations}
    path.write_bytes(pickle.dumps(whole, protocol))
    return path

"""Writes UTD-MHAD files as MATLAB does, by scipy."""

import io

import numpy as np
import scipy.io


def utd_content(joints, packed=True, **variables):
    """The bytes of a file with `joints` (T, 20, 3) under d_skel; `variables` adds or replaces."""
    whole = {"d_skel": np.asarray(joints).transpose(1, 2, 0), **variables} if joints is not None else variables
    file = io.BytesIO()
    scipy.io.savemat(file, whole, do_compression=packed)
    return file.getvalue()


def utd_file(folder, name="a1_s2_t3", joints=None, packed=True, **variables):
    """One file; returns the joints (T, 20, 3)."""
    joints = np.random.default_rng(0).normal(0, 0.3, (7, 20, 3)) if joints is None else joints
    (folder / f"{name}_skeleton.mat").write_bytes(utd_content(joints, packed, **variables))
    return joints

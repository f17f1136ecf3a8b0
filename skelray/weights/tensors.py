"""Tensors that somebody kept -> a method: what does not fit is told before anything of its size is made."""

import torch
from torch import Tensor

from skelray import methods
from skelray.errors import BadInput
from skelray.method import Method, MethodConfig
from skelray.rng import seed_for
from skelray.skeletons import Skeleton

MOST = 5  # tensors that a message names of those that are amiss


def built(config: MethodConfig, skeleton: Skeleton, seed: int = 0) -> Method:
    """A method in eval mode with weights that have not been trained; the same ones every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "init"))
        return methods.load(config.name)(config, skeleton).eval()


def planned(config: MethodConfig, skeleton: Skeleton) -> dict[str, Tensor]:
    """The tensors that a method would have, by their names: shapes and kinds alone, without memory for numbers."""
    with torch.device("meta"):
        return methods.load(config.name)(config, skeleton).state_dict()


def filled(
    config: MethodConfig,
    skeleton: Skeleton,
    tensors: dict[str, Tensor],
    where: str,
    parts: tuple[str, ...] | None = None,
) -> Method:
    """A method with these tensors, in eval mode; `parts`: those that they are of, by default all.

    Raises BadInput, before the method is built, that lists what lacks, is too much or amiss.
    """
    due = planned(config, skeleton)
    if unknown := set(parts or ()) - set(map(part_of, due)):
        raise BadInput(f"{where} cannot hold {sorted(unknown)[0]!r}, which is no part of {config.name}")
    chosen = {name: each for name, each in due.items() if parts is None or part_of(name) in parts}
    refuse_misfits(config.name, chosen, tensors, where)
    method = built(config, skeleton)
    method.load_state_dict(tensors, strict=False)
    return method


def refuse_misfits(method: str, due: dict[str, Tensor], tensors: dict[str, Tensor], where: str) -> None:
    """Raise BadInput unless these are the tensors that are due, of their shapes and kinds, each number finite."""
    refuse_differences(where, due.keys() - tensors.keys(), tensors.keys() - due.keys())
    wrong = [
        f"{name} is {size(tensors[name])} where {size(each)} is due"
        for name, each in due.items()
        if tensors[name].shape != each.shape
    ] or [
        f"{name} is {kind(tensors[name])} where {kind(each)} is due"
        for name, each in due.items()
        if tensors[name].dtype != each.dtype
    ]
    if wrong:
        more = f" and {len(wrong) - MOST} more" if len(wrong) > MOST else ""
        raise BadInput(f"{where} does not fit its {method}: {', '.join(wrong[:MOST])}{more}")
    if odd := [name for name, each in tensors.items() if not each.isfinite().all()]:
        raise BadInput(f"{where}: numbers of {odd[0]} are not finite: its training diverged")


def refuse_differences(where: str, missing: set[str], unknown: set[str]) -> None:
    """Raise BadInput that lists missing and unknown names, unless there are none."""
    told = [
        f"{what}: {', '.join(sorted(names))}" for what, names in (("missing", missing), ("unknown", unknown)) if names
    ]
    if told:
        raise BadInput(f"{where} does not have the tensors that are due; {'; '.join(told)}")


def part_of(name: str) -> str:
    """encoder.body.norm.weight -> encoder."""
    return name.partition(".")[0]


def size(tensor: Tensor) -> str:
    """768 x 256."""
    return " x ".join(map(str, tensor.shape)) or "one number"


def kind(tensor: Tensor) -> str:
    """float32."""
    return str(tensor.dtype).removeprefix("torch.")

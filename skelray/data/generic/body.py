"""The joint layout that a `skeletons.yaml` describes: by a known name, or joint by joint."""

from collections.abc import Sequence

from skelray import skeletons
from skelray.data.generic.description import Description, refusal
from skelray.errors import BadInput, near
from skelray.skeletons import Skeleton
from skelray.yaml_file import Document


def skeleton(document: Document, told: Description) -> Skeleton:
    """The layout. Raises BadInput, with line and key, for joints, bones, pairs and parts that do not fit."""
    if told.layout:
        return _known(document, told)
    if not told.joints:
        raise document.error("", f"needs a layout ({', '.join(skeletons.layouts())}), or joints and bones")
    for number, name in enumerate(told.joints):
        if not name.strip():
            raise document.error(f"joints.{number}", "a joint needs a name")
        if name in told.joints[:number]:
            raise document.error(f"joints.{number}", f"{name!r} is named twice; joint {told.joints.index(name)} has it")
    return Skeleton(
        name=told.name,
        joints=told.joints,
        parents=tuple(_parents(document, told)),
        mirror=tuple(_pairs(document, told)),
        parts=_parts(document, told),
        channels=told.dimensions or 3,
    )


def _known(document: Document, told: Description) -> Skeleton:
    for key in ("joints", "bones", "mirror", "parts"):
        if getattr(told, key):
            raise document.error(key, f"the layout {told.layout!r} brings its own; take out one of the two")
    try:
        known = skeletons.layout(told.layout)
    except BadInput as error:
        raise refusal(document, "layout", error) from None
    return known.model_copy(update={"channels": told.dimensions or known.channels})


def _place(document: Document, joints: Sequence[str], key: str, name: str) -> int:
    if name not in joints:
        raise document.error(key, f"no joint {name!r}{near(name, joints)} (there are {', '.join(joints)})")
    return joints.index(name)


def _parents(document: Document, told: Description) -> list[int]:
    """The parent of each joint; the root is its own."""
    written: dict[int, int] = {}  # joint -> the bone that says its parent
    parents = list(range(len(told.joints)))
    for number, bone in enumerate(told.bones):
        child, parent = (_place(document, told.joints, f"bones.{number}.{end}", name) for end, name in enumerate(bone))
        if child == parent:
            raise document.error(f"bones.{number}", f"a bone joins two joints, not {bone[0]!r} and itself")
        if child in written:
            first = told.bones[written[child]][1]
            raise document.error(f"bones.{number}", f"{bone[0]!r} has a second parent {bone[1]!r} beside {first!r}")
        parents[child], written[child] = parent, number
    for child in written:
        way = [child]
        while (parent := parents[way[-1]]) not in way:
            way.append(parent)
        if parents[parent] != parent:
            ring = [*way[way.index(parent) :], parent]
            circle = " - ".join(told.joints[joint] for joint in ring)
            raise document.error(f"bones.{written[ring[0]]}", f"bones run in a circle: {circle}")
    roots = [name for joint, name in enumerate(told.joints) if joint not in written]
    if len(roots) > 1:
        listed = ", ".join(roots[:10]) + (", ..." if len(roots) > 10 else "")
        raise document.error("bones", f"one joint, the root, has no parent, but here {len(roots)} do: {listed}")
    return parents


def _pairs(document: Document, told: Description) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    taken: dict[int, int] = {}  # joint -> its pair
    for number, names in enumerate(told.mirror):
        left, right = (_place(document, told.joints, f"mirror.{number}.{end}", name) for end, name in enumerate(names))
        for end, joint in enumerate((left, right)):
            if joint in taken:
                other = told.mirror[taken[joint]]
                raise document.error(f"mirror.{number}.{end}", f"{names[end]!r} is already in the pair {list(other)}")
            taken[joint] = number
        pairs.append((left, right))
    return pairs


def _parts(document: Document, told: Description) -> dict[str, tuple[int, ...]]:
    holder: dict[str, str] = {}  # joint -> its part
    parts: dict[str, tuple[int, ...]] = {}
    for part, names in told.parts.items():
        if not names:
            raise document.error(f"parts.{part}", "a part needs at least one joint")
        for number, name in enumerate(names):
            _place(document, told.joints, f"parts.{part}.{number}", name)
            if name in holder:
                raise document.error(f"parts.{part}.{number}", f"{name!r} is already in the part {holder[name]!r}")
            holder[name] = part
        parts[part] = tuple(told.joints.index(name) for name in names)
    left_out = [name for name in told.joints if name not in holder]
    if parts and left_out:
        raise document.error(
            "parts", f"{', '.join(left_out[:10])} in no part; every joint is in exactly one, or none is"
        )
    return parts

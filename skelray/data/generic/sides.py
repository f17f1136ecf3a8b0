"""Which clips train and which test, by the splits that a `skeletons.yaml` names."""

from collections import Counter

from skelray.data.clip import TEST, TRAIN
from skelray.data.generic.description import Description, Split
from skelray.data.generic.listing import Listing
from skelray.errors import near
from skelray.rng import seed_for
from skelray.yaml_file import Document


def sides(document: Document, told: Description, found: Listing) -> dict[str, list[int]]:
    """Split -> the side of each clip. Raises BadInput for values that do not occur and for a side without a clip."""
    return {name: _sides(document, told, found, name, split) for name, split in told.splits.items()}


def _sides(document: Document, told: Description, found: Listing, name: str, split: Split) -> list[int]:
    key = f"splits.{name}"
    values = _values(document, found, key, split)
    if split.train:
        train = {_plain(value) for value in split.train}
        present = {_plain(value) for value in values}
        for number, value in enumerate(split.train):
            if _plain(value) not in present:
                what = split.by or f"column {split.column!r}"
                hint = near(value, set(values)) or f" (there are {', '.join(sorted(present)[:20])})"
                raise document.error(f"{key}.train.{number}", f"no clip has {value!r} as its {what}{hint}")
        test = present - train
    else:
        values = [_plain(value) for value in values]
        test = _drawn(document, told, key, name, split, values)
    found_sides = [TEST if _plain(value) in test else TRAIN for value in values]
    if TEST not in found_sides:
        raise document.error(f"{key}.train", "leaves no clip to test on")
    return found_sides


def _values(document: Document, found: Listing, key: str, split: Split) -> list[str]:
    """What decides about each clip."""
    if split.by == "clip":
        return found.names
    if split.column:
        return [row.cells[split.column] for row in found.rows]
    for facts, where in zip(found.written, found.where, strict=True):
        if split.by not in facts:
            raise document.error(f"{key}.by", f"the {split.by} is not known of every clip: not of {where}")
    return [facts[split.by] for facts in found.written]


def _drawn(document: Document, told: Description, key: str, name: str, split: Split, values: list[str]) -> set[str]:
    """The values that test: in an order that the seed gives to each of them alone, until their clips are enough.

    A value keeps its place in the order when others come or go.
    """
    count = Counter(values)
    if len(count) < 2:
        raise document.error(f"{key}.by", f"every clip has the same {split.by or split.column}; two are the least")
    order = sorted(count, key=lambda value: seed_for(split.seed, "split", told.name, name, value))
    assert split.test_share is not None
    test: set[str] = set()
    clips = 0
    for value in order[:-1]:
        test.add(value)
        clips += count[value]
        if clips >= split.test_share * len(values):
            break
    return test


def _plain(value: str) -> str:
    """A number without its leading zeros: 01 in a file name is 1."""
    return str(int(value)) if value.isascii() and value.isdecimal() and len(value) < 20 else value

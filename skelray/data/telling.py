"""The facts of a store in words, a line each: what `skelray data show` and the page of a data set say."""

from typing import Any

from pydantic import TypeAdapter

from skelray.data.importing import Report

FEW = 20  # classes or ids that are named one by one


def told(facts: dict[str, Any]) -> dict[str, str]:
    """Line -> sentence, in the order of reading. `facts` is what `skelray.data.facts.gather` gives."""
    lines = {
        "clips": f"{facts['clips']:,}"
        + (f", {facts['copies']:,} of them exact copies of another" if facts["copies"] else ""),
        "frames": _frames(facts),
        "bodies": ", ".join(f"{count:,} clips with {number}" for number, count in facts["bodies"].items()),
        "layout": f"{facts['layout']['name']}: {len(facts['layout']['joints'])} joints, "
        f"{facts['layout']['coordinates']} coordinates, {facts['numbers']}",
        "units": facts["units"],
        "frame rate": "unknown" if facts["frame_rate"] is None else f"{facts['frame_rate']:g} frames a second",
        "classes": classes(facts["classes"]),
        **{column: _ids(facts[column]) for column in ("subject", "camera", "setup", "replication")},
        "splits": "; ".join(map(split, facts["splits"])) or "none known for this name",
        "bones": bones(facts),
        "missing": missing(facts["missing"]),
        "transforms": "; ".join(facts["transforms"]) or "none",
        "import": imported(facts["import"]),
        "licence": facts["licence"] or "not recorded; ask whoever gave you the data",
        "fingerprint": facts["fingerprint"] + ("" if facts["verified"] else " (coordinates not read: --quick)"),
    }
    if facts["recording"]["clips"]:
        lines["recording"] = f"{len(facts['recording']['clips']):,} recordings that clips were cut from"
    return lines


def split(one: dict[str, Any]) -> str:
    """xview 1,020 train / 464 test, 95 of them copies of training clips."""
    words = f"{one['name']} {one['train']:,} train / {one['test']:,} test"
    if one["test_copies_of_train"]:
        words += f", {one['test_copies_of_train']:,} of them copies of training clips"
    whole = one["expected"]
    if whole and whole != {"train": one["train"], "test": one["test"]}:
        words += f" (the complete set has {whole['train']:,} / {whole['test']:,})"
    return words


def classes(counts: list[dict[str, Any]]) -> str:
    """Each class with its clips, or for many classes their range; classes without clips by name."""
    empty = [each["name"] for each in counts if not each["clips"]]
    note = f"; without a clip: {', '.join(empty[:FEW])}{' ...' if len(empty) > FEW else ''}" if empty else ""
    numbers = [each["clips"] for each in counts]
    if len(counts) > FEW:
        return f"{len(counts)}, with {min(numbers):,} to {max(numbers):,} clips{note}"
    return f"{len(counts)}: " + ", ".join(f"{each['name']} {each['clips']:,}" for each in counts) + note


def bones(facts: dict[str, Any]) -> str:
    """Median bone lengths, and whether a human body in metres has such."""
    found, units = facts["bones"], facts["units"]
    if found is None:
        return "no bone is known"
    unit = {"metres": " m", "unknown": ""}.get(units, f" {units}")
    short, long = found["shortest"], found["longest"]
    hint = "; these do not look like metres" if found["look_like_metres"] is False else ""
    return (
        f"median {found['median']:.3f}{unit}, from {short['length']:.3f} ({short['joint']}) "
        f"to {long['length']:.3f} ({long['joint']}){hint}"
    )


def missing(found: dict[str, Any] | None) -> str:
    """Share of body-frames without the body, and of joints that lie at exactly zero in a body that is there."""
    if found is None:
        return "not counted (--quick)"
    worst = sorted(found["by_joint"].items(), key=lambda each: -each[1])[:3]
    names = f", most often {', '.join(name for name, _ in worst)}" if worst else ""
    origin = f"; {found['origin']} is the origin and does not count" if found["origin"] else ""
    return (
        f"{_share(found['unseen'], found['body_frames'])} of {found['body_frames']:,} body-frames, "
        f"{_share(found['missing'], found['joints'])} of the joints of the others{names}{origin}"
    )


def imported(report: dict[str, Any] | None) -> str:
    """What importing changed, dropped and skipped."""
    if report is None:
        return "no report of it beside the store"
    lines = TypeAdapter(Report).validate_python(report).sentences()
    return "; ".join(lines) or "nothing changed, left out or skipped"


def _frames(facts: dict[str, Any]) -> str:
    frames, rate = facts["frames"], facts["frame_rate"]
    words = f"{frames['total']:,}; {frames['least']} to {frames['most']} a clip, median {frames['median']:g}"
    return words + ("" if rate is None else f" ({frames['median'] / rate:.1f} s)")


def _ids(column: dict[str, Any]) -> str:
    known = list(column["clips"])
    if not known:
        return "unknown"
    words = f"{len(known)}: {', '.join(known)}" if len(known) <= 6 * FEW else f"{len(known)}, {known[0]} to {known[-1]}"
    return words + (f"; unknown for {column['unknown']:,} clips" if column["unknown"] else "")


def _share(part: int, whole: int) -> str:
    """A percentage that is "0 %" or "100 %" only when it is exactly that."""
    if part in (0, whole):
        return "100 %" if part else "0 %"
    return f"{min(max(100 * part / whole, 0.01), 99.99):.2f} %"

"""The facts of a store, and what tells two apart, in words, a line each."""

from collections import Counter
from typing import Any

from pydantic import TypeAdapter

from skelray.data.differing import WAYS
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
    if facts["not_as_published"]:
        lines["not as published"] = "; ".join(facts["not_as_published"])
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


def counted(names: list[str], few: int) -> str:
    """3: a, b, c; or the first few and how many more."""
    return f"{len(names):,}" + (f": {', '.join(names[:few])}" if names else "") + (" ..." if len(names) > few else "")


def compared(found: dict[str, Any], few: int = 5) -> dict[str, str]:
    """Line -> sentence of what `skelray.data.comparing.compare` found, in the order of reading."""
    one, other = found["first"], found["second"]
    lines = {"clips": f"{one['clips']:,} / {other['clips']:,}, {found['common']:,} in both"}
    for which, key in (("first", "only_first"), ("second", "only_second")):
        if found[key]:
            lines[f"only in the {which}"] = counted(found[key], few)
    if found["names_twice"]:
        lines["names"] = f"{found['names_twice']:,} clips have a name that another has; the first of a name counts"
    if not found["order"]:
        lines["order"] = "the common clips stand in another order"
    lines["layout"] = _layout_told(found["layout"])
    lines |= {key: _list_told(found[key]) for key in ("classes", "transforms")}
    if len(set(found["units"])) > 1:
        lines["units"] = " / ".join(found["units"])
    for column, differ in found["columns"].items():
        named = [f"{name} {a} / {b}" for name, a, b in differ]
        most = Counter((a, b) for _, a, b in differ).most_common(1)[0]
        lines[column] = f"differs for {counted(named, few)}" + (
            f" (most often {most[0][0]} / {most[0][1]}: {most[1]:,})" if len(differ) > few else ""
        )
    lines |= {f"split {split['name']}": _split_told(split, few) for split in found["splits"]}
    lines["coordinates"] = _coordinates_told(found["coordinates"], found["units"], few)
    return lines


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


def _layout_told(layout: dict[str, Any]) -> str:
    if layout["same"]:
        return f"the same, {layout['names'][0]}"
    words = [" / ".join(layout["names"]), f"joints: {_list_told(layout['joints'])}"]
    if len(set(layout["coordinates"])) > 1:
        words.append(f"{layout['coordinates'][0]} / {layout['coordinates'][1]} coordinates")
    if layout["joints"]["same"] and layout["bones_only_first"]:
        words.append(f"{len(layout['bones_only_first'])} bones lead to another joint")
    return "; ".join(words)


def _list_told(found: dict[str, Any]) -> str:
    if found["same"]:
        return "the same"
    if found["reordered"]:
        return "the same in another order"
    return "; ".join(
        f"only in the {which}: {', '.join(found[f'only_{which}'])}"
        for which in ("first", "second")
        if found[f"only_{which}"]
    )


def _split_told(split: dict[str, Any], few: int) -> str:
    sizes = ["not served" if size is None else f"{size[0]:,} train / {size[1]:,} test" for size in split["sizes"]]
    words = sizes[0] if sizes[0] == sizes[1] else f"{sizes[0]} against {sizes[1]}"
    return words + (f"; on the other side: {counted(split['other_side'], few)}" if split["other_side"] else "")


def _coordinates_told(found: dict[str, Any], units: list[str], few: int) -> str:
    if not found["ways"]:
        return "no common clip"
    factor, unit = (1000, "mm") if set(units) == {"metres"} else (1, "units" if len(set(units)) > 1 else units[0])
    parts = []
    for way, number in found["ways"].items():
        names = counted(found["clips"][way], few).partition(": ")[2] if way in found["clips"] else ""
        size = f", {found['median_size']:.4g} times as large" if way == "scaled" else ""
        parts.append(f"{number:,} {WAYS[way]}{size}" + (f" ({names})" if names else ""))
    words = "; ".join(parts)
    if found["largest_distance"]:
        mean, far = factor * found["mean_distance"], factor * found["largest_distance"]
        words += f"; distance of a joint: mean {mean:.3g} {unit}, largest {far:.3g} {unit}"
        words += f", at most {factor * found['largest_left_open']:.3g} {unit} of it left open"
    return words

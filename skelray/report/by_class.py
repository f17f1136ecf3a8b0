"""What the best finalist tells and what it takes for what, by class: a table of classes and the confusion matrix."""

from collections.abc import Sequence

from skelray.page import Html
from skelray.report.blocks import Part, Table
from skelray.statistics.compare import Comparison
from skelray.statistics.intervals import seeds
from skelray.statistics.sentences import points


def part(found: dict[str, Comparison], names: Sequence[str] = ()) -> Part:
    """What the best finalist tells and what it takes for what, by class, under the first protocol.

    `names` are those of the classes by their numbers, where the results hold them.
    """
    if not found:
        return Part("The best, class by class", [])
    protocol, each = next(iter(found.items()))
    best = each.methods[0]
    known = {str(number): name for number, name in enumerate(names)}
    rows = [
        [
            known.get(one.name, one.name),
            str(one.clips),
            points(one.mean),
            "-" if one.deviation is None else points(one.deviation),
        ]
        for one in best.classes
    ]  # fmt: skip
    about = f"{best.name} has the highest mean under {protocol}; that it is the best is a matter of the comparisons."
    over = seeds(len(best.seeds)) + (f" and {each.draws} draws of labels" if each.draws > 1 else "")
    matrix = Table(
        f"What {best.name} took each class for, {protocol}, over {over}: a row is a true class",
        ["class", *each.classes],
        [[f"{name} {known[name]}" if name in known else name, *map(_shaded, row, [sum(row)] * len(row))]
         for name, row in zip(each.classes, best.confusion, strict=True)],
        "matrix",
    )  # fmt: skip
    accuracy = Table(
        f"Accuracy of {best.name} by class, {protocol}, in percent", ["class", "clips", "mean", "deviation"], rows
    )
    return Part("The best, class by class", [about, accuracy, matrix])


def _shaded(count: int, of: int) -> Html:
    """A cell with its ground as dark as its share of the row."""
    share = count / of if of else 0.0
    return Html(f'<td style="--share: {100 * share:.0f}%">{count}</td>')

"""The part of a report on hyperparameters: what mattered by two evaluators, and where the good trials went."""

from skelray.report import curves, parallel
from skelray.report.blocks import Block, Items, Part, Picture, Table, Title, Warn
from skelray.report.importance import Importance, importances
from skelray.results import Results

LEAD = (
    "Shares of importance among complete trials of a method: by fANOVA (variance explained) and by PED-ANOVA (where the"
    " best trials lie). Trials that were stopped early do not count, and the search did not draw evenly: take it as a"
    " hint where to look, not as a finding."
)


def part(results: Results) -> Part:
    """Per method: importance, warnings, parallel coordinates; or why there is none."""
    found, numbers = importances(results), curves.colours(results)
    if not found:
        return Part("Hyperparameters", [])
    blocks: list[Block] = [LEAD] if any(not each.why for each in found) else []
    nothing = []
    for each in found:
        drawing = parallel.coordinates(results, each.method, numbers.get(each.method, 0))
        if drawing is None:
            nothing.append(each.why)
            continue
        blocks += [Title(each.method), *([each.why] if each.why else _told(each))]
        caption = f"Complete trials of {each.method}, a line each: the stronger, the better; the best in full."
        caption += " Their values are in the table of trials."
        blocks.append(Picture(caption, [drawing], wide=True))
    return Part("Hyperparameters", [*blocks, Items(tuple(nothing))] if nothing else blocks)


def _told(each: Importance) -> list[Block]:
    one, other = each.fanova or {}, each.ped or {}
    names = list(dict.fromkeys([*other, *one]))
    rows = [[name, *(f"{known[name]:.2f}" if name in known else "-" for known in (one, other))] for name in names]
    table = Table(f"Importance in {each.method}, over {each.trials} trials", ["dimension", "fANOVA", "PED-ANOVA"], rows)
    notes = [f"PED-ANOVA holds the best {each.best} against all {each.trials}."]
    if any(name not in one for name in names):
        notes.append("fANOVA leaves out what not every trial has.")
    if each.left:
        notes.append(f"{each.left} trials outside of the search space are left out.")
    return [*map(Warn, each.warnings), table, " ".join(notes)]

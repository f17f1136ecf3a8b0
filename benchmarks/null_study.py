"""How often would the report claim what is not so, and find what is? The tables of docs/statistics.md.

Three methods over 464 clips in every repetition, seeds of the draws fixed below before the first run.
    python benchmarks/null_study.py [repetitions]
"""

import sys
from dataclasses import replace

import numpy as np
from scipy import stats

from skelray.statistics.intervals import Interval, bootstrap, student
from skelray.statistics.paired import difference, exact
from skelray.statistics.power import Rule, Truth, as_reported, made_up, study
from skelray.statistics.runs import Groups, Right

NULL_SEED, POWER_SEED, COVERAGE_SEED = 20261121, 20261122, 20261123
EQUAL, APART = (0.75, 0.75, 0.75), (0.81, 0.75, 0.75)
TRUTHS = {
    "one method under three names": Truth(EQUAL, 5),
    "one method, clips of 10 subjects": Truth(EQUAL, 5, subjects=10),
    "unlike methods, equally good": Truth(EQUAL, 5, fit=0.1),
    "unlike methods, clips of 10 subjects": Truth(EQUAL, 5, fit=0.1, subjects=10),
    "unlike methods, clips of 4 subjects": Truth(EQUAL, 5, fit=0.1, subjects=4),
    "one method, 1 run in 10 loses 10 points": Truth(EQUAL, 5, collapse=0.1),
    "one method, every other run loses 10 points": Truth(EQUAL, 5, collapse=0.5),
}
SEEDS = (2, 3, 5, 10)
LABELS = Truth(EQUAL, 5, draws=5, luck=0.03, taste=0.01, kinship=0.5)
DRAWN = {
    "one method, draws of a run independent": replace(LABELS, kinship=0.0),
    "one method, half of their luck in common": LABELS,
    "one method, all of it in common": replace(LABELS, kinship=1.0),
    "unlike methods, that like draws by 1 point": replace(LABELS, fit=0.1),
    "unlike methods, that like draws by 3 points": replace(LABELS, fit=0.1, taste=0.03),
    "the same, clips of 10 subjects": replace(LABELS, fit=0.1, taste=0.03, subjects=10),
    "the same as the fifth, 3 draws": replace(LABELS, fit=0.1, taste=0.03, draws=3),
}


def over_seeds_alone(first: Right, second: Right, groups: Groups | None) -> float:
    """Welch's t test of the seeds' accuracies: the clips are taken as all there are."""
    return float(stats.ttest_ind(first.mean(1), second.mean(1), equal_var=False).pvalue)


def first_runs(first: Right, second: Right, groups: Groups | None) -> float:
    """McNemar's test of one run against one run: what a comparison without seeds does."""
    return exact(int((first[0] & ~second[0]).sum()), int((second[0] & ~first[0]).sum()))


def all_as_one(first: Right, second: Right, groups: Groups | None) -> float:
    """McNemar's test of all seeds and clips together, as if they were independent."""
    return exact(int((first & ~second).sum()), int((second & ~first).sum()))


def draws_as_runs(first: Right, second: Right, groups: Groups | None) -> float | None:
    """Every draw of labels taken for another run."""
    return difference(*(each.reshape(-1, each.shape[-1]) for each in (first, second)), groups).p


def draws_as_all(first: Right, second: Right, groups: Groups | None) -> float | None:
    """The mean over draws alone: other labels are not thought of."""
    return difference(first.mean(1), second.mean(1), groups).p


RULES: dict[str, Rule] = {
    "this report": as_reported,
    "t test over seeds": over_seeds_alone,
    "McNemar, one run each": first_runs,
    "McNemar, seeds x clips": all_as_one,
}


def row(*cells: object) -> None:
    """Print one row of a Markdown table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def percent(count: int, repetitions: int) -> str:
    """`4.5`"""
    return f"{100 * count / repetitions:.1f}"


def main(repetitions: int) -> None:
    """Print the four tables."""
    row("truth", *(f"false, {count} seeds" for count in SEEDS), *(f"found, {count} seeds" for count in SEEDS))
    row(*["---"] * (1 + 2 * len(SEEDS)))
    for name, truth in TRUTHS.items():
        cells = [study(replace(truth, seeds=count), repetitions, NULL_SEED).false_claims for count in SEEDS]
        apart = replace(truth, accuracies=APART)
        cells += [study(replace(apart, seeds=count), repetitions, POWER_SEED).found for count in SEEDS]
        row(name, *(percent(count, repetitions) for count in cells))
    print()
    row("truth, 5 seeds", *RULES)
    row(*["---"] * (1 + len(RULES)))
    for name, truth in TRUTHS.items():
        counts = [study(truth, repetitions, NULL_SEED, rule).false_claims for rule in RULES.values()]
        row(name, *(percent(count, repetitions) for count in counts))
    print()
    coverage(repetitions)
    print()
    labels(repetitions)


def labels(repetitions: int) -> None:
    """Several draws of labels, 5 seeds."""
    row("truth, 5 seeds", "this report", "draws as runs", "draws as all there are", "6 points found")
    row(*["---"] * 5)
    for name, truth in DRAWN.items():
        rules = as_reported, draws_as_runs, draws_as_all
        counts = [study(truth, repetitions, NULL_SEED, rule).false_claims for rule in rules]
        counts.append(study(replace(truth, accuracies=APART), repetitions, POWER_SEED).found)
        row(name, *(percent(count, repetitions) for count in counts))


def coverage(repetitions: int) -> None:
    """How often the 95 % intervals hold the truth: of a method's accuracy, and of a difference of 6 points."""
    row("truth", "seeds", "method: t over seeds", "method: bootstrap", "pair: t, seeds and clips", "pair: bootstrap")
    row(*["---"] * 6)
    for name in list(TRUTHS)[2:5]:
        for count in SEEDS[1:]:
            truth = replace(TRUTHS[name], seeds=count, accuracies=APART[:2])
            draw = np.random.default_rng(COVERAGE_SEED)
            held = np.zeros(4, dtype=int)
            for _ in range(repetitions):
                (one, other), groups = made_up(truth, draw)
                found = (
                    (student(one.mean(1).tolist()), APART[0]),
                    (bootstrap([one], groups, draw, resamples=400), APART[0]),
                    (difference(one, other, groups).interval, APART[0] - APART[1]),
                    (bootstrap([one, other], groups, draw, resamples=400), APART[0] - APART[1]),
                )
                held += [isinstance(each, Interval) and each.low <= real <= each.high for each, real in found]
            row(name, count, *(percent(each, repetitions) for each in held))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)

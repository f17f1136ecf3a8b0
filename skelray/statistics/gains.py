"""What training adds: each method against its own baseline, the same encoder before training.

The baseline of a seed begins with the same weights, so the pairs are those of the seeds. Holm's correction is over the
methods; it is a family of its own beside the comparison of methods with each other.
"""

from collections.abc import Mapping

import pandas as pd

from skelray.errors import BadInput
from skelray.statistics.correction import holm_of_tested
from skelray.statistics.paired import difference
from skelray.statistics.runs import finals
from skelray.statistics.sentences import sentence


def gains(table: pd.DataFrame, protocol: str, baselines: Mapping[str, str]) -> list[str]:
    """A sentence a method, in the order of `baselines` (method -> its baseline); see `runs.finals` for columns.

    Raises BadInput for a table that the protocol is not in, or where runs lack clips.
    """
    told = finals(table, protocol)
    found = {runs.method: runs for runs in told.runs}
    if lacking := sorted({*baselines, *baselines.values()} - set(found)):
        raise BadInput(f"predictions of {protocol}: there are none of {', '.join(lacking)}")
    pairs = [(found[method], found[baseline]) for method, baseline in baselines.items()]
    differences = [difference(one.right, other.right, told.groups) for one, other in pairs]
    corrected, tests = holm_of_tested([each.p for each in differences])
    return [
        sentence(one.method, other.method, each, p, tests, (len(one.seeds), len(other.seeds)))
        for (one, other), each, p in zip(pairs, differences, corrected, strict=True)
    ]

"""What training adds: a sentence a finalist, against the same encoder before training, which is the floor."""

import pandas as pd

from skelray.errors import BadInput
from skelray.report import tables
from skelray.report.blocks import Block, Folded, Items, Part, Title, Warn
from skelray.report.comparisons import usable
from skelray.results import Results
from skelray.statistics.gains import gains
from skelray.statistics.runs import by_share

LEAD = (
    "Each finalist against its own encoder before training, of the same seeds and measured in the same way. Holm's"
    " correction is over the finalists, a family of its own."
)


def part(results: Results, protocols: list[str]) -> Part:
    """Under the first protocol in full, under the others folded; empty where no floor was measured."""
    told = usable(results, ("final", "floor"))
    if told.empty:
        return Part("What training adds", [])
    shared = by_share(told)
    blocks: list[Block] = []
    for place, protocol in enumerate(protocols):
        own = _baselines(shared[shared["protocol"] == protocol])
        if not own:
            continue
        try:
            said: list[Block] = [Items(tuple(gains(told, protocol, own)))]
        except BadInput as error:
            said = [Warn(str(error))]
        under = f"Under {protocol}"
        blocks += said if place == 0 else [Folded(f"{under}: what training adds", [Title(under), *said])]
    return Part("What training adds", [LEAD, *blocks] if blocks else [])


def _baselines(told: pd.DataFrame) -> dict[str, str]:
    """Finalist -> its floor, in the order of their accuracy, best first."""
    named = told.assign(right=told["label"] == told["predicted"])
    order = named[named["kind"] == "final"].groupby("method")["right"].mean().sort_values(ascending=False)
    searched = told.drop_duplicates("method").set_index("method")["searched"]
    own = {str(name): f"{tables.FLOOR} {searched[name]}" for name in order.index}
    known = set(told["method"])
    return {name: floor for name, floor in own.items() if floor in known}

"""A search of two methods under a budget in FLOPs or seconds, one method five times dearer. No Ray, no training."""

from collections import defaultdict
from dataclasses import dataclass

from made_up_search import RATIO, SMALL, K

from skelray.sweep.budget import Price, length, noticed
from skelray.sweep.config import Plan, SweepConfig
from skelray.sweep.space import SearchSpace

TWO = {"amr": {"method.k": K, "method.mask_ratio": RATIO}, "mamp": {"method.mask_ratio": RATIO}}
SHARE = 6e12


def make_shared(unit="flops", trials=6, share=SHARE, grace=SHARE / 24, searches=TWO, points=(), **more) -> Plan:
    sweep = SweepConfig(
        question="?", price="?", expected="?", spaces=list(searches), trial={**SMALL, "train.reports": 8, **more},
        budget={"trials": trials, "unit": unit, "share": share, "grace": grace, "reduction": 3},
    )  # fmt: skip
    spaces = {m: SearchSpace(method=m, points=list(points), search=found) for m, found in searches.items()}
    return Plan(name="test", sweep=sweep, spaces=spaces, dropped=[])


@dataclass
class FiveTimes:
    """MAMP costs five times as much a clip as AMR; `fixed` each trial as such."""

    clip: float = 1e7
    fixed: float = 0.0

    def price(self, cfg) -> Price:
        return Price(self.clip * (5 if cfg.method.name == "mamp" else 1), self.fixed)


class Trials:
    """Plays trials to their ends: `value(number)` is what each is worth, `fails` ends the named ones after a report.

    `pace`: true cost by planned cost, as a clock would tell it. Keeps what each method used and how trials ended.
    """

    def __init__(self, studies, prices, value, fails=(), pace=1.0):
        self.studies, self.prices, self.value, self.fails, self.pace = studies, prices, value, fails, pace
        self.used, self.ends = defaultdict(float), {}
        self.stopped_at = {}  # share of a whole trial's cost at which it was stopped

    def play(self, ticket) -> None:
        train, price, key = ticket.config.train, self.prices.price(ticket.config), ticket.key
        clips, state = 0, "complete"
        whole = price.cost(train.clips) * self.pace
        while clips < length(train, 0):
            clips = noticed(train, 0, clips)
            if key in self.fails:
                state = "failed"
                break
            if self.studies.observe(key, clips, self.value(ticket.number)):
                state = "pruned"
                self.stopped_at[key] = clips / train.clips
                break
        used = whole * clips / train.clips
        self.used[ticket.method] += used
        reason = "broken" if state == "failed" else ""
        self.ends[key] = self.studies.finish(key, state, self.value(ticket.number), reason, used)

    def all(self) -> "Trials":
        while ticket := self.studies.ask():
            self.play(ticket)
        return self


def worth(number: int) -> float:
    """Some good, some bad: about every second trial is stopped early."""
    return [0.5, 0.6, 0.4, 0.7, 0.3, 0.2, 0.72, 0.1, 0.71, 0.65, 0.15, 0.3][number % 12]

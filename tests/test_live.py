"""What the driver shows of a search while it runs."""

import io

from rich.console import Console

from skelray.events import Ended, Reported, Started
from skelray.sweep.live import Screen


def test_the_line_of_an_end_tells_counts_best_and_rest():
    out = io.StringIO()
    screen = Screen("test", 4, "val/linear", "max", console=Console(file=out, width=300))
    events = []
    for key, value in (("amr-000", 0.5), ("amr-001", 0.75)):
        for event in (
            Started(trial=key, method="amr", seed=0, config={}, time=0.0),
            Reported(trial=key, clips=900, metrics={"val/linear": value, "train/loss": 9.0}, time=1.0),
            Ended(trial=key, state="complete", time=60.0, seconds=60.0),
        ):
            events.append(event)
            screen.show(event, events)
    last = out.getvalue().splitlines()[-1]
    assert "amr-001 complete after 60 s and 900 clips: val/linear 0.7500" in last
    assert "2 complete, 0 running, 0 pruned, 0 failed of 4" in last
    assert "best val/linear 0.7500 (amr-001)" in last
    assert "about 2 min 00 s left" in last


def test_a_terminal_shows_every_running_trial():
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=True)
    with Screen("test", 2, "val/linear", "max", console=console) as screen:
        event = Started(trial="amr-000", method="amr", seed=0, config={}, time=0.0)
        screen.show(event, [event])
    assert "amr-000" in out.getvalue()
    assert "1 running" in out.getvalue()

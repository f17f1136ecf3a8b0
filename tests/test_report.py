"""The report: its figures are those of the tables, and it is drawn whatever little there is."""

import random
import re
import statistics
from pathlib import Path

import made_up_sweep as made_up
import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console
from typer.testing import CliRunner

from skelray import report
from skelray.cli import report as command
from skelray.errors import BadInput
from skelray.events import Ended, Event, Reported, Started
from skelray.report import tables
from skelray.results import Results


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A whole made-up sweep with its report. Not to be changed."""
    results = made_up.folder(tmp_path_factory.mktemp("full") / "my-sweep")
    report.write(results.folder)
    return results


def shown(folder: Path) -> str:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(report.leaderboard(folder))
    return console.export_text()


def test_the_leaderboard_has_mean_and_deviation_over_seeds_best_first_and_the_floor_last(full: Results) -> None:
    rows = tables.leaders(full)
    assert list(rows["name"][:3]) == ["amr", "mamp", "skeletonmae"]
    assert all(name.startswith("untrained ") for name in rows["name"][3:])
    finals = full.finals()
    seeds = finals.loc[(finals["method"] == "amr") & (finals["kind"] == "final"), "test/linear_clean"].tolist()
    assert len(seeds) == 3
    assert rows.loc[0, "test/linear_clean"] == pytest.approx(statistics.mean(seeds))
    assert rows.loc[0, "test/linear_clean spread"] == pytest.approx(statistics.stdev(seeds))
    trials = full.trials()
    complete = trials[(trials["method"] == "amr") & (trials["state"] == "complete")]
    assert rows.loc[0, "val"] == complete["value"].max()


def test_floors_that_are_one_encoder_are_one_row(full: Results) -> None:
    rows = tables.leaders(full)
    numbers = [column for column in rows if column.startswith("test/")]
    floors = rows.index[rows["kind"] == "floor"]
    rows.loc[floors[0], numbers] = rows.loc[floors[1], numbers].to_numpy()
    names = list(tables.together(rows)["name"])
    alike = ", ".join(rows.loc[floors[:2], "method"])
    assert names == ["amr", "mamp", "skeletonmae", f"untrained {alike}", f"untrained {rows.loc[floors[2], 'method']}"]


def test_page_and_terminal_tell_the_same_figures(full: Results) -> None:
    page, screen = (full.folder / "report.md").read_text(), shown(full.folder)
    row = tables.leaders(full).iloc[0]
    figure = tables.percent(row["test/linear"], row["test/linear spread"])
    assert re.fullmatch(r"\d\d\.\d ± \d\.\d", figure)
    assert f"| {figure} |" in page
    assert figure in screen
    assert "over 3 seeds" in page
    assert "…" not in screen  # nothing cut in eighty columns


def test_the_page_has_all_its_parts(full: Results) -> None:
    page = (full.folder / "report.md").read_text()
    for part in ("which of three methods", "an hour on 2 cores", "amr > mamp", "fingerprint abc123", "torch 2.13.0"):
        assert part in page
    assert "| amr-003 | 24,000 | Diverged: the loss was nan at step 912 |" in page
    assert "python -m skelray.sweep results/my-sweep/sweep.yaml --name my-sweep-again" in page
    assert "git checkout " + "f" * 40 in page
    pictures = re.findall(r"\]\((figures/\w+\.png)\)", page)
    assert pictures == ["figures/finalists.png", "figures/objective.png", "figures/train_loss.png"]
    for picture in pictures:
        pixels = imread(full.folder / picture)
        assert pixels.shape[1] > 500
        assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 20  # drawn, not blank


def test_rates_and_counts_are_not_told_as_accuracies(full: Results) -> None:
    page = (full.folder / "report.md").read_text()
    assert "369 of 464 remain" in page
    assert "test/clips" not in page
    assert "300.0" not in page  # the probe's rate, 3, in percent
    assert "test/clips" not in shown(full.folder)


def test_a_pruned_trial_stands_below_the_complete_ones(tmp_path: Path) -> None:
    draw = random.Random(0)
    told = made_up.life("mamp-000", "mamp", draw, began=0.0, clips=60000)
    told += [
        Started(trial="mamp-001", method="mamp", seed=0, config=made_up.config("mamp", draw), time=1.0),
        Reported(trial="mamp-001", clips=6000, metrics={"val/linear": 0.99}, time=2.0),
        Ended(trial="mamp-001", state="pruned", time=3.0, seconds=2.0),
    ]
    page = report.write(made_up.folder(tmp_path / "r", told).folder).read_text()
    assert page.index("| mamp-000 | complete") < page.index("| mamp-001 | pruned")
    assert tables.best_values(Results(tmp_path / "r"))["mamp"] < 0.99


def test_a_conditional_dimension_is_shown_only_where_it_exists(full: Results) -> None:
    shown_tau = tables.searched(full)["method.tau"]
    masking = tables.searched(full)["method.masking"]
    assert set(masking) == {"uniform", "motion", ""}
    assert ((shown_tau != "") == (masking == "motion")).all()


def test_less_is_better_when_the_sweep_says_so(tmp_path: Path) -> None:
    results = Results(tmp_path / "r")
    results.create(made_up.SWEEP | {"objective": {"metric": "train/loss", "mode": "min"}}, made_up.ENVIRONMENT)
    results.write(made_up.events(), "train/loss")
    trials = results.trials()
    complete = trials[(trials["method"] == "amr") & (trials["state"] == "complete")]
    assert tables.best_values(results)["amr"] == complete["train/loss"].min()


def one_trial(state: str) -> list[Event]:
    return made_up.life("amr-000", "amr", random.Random(0), began=0.0, clips=6000, state=state)


SHORT = {
    "nothing": ([], "No trial ran to its end"),
    "all failed": (one_trial("failed"), "No trial ran to its end"),
    "one trial": (one_trial("complete"), "No finalist was tested"),
    "failed before its first report": (
        [event for event in one_trial("failed") if not isinstance(event, Reported)],
        "No trial ran to its end",
    ),
    "one seed": (made_up.events(("amr",), trials=1, seeds=1), "over 1 seed,"),
    "a method without finalist": (made_up.events(trials=1) + one_trial("complete"), "over 3 seeds"),
}


@pytest.mark.parametrize("case", SHORT)
def test_a_short_sweep_is_reported_too(tmp_path: Path, case: str) -> None:
    told, sentence = SHORT[case]
    results = made_up.folder(tmp_path / "r", told)
    assert sentence in report.write(results.folder).read_text()
    assert sentence in " ".join(shown(results.folder).split())


def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    page = report.write(made_up.folder(tmp_path / "r", made_up.events(("amr",), 1, 1)).folder).read_text()
    assert re.search(r"\| amr \| 1 \| 60,000 \| [\d.]+ \| \d\d\.\d \|", page)


def test_writing_twice_gives_the_same_bytes(full: Results) -> None:
    before = {path: path.read_bytes() for path in full.folder.rglob("*") if path.is_file()}
    report.write(full.folder)
    assert {path: path.read_bytes() for path in full.folder.rglob("*") if path.is_file()} == before


def test_a_bar_in_a_reason_does_not_break_the_table(tmp_path: Path) -> None:
    told = [event for event in one_trial("failed") if not isinstance(event, Ended)]
    told.append(Ended(trial="amr-000", state="failed", reason="a | b\nc", time=1.0, seconds=1.0))
    assert "| amr-000 | 6,000 | a \\| b c |" in report.write(made_up.folder(tmp_path / "r", told).folder).read_text()


def test_a_folder_without_results_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a results folder"):
        report.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_the_page_and_prints_the_leaderboard(tmp_path: Path) -> None:
    results = made_up.folder(tmp_path / "r")
    done = CliRunner().invoke(command.app, [str(results.folder)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "untrained mamp" in done.stdout
    assert (results.folder / "report.md").exists()


def test_the_leaderboard_keeps_to_what_is_foremost_and_the_rest_has_a_table_of_its_own() -> None:
    names = ["test/linear", "test/linear_clean", "test/knn", "test/knn_5", "test/knn_20_clean", "test/semi_1",
             "test/semi_1_spread", "test/robustness", "test/robustness_view_degrees"]  # fmt: skip
    kept = ["test/linear", "test/linear_clean", "test/knn", "test/semi_1", "test/robustness"]
    assert tables.foremost(names) == kept


@pytest.mark.parametrize("name", ["figures", "report.html", "figures/objective.png"])
def test_what_cannot_be_written_is_told(tmp_path, name):
    results = made_up.folder(tmp_path / "r", made_up.events(("amr",), trials=1, seeds=1))
    place = results.folder / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("mine") if name == "figures" else place.mkdir()
    with pytest.raises(BadInput, match=f"{name}.* cannot be written: "):
        report.write(results.folder)

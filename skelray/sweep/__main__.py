"""`python -m skelray.sweep FILE`: run a sweep, or go on with it."""

import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from skelray.errors import Stopped, leave

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    file: Annotated[Path, typer.Argument(help="A search space, or a whole sweep.", show_default=False)],
    under: Annotated[
        Path | None, typer.Option(help="A sweep that lends data, trial, budget, resources, final.")
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option(help="dotted.key=value: wins over every file, leaves the search.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the folder of results; by default local-FILE.")] = None,
    results: Annotated[Path, typer.Option(help="The folder of all results.")] = Path("results"),
    tracking_uri: Annotated[str, typer.Option(help="MLflow: a database, http://..., or none.")] = "sqlite:///mlflow.db",
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; by default one for this sweep.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="The studies' SQLAlchemy URL; by default SQLite in runs/.")
    ] = None,
) -> None:
    """Search, test the best with new seeds, write a report. The same command again continues, however it ended."""
    signal.signal(signal.SIGTERM, _stop)
    from skelray.sweep import driver  # after the options are read: --help need not wait for torch and Ray

    driver.sweep(
        file,
        under=under,
        sets=set or (),
        name=name,
        results=results,
        tracking_uri=tracking_uri,
        address=address,
        storage=storage,
    )


def _stop(number: int, frame: Any) -> None:
    raise Stopped("stopped; the same command continues from here")


if __name__ == "__main__":
    leave(app)

"""Write a results folder into MLflow afterwards."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def track(
    results: Annotated[Path, typer.Argument(help="a results folder, e.g. results/local-amr", show_default=False)],
    tracking_uri: Annotated[str, typer.Option(help="sqlite:///FILE or http://HOST:PORT")] = "sqlite:///mlflow.db",
) -> None:
    """Write a results folder into MLflow. What MLflow already has is passed over."""
    from skelray.results import Results
    from skelray.sweep import tracking

    tracking.track(Results(results), tracking_uri)
    print(f"{results} is in MLflow at {tracking_uri}")

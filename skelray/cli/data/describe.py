"""`skelray data describe`: a first description of skeletons of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from skelray.data.generic.draft import draft


def command(app: typer.Typer) -> None:
    """Add the command to the group."""

    @app.command()
    def describe(
        folder: Annotated[Path, typer.Argument(help="A folder or archive of .npz, .npy or .csv clips.")],
    ) -> None:
        """Look into FOLDER and print a draft of its skeletons.yaml; lines that say CHECK are for you to settle."""
        print(draft(folder), end="")

"""The command `skelray`: one group or command a file, found by folder."""

from importlib import import_module
from pkgutil import iter_modules

import typer

from skelray.errors import leave


def application() -> typer.Typer:
    """All commands. A module with one command adds it under its own name, one with several adds a group."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
    for module in sorted(iter_modules(__path__), key=lambda each: each.name):
        part: typer.Typer = import_module(f"{__name__}.{module.name}").app
        alone = len(part.registered_commands) == 1
        app.add_typer(part, name=None if alone else module.name)
    return app


def main() -> None:
    """Entry point of the console script."""
    leave(lambda: application()())  # a Ctrl-C while torch is loaded is a stop, too

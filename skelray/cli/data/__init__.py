"""`skelray data`: one command a file, found by folder."""

from importlib import import_module
from pkgutil import iter_modules

import typer

app = typer.Typer(no_args_is_help=True, help="Get a data set, make a store out of it, look into it, split it.")
for _module in sorted(iter_modules(__path__), key=lambda each: each.name):
    import_module(f"{__name__}.{_module.name}").command(app)

"""What a user is told when something is wrong, and the exit code the shell is told."""

import difflib
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

DONE, OUR_FAULT, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class BadInput(Exception):
    """The user can mend this: the message says what was wrong, where, and what would be right."""


class Stopped(Exception):
    """The user stopped the work; its state is saved and the same command continues it."""


def near(word: str, options: Iterable[str]) -> str:
    """A hint to append to a message: `; did you mean "mask_ratio"?`, or nothing when no option is close."""
    close = difflib.get_close_matches(word, list(options), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def leave(main: Callable[[], object]) -> NoReturn:
    """Run a command and leave the process: 0 done, 2 bad input, 130 stopped by the user, 1 our fault."""
    warnings.formatwarning = _plainly
    try:
        main()
    except BadInput as error:
        print(f"skelray: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except (Stopped, KeyboardInterrupt) as error:
        print(f"skelray: {str(error) or 'stopped'}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception:
        traceback.print_exc()
        print("skelray: this is a fault of skelray, not of your input; the lines above say where", file=sys.stderr)
        sys.exit(OUR_FAULT)
    sys.exit(DONE)


_formatted = warnings.formatwarning  # as Python prints one


def _plainly(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of skelray's is a sentence for its user; one of a library keeps the place that it comes from."""
    if Path(filename).is_relative_to(Path(__file__).parent):
        return f"skelray: {message}\n"
    return _formatted(message, category, filename, lineno, line)

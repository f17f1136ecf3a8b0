"""A command as the shell sees it."""

import sys

import pytest
import torch

from skelray import cli


def skelray(*words: object) -> int:
    """The exit code of `skelray WORDS`, run in this process."""
    before, threads = sys.argv, torch.get_num_threads()
    sys.argv = ["skelray", *map(str, words)]
    try:
        with pytest.raises(SystemExit) as left:
            cli.main()
    finally:
        sys.argv = before
        torch.set_num_threads(threads)
    return int(left.value.code or 0)

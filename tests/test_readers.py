"""The folder of readers is their registry; what one format does is in the test file of that format."""

import pytest

from skelray.data import readers
from skelray.errors import BadInput


def test_the_folder_is_the_registry():
    assert {"nw_ucla", "ntu_npz"} <= set(readers.available())
    with pytest.raises(BadInput, match="no reader 'nw-ucla'; did you mean \"nw_ucla\""):
        readers.load("nw-ucla")

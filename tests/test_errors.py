"""What reaches the terminal: warnings of skelray as sentences, those of others with the place that they come from."""

import subprocess
import sys

CODE = """
import warnings
import skelray
from skelray.errors import leave

def command():
    warnings.warn_explicit("people are unknown", UserWarning, skelray.errors.__file__, 1)
    warnings.warn_explicit("of another", UserWarning, "elsewhere.py", 7)

leave(command)
"""


def test_a_warning_of_skelray_is_a_sentence():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == "skelray: people are unknown\nelsewhere.py:7: UserWarning: of another\n"

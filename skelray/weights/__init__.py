"""Trained weights as folders: `load` one, `export` a trial's, `import_` what authors released."""

from skelray.weights.card import Origin
from skelray.weights.exported import export
from skelray.weights.folder import Weights, load
from skelray.weights.imported import import_

__all__ = ["Origin", "Weights", "export", "import_", "load"]

"""An encoder's features as a product: of a whole store as a Parquet file, and of any clips as a function."""

from skelray.features.exported import export
from skelray.features.served import Encoder

__all__ = ["Encoder", "export"]

"""Numbers on EM that others published, and the computation by which emlib reproduces each of them.

`published.toml` holds the numbers, their sources and tolerances. One function computes what one entry lists, in
`_gaussians.py`, `_counts.py` and so on; the tests and a notebook compare.
"""

from emlib.published.reproduce import COMPUTATIONS, reproduce
from emlib.published.table import Entry, entries

__all__ = ["COMPUTATIONS", "Entry", "entries", "reproduce"]

"""Rows in files, read by the libraries that own the formats: HDF5, Zarr, and Parquet or whatever else Arrow reads.

Nothing is imported here: an object of h5py, zarr or pyarrow brings its reader along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

ROWS = 65_536
"""Rows read at once, made up to whole chunks of the file: 2 MiB of four columns."""


def source_of(data: Any) -> Callable[[], Iterator[Any]] | None:
    """Return a function that reads data from their file chunk by chunk, or None if they are of no such kind.

    Parameters
    ----------
    data : object
        A dataset of h5py or an array of zarr, of shape (n, d); a ParquetFile, dataset or table of pyarrow, of which
        every column is taken. A null of Arrow becomes NaN.

    Returns
    -------
    callable or None
        The source, for :class:`emlib.stream.Stream`.

    Raises
    ------
    ValueError
        If an array has another number of dimensions.
    """
    library = type(data).__module__.partition(".")[0]
    if library in ("h5py", "zarr") and hasattr(data, "shape"):
        if len(data.shape) != 2:
            raise ValueError(f"expected a 2-dimensional array of shape (rows, columns), got shape {data.shape}")
        return partial(_slices, data)
    if library == "pyarrow" and hasattr(data, "iter_batches"):
        return partial(_batches, partial(data.iter_batches, batch_size=ROWS))
    if library == "pyarrow" and hasattr(data, "to_batches"):
        return partial(_batches, data.to_batches)
    return None


def _slices(data: Any) -> Iterator[Any]:
    """Yield the rows of something that can be sliced."""
    in_file = data.chunks[0] if data.chunks else 1
    size = -(-ROWS // in_file) * in_file
    for start in range(0, data.shape[0], size):
        yield data[start : start + size]


def _batches(read: Callable[[], Any]) -> Iterator[Any]:
    """Yield record batches as arrays of rows; empty ones are left out."""
    for batch in read():
        if batch.num_rows > 0:
            yield np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])

"""Rows that are not in memory, read by slices or by the libraries that own their formats.

Two kinds of data are taken for a source of chunks instead of an array:

* what has ``shape`` and ``dtype`` and gives rows by ``data[a:b]``, but cannot be calculated with: a dataset of h5py,
  an array of zarr, a variable of netCDF4, or a class of one's own. An array in memory is known by
  ``__array_interface__`` or ``__array_ufunc__`` (NumPy, pandas, xarray) or ``__dlpack__`` (PyTorch, JAX) and is taken
  as a whole;
* a ParquetFile, dataset, scanner or table of pyarrow. A scanner reads some columns only:
  ``dataset.scanner(columns=["x", "y"])``.

Weights beside either are an array of shape (n,), or itself something that is read by slices; a column of weights in a
Parquet file is read first, as ``pyarrow.parquet.read_table(path, columns=["weight"])["weight"]``: eight bytes a row.

Nothing is imported here: an object of h5py, zarr or pyarrow brings its reader along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

ROWS = 65_536
"""Rows read at once, made up to whole chunks of the file: 2 MiB of four columns."""


def source_of(data: Any, sample_weight: Any = None) -> Callable[[], Iterator[Any]] | None:
    """Return a function that reads data from where they are chunk by chunk, or None if they are of no such kind.

    Parameters
    ----------
    data : object
        Something of shape (n, d) that is read by slices; a ParquetFile, dataset, scanner or table of pyarrow, of which
        every column is taken. A null of Arrow becomes NaN.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows, cut as these are.

    Returns
    -------
    callable or None
        The source, for :class:`emlib.stream.Stream`. It raises ValueError where slices or weights are not as many as
        the shape or the rows say.

    Raises
    ------
    ValueError
        If data or weights have another number of dimensions.
    """
    read: Callable[[], Iterator[Any]]
    library = type(data).__module__.partition(".")[0]
    if _is_sliced(data):
        if data.shape is None or len(data.shape) != 2:
            raise ValueError(f"expected a 2-dimensional array of shape (rows, columns), got shape {data.shape}")
        read = partial(_slices, data)
    elif library == "pyarrow" and hasattr(data, "iter_batches"):
        read = partial(_batches, partial(data.iter_batches, batch_size=ROWS))
    elif library == "pyarrow" and hasattr(data, "to_batches"):
        read = partial(_batches, data.to_batches)
    else:
        return None
    if sample_weight is None:
        return read
    weights = sample_weight if _is_sliced(sample_weight) else np.asarray(sample_weight)
    if len(weights.shape) != 1:
        raise ValueError(f"sample_weight must have shape (n,), one weight a row, got {weights.shape}")
    return partial(_weighted, read, weights)


def _is_sliced(data: Any) -> bool:
    """Whether data are read by slices: they have the looks of an array, but cannot be calculated with."""
    looks = all(hasattr(data, name) for name in ("shape", "dtype", "__getitem__"))
    in_memory = ("__array_interface__", "__array_ufunc__", "__dlpack__", "tocsr")  # the last: sparse, refused later
    return looks and not any(hasattr(data, name) for name in in_memory)


def _slices(data: Any) -> Iterator[Any]:
    """Yield the rows of something that can be sliced."""
    n, dim = data.shape
    chunks = getattr(data, "chunks", None)
    in_file = chunks[0] if isinstance(chunks, tuple) and isinstance(chunks[0], int) else 1
    size = -(-ROWS // in_file) * in_file
    for start in range(0, n, size):
        stop = min(start + size, n)
        rows = data[start:stop]
        if np.shape(rows) != (stop - start, dim):
            raise ValueError(
                f"rows {start} to {stop} of the source came with shape {np.shape(rows)}, and its shape {(n, dim)} "
                f"promises {(stop - start, dim)}"
            )
        yield rows


def _batches(read: Callable[[], Any]) -> Iterator[Any]:
    """Yield record batches as arrays of rows; empty ones are left out."""
    for batch in read():
        if batch.num_rows > 0:
            yield np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])


def _weighted(read: Callable[[], Iterator[Any]], weights: Any) -> Iterator[tuple[Any, Any]]:
    """Yield chunks with their weights; that these are as many as the rows is known at the end."""
    n = 0
    for rows in read():
        part = weights[n : n + len(rows)]
        n += len(rows)
        if len(part) == len(rows):
            yield rows, part
    if n != weights.shape[0]:
        raise ValueError(
            f"sample_weight must have shape ({n},), one weight a row of the source, got ({weights.shape[0]},)"
        )

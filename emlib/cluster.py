"""E-steps where the rows live: a Dask collection, on the cores of one machine or on a cluster.

A ``dask.array`` goes into :func:`emlib.em.em` and ``GaussianMixture.fit`` like an array. Its chunks are checked once
and stay with the workers of the Dask client that is in force (without one: in threads of this process). Each iteration
sends the parameters out, runs the E-step of every chunk where the chunk is, and adds the statistics up in a tree.

**Results.** The tree is fixed by the order of the chunks, so neither the number of workers nor a lost one changes a
bit; other chunks change rounding only. The rows of every E-step are counted and their checksum compared.

**Lost workers.** Dask makes the chunks of a dead worker again from their source and repeats what it had not finished.
Chunks that exist nowhere else (``client.scatter``) cannot be made again: the fit then raises.

**Resume.** A run saved with ``checkpoint=`` and resumed with the same chunks ends in the same bits as one that was not
interrupted, on the same workers, on others or on none.

**Traffic.** An iteration moves at most the statistics of every chunk and, once a worker, model and parameters, whatever
the number of rows. For M Gaussians with full covariances in d columns both are about ``8 M (d + 1)^2`` bytes and some
hundred more: with M = 5 and d = 4 they measured 1,532 and 2,378 bytes.

**Time** is that of the E-steps of a worker's share and of the scheduler. On two quiet cores with a worker each
(``benchmarks/results/streaming.json``) an E-step of 10^7 rows took 0.14 s, so 28 ns a row of a share, and the scheduler
4 ms a chunk with ten of them, 1.1 ms with 200. Extrapolated from that, and not measured: 10^9 rows in 100 chunks of
320 MB on 100 cores, 0.3 seconds for the E-steps, 0.1 to 0.4 for the scheduler, and 0.4
megabytes moved an iteration. Chunks of a million rows or more keep the scheduler's part small.

Once a fit, the rows are checked and 20,000 of them picked for a start, where they are. Only predictions, the report of
a collapse and the bound on rounding after a fall bring all rows to this process, one chunk after the other.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.errors import DegenerateComponent
from emlib.progress import one_pass
from emlib.rows import Rows, as_rows, extremes, refuse_outside, rows_at
from emlib.stream import Stream

if TYPE_CHECKING:
    from emlib._types import FloatArray

BRANCHES = 8
"""How many statistics a task adds up."""


@dataclass(frozen=True, eq=False)
class Part:
    """One chunk on its worker: the rows, and what tells whether they were made again unchanged.

    Attributes
    ----------
    rows : Rows
        The rows of the chunk.
    number : int
        Which chunk it is.
    checksum : int
        Of the bytes of rows and weights.
    given : int
        How many rows the chunk has, with those of weight zero.
    """

    rows: Rows
    number: int
    checksum: int
    given: int

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave behind what E-steps keep beside the rows when a chunk moves."""
        return Part, (Rows(self.rows.x, self.rows.weights, self.rows.numbers), self.number, self.checksum, self.given)

    def __sizeof__(self) -> int:
        """Return the bytes of the rows: by them Dask decides what to move and when to spill."""
        return int(self.rows.x.nbytes) + (0 if self.rows.weights is None else int(self.rows.weights.nbytes))


def is_collection(data: Any) -> bool:
    """Return whether data are a Dask collection, or a list of them; imports nothing.

    Parameters
    ----------
    data : object
        What a user passed as data.

    Returns
    -------
    bool
        True for a ``dask.array``, and a list or tuple of ``dask.delayed`` chunks.
    """
    if isinstance(data, (list, tuple)):
        return len(data) > 0 and all(hasattr(type(item), "__dask_graph__") for item in data)
    return hasattr(type(data), "__dask_graph__")


class ClusterRows(Stream):
    """Rows of a Dask collection, which stay where they are.

    Parameters
    ----------
    data : dask.array of shape (n, d), or list of dask.delayed
        Rows of data. A delayed chunk gives an array of rows, or a pair of an array and the weights of its rows.
        Chunks that are empty, or have no weight, are passed over.
    sample_weight : array_like or dask.array of shape (n,), optional
        Weights of the rows of a ``dask.array``.
    check : callable, optional
        Called with the rows of each chunk; raises ValueError for rows outside the support.
    keep_single : bool
        Leave float32 rows as they are.

    Attributes
    ----------
    x : ndarray of shape (n, d)
        Not there: raises TypeError.
    weights : ndarray of shape (n,)
        Not there: raises TypeError.
    numbers : ndarray of int, shape (n,), or None
        Always None: :meth:`number` asks the workers where a row stood.
    memo : dict
        What was worked out about these rows once.
    whole : None
        These are all rows.

    Raises
    ------
    ValueError
        If a chunk or the weights are invalid; the message names the chunk, and row and column in it.
    TypeError
        If the collection is of another kind, or the weights of delayed chunks do not come with them.
    """

    def __init__(self, data: Any, sample_weight: Any = None, *, check: Any = None, keep_single: bool = False) -> None:
        dask = _dask()
        make = dask.delayed(_part, pure=False)
        blocks = _blocks(data, sample_weight)
        parts = dask.persist(*(make(x, weights, k, check, keep_single) for k, (x, weights) in enumerate(blocks)))
        summary = dask.delayed(_summary, pure=False)
        found = dask.compute(*map(summary, parts))
        begins = np.cumsum([0, *(some.given for some in found)]).tolist()
        kept = [(part, some) for part, some in zip(parts, found, strict=True) if some.n > 0]
        if not kept:
            which = "rows" if begins[-1] == 0 else "rows of positive weight"
            raise ValueError(f"the Dask collection has no {which} in its {len(blocks)} chunks")
        dims = [some.dim for _, some in kept]
        if len(set(dims)) > 1:
            raise ValueError(
                f"the chunks of the Dask collection have different numbers of columns: {sorted(set(dims))}"
            )
        self.__dict__.update(
            parts=[part for part, _ in kept],
            sizes=[some.n for _, some in kept],
            begins=[begin for begin, some in zip(begins, found, strict=False) if some.n > 0],
            totals=[some.total_weight for _, some in kept],
            checksum=sum(some.checksum for _, some in kept),
            _n=sum(some.n for _, some in kept),
            _dim=dims[0],
            _total_weight=float(sum(some.total_weight for _, some in kept)),
            memo={"extremes": (np.min([s.low for _, s in kept], axis=0), np.max([s.high for _, s in kept], axis=0))},
        )

    def __repr__(self) -> str:
        chunks = len(self.__dict__["parts"])
        return f"ClusterRows(n={self.n}, dim={self.dim}, total_weight={self.total_weight:g}, chunks={chunks})"

    def _chunks(self, size: int | None) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Yield all rows here, fetching one chunk of the collection after the other."""
        for part in self.__dict__["parts"]:
            yield from part.compute().rows._chunks(size)

    def number(self, row: int) -> int:
        """Return where a row stood in the collection; fetches its chunk.

        Parameters
        ----------
        row : int
            Its place among the rows of positive weight.

        Returns
        -------
        int
            Its place among all rows.
        """
        ends = np.cumsum(self.__dict__["sizes"])
        k = int(np.searchsorted(ends, row, side="right"))
        within = row - int(ends[k]) + self.__dict__["sizes"][k]
        return self.__dict__["begins"][k] + self.__dict__["parts"][k].compute().rows.number(within)

    def at(self, steps: FloatArray) -> FloatArray:
        """Return the rows at which the cumulative weight passes given values; the workers pick them.

        Parameters
        ----------
        steps : ndarray of shape (k,)
            Rising values between 0 and the total weight.

        Returns
        -------
        ndarray of shape (k, d)
            A row for each.
        """
        dask = _dask()
        pick = dask.delayed(_rows_at, pure=False)
        ends = np.cumsum(self.__dict__["totals"])
        cuts = np.searchsorted(steps, ends[:-1])
        shares = np.split(steps, cuts)
        begins = np.append(0.0, ends[:-1])
        wanted = zip(self.__dict__["parts"], shares, begins, strict=True)
        found = dask.compute(*(pick(part, share - begin) for part, share, begin in wanted if len(share)))
        return np.concatenate(found)

    def e_step(self, model: Any, theta: Any) -> tuple[Any, float]:
        """Return the statistics and the log-likelihood of all rows, one E-step a chunk where the chunk is.

        Parameters
        ----------
        model : EMModel
            Does the E-step of each chunk; its statistics support ``+``.
        theta : Theta
            The parameters.

        Returns
        -------
        statistics : Stats
            Sums over all rows.
        log_likelihood : float
            In nats.

        Raises
        ------
        RuntimeError
            If rows were lost, or a chunk was made again from a source that had changed.
        ValueError
            If a row has density zero under every component.
        """
        dask = _dask()
        sent = dask.delayed((model, theta), name=f"parameters-{uuid.uuid4().hex}", traverse=False)
        work, total = dask.delayed(_e_step, pure=False), dask.delayed(_total, pure=False)
        leaves = layer = [work(sent, part) for part in self.__dict__["parts"]]
        while len(layer) > 1:
            layer = [total(layer[k : k + BRANCHES]) for k in range(0, len(layer), BRANCHES)]
        stats, log_likelihood, n, checksum = _computed(layer[0], leaves, self.__dict__["sizes"])
        if (n, checksum) != (self.n, self.__dict__["checksum"]):
            raise RuntimeError(
                f"an E-step on the cluster read {n} rows with checksum {checksum}, and there were {self.n} with "
                f"{self.__dict__['checksum']}: the source of a chunk changed. Start the fit again"
            )
        return stats, log_likelihood


@dataclass(frozen=True, eq=False)
class _Summary:
    given: int
    n: int = 0
    dim: int = 0
    total_weight: float = 0.0
    checksum: int = 0
    low: FloatArray | None = None
    high: FloatArray | None = None


def _computed(root: Any, leaves: list[Any], sizes: list[int]) -> Any:
    """Return what a task gives; where rows are shown, those of each task in the leaves count when it has ended."""
    with one_pass(sum(sizes)) as count:
        if count is None:
            return root.compute()
        scheduler = import_module("dask.base").get_scheduler()
        client = getattr(scheduler, "__self__", None)  # of a cluster; the schedulers of one process are functions
        if client is None:
            rows_of = {leaf.key: n for leaf, n in zip(leaves, sizes, strict=True)}
            with import_module("dask.callbacks").Callback(posttask=lambda key, *_: count(rows_of.get(key, 0))):
                return root.compute()
        *futures, result = client.compute([*leaves, root])
        rows_of = dict(zip(futures, sizes, strict=True))
        for future in import_module("distributed").as_completed(futures):
            if future.status == "error":
                break  # the result raises it
            count(rows_of[future])
        return result.result()


def _dask() -> Any:
    """Return the module dask, its arrays loaded."""
    try:
        import_module("dask.array")
    except ImportError as error:
        raise ImportError(f"rows on a cluster need Dask: install emlib with its extra 'cluster' ({error})") from error
    return import_module("dask")


def _blocks(data: Any, sample_weight: Any) -> list[tuple[Any, Any]]:
    """Return delayed chunks, each with the delayed weights of its rows or None."""
    if isinstance(data, (list, tuple)):
        if sample_weight is not None:
            raise TypeError("delayed chunks give the weights themselves: let them be pairs (rows, weights)")
        return [(chunk, None) for chunk in data]
    if not hasattr(type(data), "to_delayed"):
        raise TypeError(f"a Dask collection of rows is a dask.array or a list of delayed chunks, got {type(data)!r}")
    if getattr(data, "ndim", 2) != 2:
        raise ValueError(f"expected a 2-dimensional array of shape (rows, columns), got shape {data.shape}")
    blocks = list(np.ravel((data.rechunk({1: -1}) if hasattr(data, "rechunk") else data).to_delayed()))
    if sample_weight is None:
        return [(block, None) for block in blocks]
    weights = _dask().array.asarray(sample_weight)
    if weights.shape != data.shape[:1]:
        raise ValueError(f"sample_weight must have shape {data.shape[:1]}, one weight a row, got {weights.shape}")
    return list(zip(blocks, weights.rechunk((data.chunks[0],)).to_delayed(), strict=True))


def _part(x: Any, weights: Any, number: int, check: Any, keep_single: bool) -> Part:
    """Return a chunk checked; runs where the chunk is."""
    if isinstance(x, tuple):
        x, weights = x
    try:
        rows = as_rows(x, weights, keep_single=keep_single, part=True)
        refuse_outside(rows, check)
    except (ValueError, TypeError) as error:
        raise type(error)(f"in chunk {number} of the Dask collection: {error}") from error
    checksum = zlib.crc32(np.ascontiguousarray(rows.x).view(np.uint8).ravel().data)
    if rows.weights is not None:
        checksum = zlib.crc32(np.ascontiguousarray(rows.weights).view(np.uint8).data, checksum)
    return Part(rows, number, checksum, len(x))


def _summary(part: Part) -> _Summary:
    rows = part.rows
    if rows.n == 0:
        return _Summary(part.given)
    return _Summary(part.given, rows.n, rows.dim, rows.total_weight, part.checksum, *extremes(rows))


def _rows_at(part: Part, steps: FloatArray) -> FloatArray:
    return rows_at(part.rows, steps)


def _e_step(sent: tuple[Any, Any], part: Part) -> tuple[Any, float, int, int]:
    """Return statistics, log-likelihood, rows and checksum of a chunk; runs where the chunk is."""
    model, theta = sent
    try:
        stats, log_likelihood = model.e_step(theta, part.rows)
    except DegenerateComponent:
        raise
    except ValueError as error:
        raise ValueError(f"in chunk {part.number} of the Dask collection: {error}") from error
    return stats, log_likelihood, part.rows.n, part.checksum


def _total(parts: list[tuple[Any, float, int, int]]) -> tuple[Any, ...]:
    """Return the sums of what E-steps returned, in their order."""
    return tuple(reduce(add, column) for column in zip(*parts, strict=True))

"""E-steps on all cores: parts of the rows go to worker processes, which send back nothing but statistics.

The processes are joblib's, so joblib must be installed. Threads gain nothing here: between two calls of NumPy, each of
some microseconds, they wait for each other.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from operator import add
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np

from emlib.rows import Rows, as_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray
    from emlib.em import EMModel
    from emlib.metric import Metric

Theta = TypeVar("Theta")
Stats = TypeVar("Stats")

PARTS = 16
"""The most parts that rows are cut into, whatever the number of workers, so that this number changes no result."""
SMALLEST_PART = 16384
"""Rows below which a part is not worth sending."""

Bounds = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows and how they are cut.

    Attributes
    ----------
    rows : Rows
        All rows.
    bounds : tuple of pairs of int
        First row of each part, and the one after its last.
    token : str
        A name under which workers keep what they worked out.
    """

    rows: Rows
    bounds: Bounds
    token: str = field(default_factory=lambda: uuid.uuid4().hex)


def check_n_jobs(n_jobs: object) -> None:
    """Raise unless this is a number of workers.

    Parameters
    ----------
    n_jobs : object
        What a user gave.

    Raises
    ------
    ValueError
        If it is neither a positive whole number nor -1.
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, (int, np.integer)) or (n_jobs < 1 and n_jobs != -1):
        raise ValueError(f"n_jobs must be a positive whole number, or -1 for one worker a core, got {n_jobs!r}")


class Parallel(Generic[Theta, Stats]):
    """A model whose E-steps run in worker processes; a context manager, which ends them.

    Each iteration sends the parameters and receives the statistics of each part. They are added in the order of the
    parts, which does not depend on the number of workers: the result is bit for bit the same for every `n_jobs`. It
    differs from that of the model itself by rounding, the log-likelihood by less than 1e-12 of its size.

    Parameters
    ----------
    model : EMModel
        A model of rows, whose statistics support ``+``: any :class:`~emlib.models.mixture.Mixture` of families with
        additive statistics.
    n_jobs : int
        Number of workers; -1 for one a core.

    Raises
    ------
    ValueError
        If `n_jobs` is no number of workers.
    ImportError
        From the ``with`` statement, if joblib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from emlib import Gaussian, Mixture, Parallel, em
    >>> x = np.repeat([[0.0], [1.0], [5.0], [6.0]], 10, axis=0)
    >>> model = Mixture(Gaussian("tied"))
    >>> start = model.from_responsibilities(x, np.repeat(np.eye(2), 20, axis=0))
    >>> with Parallel(model, n_jobs=1) as workers:
    ...     result = em(workers, x, start)
    >>> result.theta.components.means.round(3).ravel().tolist()
    [0.5, 5.5]
    """

    no_identity = ("n_jobs",)

    def __init__(self, model: EMModel[Theta, Stats], n_jobs: int = -1) -> None:
        check_n_jobs(n_jobs)
        self.model: Any = model
        self.n_jobs = n_jobs
        self._pool: Any = None

    def __enter__(self) -> Self:
        try:
            from joblib import Parallel as Pool
        except ImportError as error:
            raise ImportError("worker processes need joblib: pip install 'emlib[parallel]'") from error

        # Arrays above 1 MB go to the workers as one file that they share.
        self._pool = Pool(n_jobs=self.n_jobs, backend="loky", max_nbytes="1M", mmap_mode="r")
        self._pool.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        pool, self._pool = self._pool, None
        pool.__exit__(*error)
        _kept.clear()  # of what ran in this process

    def prepare(self, data: Any, sample_weight: ArrayLike | None = None) -> Parts:
        """Check data and weights, and cut them.

        Parameters
        ----------
        data : array_like of shape (n, d)
            Rows of data.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        Parts
            What :meth:`e_step` reads.

        Raises
        ------
        ValueError
            If the data or weights are invalid.
        TypeError
            If the rows come from a source chunk by chunk, which one process reads.
        """
        rows = as_rows(self.model.prepare(data, sample_weight))
        n = len(rows.x)
        most = max(1, min(PARTS, n // SMALLEST_PART))
        n_parts = 2 ** (most.bit_length() - 1)  # as many for each of 2, 4, ... workers
        cuts = [n * k // n_parts for k in range(n_parts + 1)]
        return Parts(rows, tuple(pairwise(cuts)))

    def e_step(self, theta: Theta, data: Parts) -> tuple[Stats, float]:
        """Return the expected sufficient statistics and the log-likelihood at `theta`.

        Parameters
        ----------
        theta : Theta
            The current guess.
        data : Parts
            From :meth:`prepare`.

        Returns
        -------
        statistics : Stats
            Sums over all parts.
        log_likelihood : float
            In nats.

        Raises
        ------
        RuntimeError
            If the workers were not started by ``with``.
        """
        if self._pool is None:
            raise RuntimeError(
                "the workers run inside a with statement: with Parallel(model) as workers: em(workers, ...)"
            )
        if len(data.bounds) == 1:  # not worth sending
            return self.model.e_step(theta, data.rows)
        from joblib import effective_n_jobs

        n_jobs = min(effective_n_jobs(self.n_jobs), len(data.bounds))
        shares = [data.bounds[k::n_jobs] for k in range(n_jobs)]
        found = self._ask(theta, data, shares)
        in_order = [found[k % n_jobs][k // n_jobs] for k in range(len(data.bounds))]
        return reduce(add, [stats for stats, _ in in_order]), float(sum(value for _, value in in_order))

    def _ask(self, theta: Theta, data: Parts, shares: list[Bounds]) -> list[list[tuple[Stats, float]]]:
        """Return what the workers find in their shares of the parts.

        They are asked through the executor of joblib's pool: the pool itself looks for results every 10 ms, which is
        longer than many an E-step. What goes to and fro is packed here, since joblib looks at each array whether it is
        a large one. Where a worker has not seen the rows, the pool sends them, large arrays as files.
        """
        rows = data.rows.x, data.rows.weights, data.rows.numbers
        executor = getattr(self._pool._backend, "_workers", None)
        if executor is None:  # all is to run in this process
            return [_e_steps(self.model, theta, data.token, share, rows) for share in shares]
        import cloudpickle
        from joblib import delayed

        asked = cloudpickle.dumps((self.model, theta)), data.token
        futures = [executor.submit(_packed_e_steps, *asked, share) for share in shares]
        packed = [future.result() for future in futures]
        if None in packed:
            packed = self._pool(delayed(_packed_e_steps)(*asked, share, rows) for share in shares)
        return [cloudpickle.loads(one) for one in packed]

    def m_step(self, stats: Stats) -> Theta:
        """Return the model's M-step.

        Parameters
        ----------
        stats : Stats
            Statistics of all rows.

        Returns
        -------
        Theta
            The parameters that maximise Q.
        """
        theta: Theta = self.model.m_step(stats)
        return theta

    def pack(self, theta: Theta) -> FloatArray:
        """Return the model's vector of the parameters.

        Parameters
        ----------
        theta : Theta
            The parameters.

        Returns
        -------
        ndarray of shape (p,)
            Unconstrained coordinates.
        """
        vector: FloatArray = self.model.pack(theta)
        return vector

    def unpack(self, vector: FloatArray, like: Theta) -> Theta:
        """Return the parameters of the model's vector.

        Parameters
        ----------
        vector : ndarray of shape (p,)
            The coordinates.
        like : Theta
            Parameters of the same shapes.

        Returns
        -------
        Theta
            The parameters.
        """
        theta: Theta = self.model.unpack(vector, like)
        return theta

    def check_start(self, theta: Theta) -> None:
        """Let the model check a start.

        Parameters
        ----------
        theta : Theta
            Where EM is to start.
        """
        self.model.check_start(theta)

    def score(self, theta: Theta, stats: Stats) -> FloatArray | None:
        """Return the model's gradient of the objective, for :mod:`emlib.acceleration`.

        Parameters
        ----------
        theta : Theta
            The parameters.
        stats : Stats
            Statistics of all rows at `theta`.

        Returns
        -------
        ndarray of shape (p,), or None
            In the coordinates of :meth:`pack`; None where the model cannot tell.
        """
        of_model = getattr(self.model, "score", None)
        return None if of_model is None else of_model(theta, stats)

    def complete_information(self, theta: Theta, stats: Stats) -> Metric:
        """Return the model's information of complete data; asked for only where :meth:`score` is not None.

        Parameters
        ----------
        theta : Theta
            The parameters.
        stats : Stats
            Statistics of all rows at `theta`.

        Returns
        -------
        Metric
            In the coordinates of :meth:`pack`.
        """
        metric: Metric = self.model.complete_information(theta, stats)
        return metric

    def log_prior(self, theta: Theta) -> float:
        """Return the model's log prior density, in nats.

        Parameters
        ----------
        theta : Theta
            The parameters.

        Returns
        -------
        float
            The log density.
        """
        return float(self.model.log_prior(theta))

    def rounding(self, theta: Theta, data: Parts) -> float:
        """Return the model's bound on the rounding error of the log-likelihood.

        Parameters
        ----------
        theta : Theta
            The parameters.
        data : Parts
            From :meth:`prepare`.

        Returns
        -------
        float
            In nats.
        """
        return float(self.model.rounding(theta, data.rows))

    def locate(self, theta: Theta, data: Parts, component: int) -> int | None:
        """Return the row on which a component sits, as the model finds it.

        Parameters
        ----------
        theta : Theta
            The parameters.
        data : Parts
            From :meth:`prepare`.
        component : int
            Index of the component.

        Returns
        -------
        int or None
            The row.
        """
        row: int | None = self.model.locate(theta, data.rows, component)
        return row


_kept: dict[str, tuple[Rows, dict[tuple[int, int], Rows]]] = {}
"""In a worker: the rows of the one run it works for, and the parts it has seen, with what E-steps keep beside them."""


def _packed_e_steps(asked: bytes, token: str, bounds: Bounds, rows: tuple[Any, ...] | None = None) -> bytes | None:
    """Unpack a model and its parameters, and pack what is found; None from a worker that has not seen the rows."""
    import cloudpickle

    if rows is None and token not in _kept:
        return None
    model, theta = cloudpickle.loads(asked)
    return cloudpickle.dumps(_e_steps(model, theta, token, bounds, rows or ()))


def _e_steps(model: Any, theta: Any, token: str, bounds: Bounds, rows: tuple[Any, ...]) -> list[tuple[Any, float]]:
    """Return the E-step of each of some parts; the rows are looked at the first time only."""
    if token not in _kept:
        _kept.clear()
        _kept[token] = Rows(*rows), {}
    whole, parts = _kept[token]
    for start, stop in bounds:
        if (start, stop) not in parts:
            parts[start, stop] = whole.part(start, stop)
    return [model.e_step(theta, parts[part]) for part in bounds]

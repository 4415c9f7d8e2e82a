"""The EM algorithm, knowing no model (note, section 2).

A model offers an E-step and an M-step; :func:`em` runs them in turn, watches the log-likelihood,
and says honestly why it stopped.
"""

from __future__ import annotations

import enum
import math
import numbers
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from emlib import checkpoint as states
from emlib.errors import DegenerateComponent, LikelihoodDecreased
from emlib.progress import shows_rows

if TYPE_CHECKING:
    from emlib._types import FloatArray

Theta = TypeVar("Theta")
Stats = TypeVar("Stats")

EPS = float(np.finfo(np.float64).eps)


class EMModel(Protocol[Theta, Stats]):
    """What :func:`em` needs to know of a model.

    The E-step returns expected sufficient statistics that **add up over rows**, so that a model can
    work through its data chunk by chunk, and the log-likelihood of the very parameters it was given.

    A model may offer more, and :func:`em` uses it when it is there:

    ``prepare(data, sample_weight)``
        called once; what it returns is what ``e_step`` reads. Validates, cuts into chunks.
    ``check_start(theta)``
        called once; raises ValueError for a start outside the parameter space.
    ``log_prior(theta)``
        log density of the parameters, in nats; added to the log-likelihood in the trace (MAP-EM).
    ``rounding(theta, data)``
        a bound on the rounding error of the log-likelihood, in nats; asked for after a fall.
    ``locate(theta, data, component)``
        the row of the data on which a degenerate component sits, or None.
    ``score(theta, stats)``
        the gradient of the objective at `theta` in the coordinates of ``pack``, from the statistics of the E-step
        there (Fisher's identity); None where the model cannot tell. Read by :mod:`emlib.acceleration`.
    ``complete_information(theta, stats)``
        a :class:`~emlib.metric.Metric`: the Fisher information of the complete data, in the same coordinates.
    ``log_joint(theta, data)``
        log density of each row together with each value of what is hidden, shape (n, K); -inf where it cannot be.
        Read by :mod:`emlib.information`, for Louis' formula, unless the model says ``enumerates_hidden = False``.
    """

    def e_step(self, theta: Theta, data: Any, /) -> tuple[Stats, float]:
        """Return the expected sufficient statistics and the log-likelihood, both at `theta`."""
        ...

    def m_step(self, stats: Stats, /) -> Theta:
        """Return the parameters that maximise Q given the statistics."""
        ...

    def pack(self, theta: Theta, /) -> FloatArray:
        """Return the parameters as an unconstrained vector without redundancy."""
        ...

    def unpack(self, vector: FloatArray, like: Theta, /) -> Theta:
        """Return the parameters of a vector, in the shapes of `like`."""
        ...


class Status(enum.Enum):
    """Why an EM run ended."""

    CONVERGED = "converged"
    MAX_ITER = "max_iter"
    DEGENERATE = "degenerate"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, eq=False)
class Point(Generic[Theta, Stats]):
    """Parameters, and what an E-step there found.

    Attributes
    ----------
    theta : Theta
        The parameters.
    stats : Stats
        Expected sufficient statistics at `theta`.
    log_likelihood : float
        In nats.
    objective : float
        The log-likelihood plus the log prior, in nats.
    """

    theta: Theta
    stats: Stats = field(repr=False)
    log_likelihood: float
    objective: float


class EMMap(Generic[Theta, Stats]):
    """The EM map of a model on its data, which counts how often its two halves are evaluated.

    Parameters
    ----------
    model : EMModel
        Gives the E-step and the M-step.
    data : object
        What the model's ``e_step`` reads.

    Attributes
    ----------
    e_steps, m_steps : int
        Evaluations so far. An E-step is one pass over the data.
    """

    def __init__(self, model: EMModel[Theta, Stats], data: Any) -> None:
        self.model, self.data = model, data
        self.e_steps = self.m_steps = 0
        self.log_prior: Callable[[Theta], float] = getattr(model, "log_prior", _flat)
        self.check_start: Callable[[Theta], object] = getattr(model, "check_start", _flat)

    def at(self, theta: Theta) -> Point[Theta, Stats]:
        """Do the E-step at `theta`.

        Parameters
        ----------
        theta : Theta
            Parameters.

        Returns
        -------
        Point
            With the objective at `theta`.
        """
        self.e_steps += 1
        stats, value = self.model.e_step(theta, self.data)
        log_likelihood = float(value)
        return Point(theta, stats, log_likelihood, log_likelihood + float(self.log_prior(theta)))

    def m_step(self, point: Point[Theta, Stats]) -> Theta:
        """Do the M-step from a point.

        Parameters
        ----------
        point : Point
            Where the E-step was done.

        Returns
        -------
        Theta
            The image of ``point.theta`` under the EM map.
        """
        self.m_steps += 1
        return self.model.m_step(point.stats)

    def attempt(self, vector: FloatArray, like: Theta) -> Point[Theta, Stats] | None:
        """Do the E-step at coordinates that may lie outside the parameter space.

        Parameters
        ----------
        vector : ndarray of shape (p,)
            Coordinates of ``pack``.
        like : Theta
            Parameters of the same shapes.

        Returns
        -------
        Point or None
            None outside: where the model refuses the parameters, or the objective is not finite; and on the border,
            where rounding may put a probability and EM would not take it away again.
        """
        point = self._guarded(lambda: self.model.unpack(vector, like))
        on_border = point is not None and not np.isfinite(self.model.pack(point.theta)).all()
        return None if on_border else point

    def attempt_step(self, point: Point[Theta, Stats]) -> Point[Theta, Stats] | None:
        """Do an EM step from a point that EM itself would not have reached.

        Parameters
        ----------
        point : Point
            Where the E-step was done.

        Returns
        -------
        Point or None
            None where the M-step finds no valid parameters.
        """
        return self._guarded(lambda: self.m_step(point))

    def _guarded(self, parameters: Callable[[], Theta]) -> Point[Theta, Stats] | None:
        try:
            with np.errstate(all="ignore"):
                theta = parameters()
                self.check_start(theta)
                point = self.at(theta)
        except (ValueError, ArithmeticError):  # also what a degenerate component and a singular matrix raise
            return None
        return point if np.isfinite(point.objective) else None


class Path(Protocol[Theta, Stats]):
    """One accelerated run, with what it remembers of its earlier iterates.

    For a run that saves checkpoints, the class lists in ``remembers`` the attributes that make up the path's memory;
    what ``begin`` finds again at the last iterate is not among them.

    Attributes
    ----------
    distance : float
        Estimated rise of the objective still to come from the last iterate, in nats; inf when unknown.
    """

    distance: float

    def advance(self, point: Point[Theta, Stats], /) -> Point[Theta, Stats]:
        """Return the next iterate; its objective may not be lower."""
        ...


class Accelerator(Protocol):
    """A way to climb faster than by plain EM steps, over the same EM map: see :mod:`emlib.acceleration`."""

    @property
    def allowed_fall(self) -> float:
        """By how much the objective may fall in one iteration, in nats: 0 for a monotone scheme."""
        ...

    def begin(self, em_map: EMMap[Any, Any], start: Point[Any, Any], /) -> Path[Any, Any]:
        """Return a fresh path; the accelerator itself only holds options."""
        ...


@dataclass(frozen=True, eq=False)
class Iteration(Generic[Theta]):
    """What a callback is shown after each iteration.

    Attributes
    ----------
    number : int
        0 for the start, then 1, 2, ...
    theta : Theta
        The parameters.
    log_likelihood : float
        Their log-likelihood, in nats.
    objective : float
        The log-likelihood plus the log prior, in nats.
    distance : float
        Estimated rise in the objective still to come (inf when unknown): Aitken's, or the accelerator's.
    """

    number: int
    theta: Theta
    log_likelihood: float
    objective: float
    distance: float


@dataclass(frozen=True, eq=False)
class EMResult(Generic[Theta]):
    """What an EM run reached, and how it ended.

    Attributes
    ----------
    theta : Theta
        The last valid parameters.
    log_likelihood : float
        The log-likelihood of `theta`, in nats: bit for bit what the model's E-step returns for it.
    objective : float
        The log-likelihood plus the log prior of `theta`; the same as the log-likelihood without a prior.
    trace : ndarray of shape (n_iter + 1,)
        The objective after iterations 0..n_iter.
    n_iter : int
        Number of iterations: one E-step and one M-step each, or one accepted step of an accelerator.
    status : Status
        Why the run ended.
    message : str
        The same in words, with numbers.
    distance : float
        Estimated rise in the objective still to come, in nats (inf when unknown): Aitken's, or the accelerator's.
    e_steps : int
        E-steps done, that is passes over the data: the start's and those of refused steps included.
    m_steps : int
        M-steps done, that is evaluations of the EM map.
    """

    theta: Theta = field(repr=False)
    log_likelihood: float
    objective: float
    trace: FloatArray = field(repr=False)
    n_iter: int
    status: Status
    message: str
    distance: float
    e_steps: int
    m_steps: int

    @property
    def converged(self) -> bool:
        """Whether the status is ``CONVERGED``."""
        return self.status is Status.CONVERGED


def aitken_distance(trace: list[float] | FloatArray) -> float:
    """Estimate how far the last value of a trace is from its limit.

    EM converges linearly: near the limit each gain is the one before times a rate c < 1, and what is
    still to come is the geometric series ``gain * c / (1 - c)`` (Boehning et al. 1994, Ann. Inst.
    Statist. Math. 46, 373-388). The rate is the larger of the last two ratios of gains, so that one small step is not
    mistaken for the end. The estimate knows only the direction in which EM is moving now: beside a saddle a slower
    one may still be hidden, which a small `tol` brings out and a loose one does not.

    Parameters
    ----------
    trace : sequence of float, shape (n,)
        Objective after each iteration.

    Returns
    -------
    float
        The estimate, in the units of the trace; inf with fewer than four values or when the gains
        do not shrink. Zero when the last two gains are not positive.
    """
    if len(trace) < 4:
        return float("inf")
    first, second, last = trace[-3] - trace[-4], trace[-2] - trace[-3], trace[-1] - trace[-2]
    if last <= 0 and second <= 0:
        return 0.0
    if first <= 0 or second <= 0:
        return float("inf")
    rate = max(last / second, second / first)
    return float(last * rate / (1 - rate)) if rate < 1 else float("inf")


@shows_rows
def em(
    model: EMModel[Theta, Stats],
    data: Any,
    theta: Theta,
    *,
    sample_weight: Any = None,
    tol: float = 1e-10,
    max_iter: int = 1000,
    accelerate: Accelerator | None = None,
    callback: Callable[[Iteration[Theta]], object] | None = None,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> EMResult[Theta]:
    """Run EM from a start until it converges, or say why it did not.

    Parameters
    ----------
    model : EMModel
        Gives the E-step and the M-step.
    data : object
        What the model's ``prepare`` takes, or else its ``e_step``.
    theta : Theta
        The start.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows, passed to ``prepare``; integer weights equal repeated rows.
    tol : float
        The run has converged when the Aitken estimate of the rise still to come is at most `tol` nats of the objective,
        weights included, or when the gains are lost in rounding. ``tol=0`` runs exactly `max_iter` iterations.
    max_iter : int
        The most iterations to run; reaching it is never called converged.
    accelerate : Accelerator, optional
        For example ``emlib.acceleration.QuasiNewton()``: the iterates are then those of that scheme, which estimates
        the rise still to come in its own way. None runs plain EM.
    callback : callable, optional
        Called with an :class:`Iteration` after each iteration, the start included; a true return
        value ends the run with status ``INTERRUPTED``.
    progress : bool
        Show a tqdm progress bar on stderr; during a pass over the data that takes longer than half a second, one of
        its rows too (not with worker processes).
    checkpoint : str or path, optional
        File in which the state is saved after each iteration, before the callback is called
        (:mod:`emlib.checkpoint`). Saving takes some milliseconds.
    resume : str or path, optional
        A saved state to go on from, with the same model, data, start and accelerator: to the same result, bit for
        bit, as without the interruption. `tol` and `max_iter` may differ. The callback is not called again with the
        saved state.

    Returns
    -------
    EMResult
        The last valid parameters, their log-likelihood, the trace and the status.

    Raises
    ------
    LikelihoodDecreased
        If the objective falls by more than rounding.
    ValueError
        If `tol`, `max_iter`, the data or the start are invalid, or the state in `resume` belongs to another run.
    FileNotFoundError
        If there is no file `resume`.
    TypeError
        If `accelerate` is no accelerator, or the parameters cannot be saved.
    """
    _check_options(tol, max_iter, accelerate)
    prepared = _prepare(model, data, sample_weight)
    keeps = checkpoint is not None or resume is not None
    identity = states.identity_of(model, theta, accelerate) if keeps else {}
    saved = None if resume is None else states.read(resume, identity, theta)
    run = _Run(EMMap(model, prepared), theta if saved is None else saved.theta, tol, accelerate)
    if saved is not None:
        run.go_on(saved, max_iter)
    first = run.state.number
    status, message = Status.MAX_ITER, f"stopped after max_iter={max_iter} iterations, not converged"
    steps = _steps(first, max_iter, progress)
    try:
        for number in steps:
            if number > first:
                run.step()
            fresh = number > first or saved is None
            if checkpoint is not None:
                run.save(checkpoint, identity)
            if callback is not None and fresh and callback(run.state):
                status, message = Status.INTERRUPTED, f"the callback ended the run after iteration {number}"
                break
            if tol > 0 and run.converged():
                status, message = Status.CONVERGED, run.why_converged()
                break
            if progress:
                steps.set_postfix(objective=f"{run.state.objective:.6g}", left=f"{run.state.distance:.1e}")
    except DegenerateComponent as error:
        located = error if error.row is not None else error.at_row(run.locate(error.component))
        status, message = (
            Status.DEGENERATE,
            f"{located} Parameters are those of iteration {run.state.number}.",
        )
    except KeyboardInterrupt:
        status, message = Status.INTERRUPTED, f"interrupted after iteration {run.state.number}"
    finally:
        if progress:
            steps.close()
    return run.result(status, message)


class _Run(Generic[Theta, Stats]):
    """The moving parts of one run: the current iterate, its statistics and the trace."""

    def __init__(
        self, em_map: EMMap[Theta, Stats], theta: Theta, tol: float, accelerate: Accelerator | None = None
    ) -> None:
        self.em_map, self.tol = em_map, tol
        self.trace: list[float] = []
        self.path: Path[Theta, Stats] | None = None
        self.allowed_fall = 0.0
        em_map.check_start(theta)
        self._accept(0, em_map.at(theta))
        if accelerate is not None:
            self.path = accelerate.begin(em_map, self.point)
            self.allowed_fall = accelerate.allowed_fall

    def go_on(self, saved: states.Saved, max_iter: int) -> None:
        """Take up a saved run at its last iterate, where this one has just begun."""
        if len(saved.trace) > max_iter + 1:
            raise ValueError(f"the saved run did {len(saved.trace) - 1} iterations, more than max_iter={max_iter}")
        if self.point.log_likelihood != saved.log_likelihood:
            raise ValueError(
                f"the saved run had log-likelihood {saved.log_likelihood!r}, and its parameters have "
                f"{self.point.log_likelihood!r} here: these are other data, or the numerical libraries or their "
                "threads differ. Resume where and with what the run began"
            )
        self.trace = saved.trace[:-1].tolist()
        if self.path is not None:
            states.restore(self.path, saved)
        self._accept(len(self.trace), self.point)
        self.em_map.e_steps, self.em_map.m_steps = saved.e_steps, saved.m_steps

    def save(self, path: str | os.PathLike[str], identity: dict[str, Any]) -> None:
        """Write the current iterate to a file."""
        states.write(
            path,
            identity,
            theta=self.state.theta,
            log_likelihood=self.state.log_likelihood,
            trace=self.trace,
            e_steps=self.em_map.e_steps,
            m_steps=self.em_map.m_steps,
            accelerator=self.path,
        )

    def step(self) -> None:
        """Go to the next iterate; raise if the objective fell beyond rounding."""
        before = self.state
        self._accept(before.number + 1, self._next())
        fall = before.objective - self.state.objective
        if fall > self.allowed_fall + _usual_rounding(self.state.objective):
            # Only now the model's own bound, which takes a pass over the data.
            rounding = self.rounding(before) + self.rounding(self.state)
            if fall > self.allowed_fall + rounding:
                after = self.state
                raise LikelihoodDecreased(after.number, before.objective, after.objective, rounding, before.theta)

    def _next(self) -> Point[Theta, Stats]:
        """Return the image of the current iterate under the EM map, or where the accelerator goes."""
        if self.path is None:
            return self.em_map.at(self.em_map.m_step(self.point))
        return self.path.advance(self.point)

    def _accept(self, number: int, point: Point[Theta, Stats]) -> None:
        """Make `point` the current iterate; an interrupt leaves the previous state whole."""
        if not math.isfinite(point.objective):
            raise ValueError(f"the log-likelihood is {point.log_likelihood} at iteration {number}; it must be finite")
        self.trace.append(point.objective)
        distance = aitken_distance(self.trace[-4:]) if self.path is None else self.path.distance
        self.point = point
        self.state = Iteration(number, point.theta, point.log_likelihood, point.objective, distance)

    def converged(self) -> bool:
        """Whether the rise still to come is below `tol`, or the last two gains are lost in rounding."""
        if self.state.distance <= self.tol:
            return True
        resolution = EPS * max(1.0, abs(self.state.objective))
        return len(self.trace) > 2 and self.trace[-1] - self.trace[-3] <= resolution

    def why_converged(self) -> str:
        """Return the reason in words."""
        if self.state.distance <= self.tol:
            left = f"the estimated rise still to come is {self.state.distance:.2g} <= tol={self.tol:.2g}"
        else:
            left = "the gains are below the resolution of floating point"
        return f"converged after {self.state.number} iterations: {left}"

    def rounding(self, state: Iteration[Theta]) -> float:
        """Return a bound on the rounding error of an iterate's objective."""
        usual = _usual_rounding(state.objective)
        bound = getattr(self.em_map.model, "rounding", None)
        return usual if bound is None else max(usual, bound(state.theta, self.em_map.data))

    def locate(self, component: int) -> int | None:
        """Return the row on which a component sits, where the model can tell."""
        find = getattr(self.em_map.model, "locate", None)
        return None if find is None else find(self.state.theta, self.em_map.data, component)

    def result(self, status: Status, message: str) -> EMResult[Theta]:
        """Return what was reached."""
        state = self.state
        trace = np.array(self.trace[: state.number + 1])
        return EMResult(
            theta=state.theta,
            log_likelihood=state.log_likelihood,
            objective=state.objective,
            trace=trace,
            n_iter=state.number,
            status=status,
            message=message,
            distance=state.distance,
            e_steps=self.em_map.e_steps,
            m_steps=self.em_map.m_steps,
        )


def _usual_rounding(objective: float) -> float:
    """Return the rounding error that any sum of the size of the objective may have."""
    return 32 * EPS * max(1.0, abs(objective))


def _check_options(tol: Any, max_iter: Any, accelerate: Any) -> None:
    if not isinstance(tol, numbers.Real) or not 0 <= float(tol) < float("inf"):
        raise ValueError(f"tol must be at least 0, got {tol!r}: a finite number of nats")
    if not isinstance(max_iter, numbers.Integral) or int(max_iter) < 0:
        raise ValueError(f"max_iter must be at least 0, got {max_iter!r}: a whole number of iterations")
    if accelerate is not None and (isinstance(accelerate, type) or not hasattr(accelerate, "begin")):
        raise TypeError(
            f"accelerate must be None or an accelerator, got {accelerate!r}: for example "
            "emlib.acceleration.QuasiNewton(), or emlib.acceleration.by_name('squarem')"
        )


def _flat(theta: object) -> float:
    """Return the log prior of a model that has none."""
    del theta
    return 0.0


def _prepare(model: Any, data: Any, sample_weight: Any) -> Any:
    if hasattr(model, "prepare"):
        return model.prepare(data, sample_weight)
    if sample_weight is not None:
        raise ValueError(f"{type(model).__name__} has no prepare(data, sample_weight), so it takes no weights")
    return data


def _steps(first: int, max_iter: int, progress: bool) -> Any:
    """Return the numbers first..max_iter, inside a progress bar if asked for."""
    numbers = range(first, max_iter + 1)
    if not progress:
        return numbers
    from tqdm import tqdm

    return tqdm(numbers, desc="EM", unit="it", initial=first, total=max_iter + 1)

"""How surely and how fast: information, standard errors and the rate of EM, for any model at its maximum.

Write I_o for the observed information (minus the Hessian of the objective at its maximum), I_c for the complete
information (minus the Hessian of Q) and J for the Jacobian of the EM map. Then I_o = I_c - I_m, where I_m is the missing
information, and J = I - I_c^-1 I_o = I_c^-1 I_m: the rate at which EM converges *is* the largest fraction of information
that is missing (Dempster, Laird and Rubin 1977, section 3). Three roads lead to I_o, and they share little code:

* ``hessian``: second differences of the objective;
* ``map``: I_c (I - J), from differences of the EM map (Meng and Rubin 1991, J. Amer. Statist. Assoc. 86, 899-909);
* ``louis``: I_c less the posterior variance of the complete-data score (Louis 1982, J. R. Statist. Soc. B 44, 226-233).

All matrices are in the unconstrained coordinates of the model's ``pack``. With a prior, the objective is the
log-likelihood plus the log prior of the natural parameters, and "information" is that of the posterior at its mode: its
inverse is the covariance of the Laplace approximation. Weights of rows count as repetitions of rows do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib import differences
from emlib.em import _prepare
from emlib.errors import NotAMaximum
from emlib.natural import Estimates, Linearised, Natural, estimates, linearise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray
    from emlib.em import EMModel

Theta = TypeVar("Theta")

NEAR = 1e-2  # standard errors from the maximum: nearer than this, curvature has its value at the maximum
RESOLUTION = 1e-6  # a fraction of missing information this close to 1 counts as 1
AGREEMENT = 1e-2  # largest difference between two roads, in units of the complete information
METHODS = ("hessian", "map", "louis")
BOUNDARY = (
    "theta is on the boundary of the parameter space, or so near that floating point does not tell (a weight, "
    "probability or rate of zero): it has no curvature in all directions. Leave the empty part out of the model, or use "
    "a prior."
)


@dataclass(frozen=True, eq=False)
class Information(Generic[Theta]):
    """Information at a maximum, in the coordinates of the model's ``pack``.

    Attributes
    ----------
    theta : Theta
        The parameters.
    observed : ndarray of shape (p, p)
        Observed information I_o, in nats.
    complete : ndarray of shape (p, p)
        Information I_c that the complete data would hold, in nats.
    jacobian : ndarray of shape (p, p)
        Jacobian J of the EM map; also the matrix of the fractions of missing information, I_c^-1 I_m.
    """

    theta: Theta = field(repr=False)
    observed: FloatArray = field(repr=False)
    complete: FloatArray = field(repr=False)
    jacobian: FloatArray = field(repr=False)
    _local: _Local[Theta] = field(repr=False)

    @property
    def missing(self) -> FloatArray:
        """Missing information I_m = I_c - I_o, shape (p, p)."""
        return self.complete - self.observed

    @cached_property
    def fractions(self) -> FloatArray:
        """Fractions of missing information, the eigenvalues of J: shape (p,), from the smallest to the largest."""
        return np.sort(np.linalg.eigvals(self.jacobian).real)

    @property
    def rate(self) -> float:
        """Rate of convergence of EM: the spectral radius of J."""
        return float(np.abs(self.fractions).max())

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of the estimates in pack coordinates, the inverse of I_o: shape (p, p)."""
        return np.linalg.inv(self.observed)

    @property
    def standard_errors(self) -> FloatArray:
        """Standard errors in pack coordinates, shape (p,)."""
        return np.sqrt(np.diagonal(self.covariance))

    def estimates(self, natural: Natural | None = None, *, level: float = 0.95) -> Estimates:
        """Return named parameters with standard errors and confidence intervals.

        Parameters
        ----------
        natural : callable, optional
            ``natural(theta)`` gives a dict of names and numbers: whatever functions of the parameters are of interest.
            By default all numbers in `theta`, under the names by which Python reaches them.
        level : float
            Nominal coverage of the intervals.

        Returns
        -------
        Estimates
            By the delta method; the intervals are those of a normal distribution.
        """
        return estimates(self._local.linearised(natural), self.covariance, level)


@dataclass(frozen=True, eq=False)
class Distance:
    """How far a point is from the limit of EM, bounded from one EM step.

    Near the limit the error e obeys e' = J e, so the step to come is (J - I) e. In the metric of I_c the map is self-adjoint
    with eigenvalues in [0, r], whence ``|e| <= |step| / (1 - r)`` before the step and ``|step| r / (1 - r)`` after it.
    To first order: J and I_c are those of the point, not of the limit.

    Attributes
    ----------
    step : ndarray of shape (p,)
        The next EM step, in pack coordinates.
    rate : float
        Largest eigenvalue r of J at the point.
    radius : float
        Bound on the distance in complete-data standard deviations; inf where the rate is 1 or more.
    nats : float
        Bound on the rise of the objective still to come; inf where the rate is 1 or more.
    """

    step: FloatArray
    rate: float
    radius: float
    nats: float
    _complete: FloatArray = field(repr=False)
    _local: _Local[Any] = field(repr=False)

    def parameters(self, natural: Natural | None = None) -> dict[str, float]:
        """Return a bound on the distance of each named parameter from its limit.

        Parameters
        ----------
        natural : callable, optional
            As for :meth:`Information.estimates`.

        Returns
        -------
        dict of str to float
            In the units of the parameters.
        """
        linear = self._local.linearised(natural)
        reach = linear.deviations(np.linalg.inv(self._complete)) * self.radius
        return dict(zip(linear.names, reach.tolist(), strict=True))


def information_at(
    model: EMModel[Theta, Any], theta: Theta, data: Any, *, sample_weight: ArrayLike | None = None
) -> Information[Theta]:
    """Return the information at a maximum, and with it standard errors and the rate of EM.

    Parameters
    ----------
    model : EMModel
        With ``pack`` and ``unpack``. The complete information comes from the Q of a model that offers ``log_joint(theta,
        data)``, shape (n, K): log densities of row i together with the k-th value of what is hidden (-inf where it
        cannot be); or from its ``complete_information(theta, stats)``, shape (p, p); or else from I_o (I - J)^-1.
    theta : Theta
        Where EM ended.
    data : object
        As for :func:`emlib.em.em`.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows; they count as repetitions, so standard errors mean something for counts only.

    Returns
    -------
    Information
        At `theta`.

    Raises
    ------
    NotAMaximum
        If `theta` is on the boundary, not stationary, held by a constraint, a saddle, or on a ridge (parameters that
        the data do not identify); the message names the direction.
    ArithmeticError
        If I_c (I - J) is not I_o: then the M-step does not maximise Q, or the E-step gives another log-likelihood.
    TypeError
        If the model cannot be packed.
    """
    local = _Local(model, theta, data, sample_weight)
    local.check_stationary()
    jacobian = local.jacobian
    local.check_identified(jacobian)
    observed = local.by_hessian()
    complete = local.complete()
    if complete is None:
        complete = observed @ np.linalg.inv(np.eye(len(jacobian)) - jacobian)
    _check_agreement(observed, complete, jacobian)
    local.check_near(jacobian, observed)
    return Information(theta, observed, (complete + complete.T) / 2, jacobian, local)


def observed_information(
    model: EMModel[Theta, Any],
    theta: Theta,
    data: Any,
    *,
    method: str = "hessian",
    sample_weight: ArrayLike | None = None,
) -> FloatArray:
    """Return the observed information at a stationary point by one of three roads.

    Parameters
    ----------
    model : EMModel
        As for :func:`information_at`.
    theta : Theta
        Where EM ended.
    data : object
        As for :func:`emlib.em.em`.
    method : {'hessian', 'map', 'louis'}
        Second differences of the objective; I_c (I - J); or I_c less the posterior variance of the complete score.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows.

    Returns
    -------
    ndarray of shape (p, p)
        Symmetric, in nats, in pack coordinates. Not positive definite at a saddle or on a ridge.

    Raises
    ------
    NotAMaximum
        If `theta` is on the boundary, not stationary or held by a constraint.
    TypeError
        If the model does not offer what the method needs.
    ValueError
        If the method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    local = _Local(model, theta, data, sample_weight)
    local.check_stationary()
    if method == "hessian":
        return local.by_hessian()
    complete = local.complete()
    if complete is None:
        raise TypeError(
            f"{type(model).__name__} offers neither log_joint(theta, data) nor complete_information(theta, stats), one "
            f"of which method {method!r} needs: use method 'hessian'"
        )
    if method == "louis":
        return complete - local.score_variance()
    by_map = complete @ (np.eye(len(complete)) - local.jacobian)
    return (by_map + by_map.T) / 2


def em_jacobian(
    model: EMModel[Theta, Any], theta: Theta, data: Any, *, sample_weight: ArrayLike | None = None
) -> FloatArray:
    """Return the Jacobian of the EM map in pack coordinates; at a maximum its spectral radius is the rate of EM.

    Parameters
    ----------
    model : EMModel
        With ``pack`` and ``unpack``.
    theta : Theta
        Where it is taken; any point inside the parameter space.
    data : object
        As for :func:`emlib.em.em`.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows.

    Returns
    -------
    ndarray of shape (p, p)
        Entry (i, j) is the derivative of new coordinate i by old coordinate j.

    Raises
    ------
    NotAMaximum
        If `theta` is on the boundary, where coordinates are infinite.
    TypeError
        If the model cannot be packed.
    """
    return _Local(model, theta, data, sample_weight).jacobian


def distance_to_limit(
    model: EMModel[Theta, Any], theta: Theta, data: Any, *, sample_weight: ArrayLike | None = None
) -> Distance:
    """Bound how far a point is from the limit of EM: a small step at a slow rate is a long way.

    Parameters
    ----------
    model : EMModel
        As for :func:`information_at`.
    theta : Theta
        An iterate of EM that is close to its limit.
    data : object
        As for :func:`emlib.em.em`.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows.

    Returns
    -------
    Distance
        Bounds in parameters and in nats, valid to first order.

    Raises
    ------
    NotAMaximum
        If `theta` is on the boundary, or so far from a maximum that Q has no maximum near by.
    TypeError
        If the model cannot be packed.
    """
    local = _Local(model, theta, data, sample_weight)
    jacobian = local.jacobian
    step = local.em_map(local.vector) - local.vector
    rate = float(np.linalg.eigvals(jacobian).real.max())
    complete = local.complete()
    if complete is None:
        complete = local.by_hessian() @ np.linalg.pinv(np.eye(len(step)) - jacobian)
        complete = (complete + complete.T) / 2
    if not np.linalg.eigvalsh(complete)[0] > 0:
        raise NotAMaximum("the complete information is not positive definite: run em further before asking.", {})
    length = float(np.sqrt(step @ complete @ step))
    known = rate < 1 - RESOLUTION
    radius = length / (1 - rate) if known else np.inf
    nats = length**2 / (1 - rate) / 2 if known else np.inf
    return Distance(step, rate, radius, nats, complete, local)


def _check_agreement(observed: FloatArray, complete: FloatArray, jacobian: FloatArray) -> None:
    """Raise unless I_c (I - J) = I_o and both are positive definite: an identity that a wrong model breaks."""
    by_map = complete @ (np.eye(len(jacobian)) - jacobian)
    scale = np.sqrt(np.abs(np.diagonal(complete)))
    asymmetry = np.abs((complete - complete.T) / np.outer(scale, scale)).max()
    gap = max(np.abs((by_map - observed) / np.outer(scale, scale)).max(), asymmetry)
    if not (gap < AGREEMENT and np.linalg.eigvalsh(observed)[0] > 0):
        raise ArithmeticError(
            f"the observed information from the EM map and from the Hessian differ by {gap:.2g} of the complete "
            "information: check that m_step maximises Q and that e_step returns the log-likelihood of its theta"
        )


class _Local(Generic[Theta]):
    """A model and its data as functions of a coordinate vector, near the vector of `theta`."""

    def __init__(self, model: EMModel[Theta, Any], theta: Theta, data: Any, sample_weight: Any) -> None:
        self.model, self.theta = model, theta
        self.data = _prepare(model, data, sample_weight)
        try:
            self.vector = np.asarray(model.pack(theta), dtype=np.float64)
        except AttributeError as error:
            raise TypeError(f"{type(model).__name__} cannot be packed: {error}. Give it pack and unpack") from error
        if not np.isfinite(self.vector).all():
            raise NotAMaximum(BOUNDARY, {})

    @cached_property
    def steps(self) -> FloatArray:
        """Steps for differences, shape (p,); raises where floating point does not resolve them."""
        steps = differences.steps_of(self.objective, self.vector)
        for j, step in enumerate(steps):
            moved = self.vector.copy()
            moved[j] += step
            if not abs(self.model.pack(self.unpack(moved))[j] - moved[j]) <= RESOLUTION * step:
                raise NotAMaximum(BOUNDARY, {})
        return steps

    @cached_property
    def jacobian(self) -> FloatArray:
        return differences.jacobian(self.em_map, self.vector, self.steps)

    def unpack(self, vector: FloatArray) -> Theta:
        return self.model.unpack(vector, self.theta)

    def objective(self, vector: FloatArray) -> float:
        theta = self.unpack(vector)
        return self.model.e_step(theta, self.data)[1] + self.log_prior(theta)

    def log_prior(self, theta: Theta) -> float:
        prior = getattr(self.model, "log_prior", None)
        return 0.0 if prior is None else float(prior(theta))

    def em_map(self, vector: FloatArray) -> FloatArray:
        stats, _ = self.model.e_step(self.unpack(vector), self.data)
        return np.asarray(self.model.pack(self.model.m_step(stats)))

    def linearised(self, natural: Natural | None = None) -> Linearised:
        return linearise(self.unpack, self.vector, self.steps, natural)

    def by_hessian(self) -> FloatArray:
        return -differences.hessian(self.objective, self.vector, self.steps)

    def complete(self) -> FloatArray | None:
        """Return minus the Hessian of Q plus the log prior, or None where the model does not offer it."""
        if hasattr(self.model, "log_joint"):
            posterior, weights = self.posterior, self.weights

            def q(vector: FloatArray) -> float:
                return float(weights @ (posterior * self.scored(vector)).sum(axis=1)) + self.log_prior(
                    self.unpack(vector)
                )

            return -differences.hessian(q, self.vector, self.steps)
        if hasattr(self.model, "complete_information"):
            stats, _ = self.model.e_step(self.theta, self.data)
            return np.asarray(self.model.complete_information(self.theta, stats), dtype=np.float64)
        return None

    @cached_property
    def posterior(self) -> FloatArray:
        """Posterior probabilities of the hidden values of each row, shape (n, K)."""
        from scipy.special import softmax

        return np.asarray(softmax(self.model.log_joint(self.theta, self.data), axis=1))  # type: ignore[attr-defined]

    @cached_property
    def weights(self) -> FloatArray:
        """Weights of the rows, shape (n,)."""
        weights = getattr(self.data, "weights", None)
        return np.ones(len(self.posterior)) if weights is None else np.asarray(weights)

    def scored(self, vector: FloatArray) -> FloatArray:
        """Return log_joint, shape (n, K), with 0 where the hidden value is impossible and counts nothing."""
        log_joint = self.model.log_joint(self.unpack(vector), self.data)  # type: ignore[attr-defined]
        return np.where(self.posterior > 0, log_joint, 0.0)

    def score_variance(self) -> FloatArray:
        """Return the posterior variance of the complete-data score, summed over rows: the missing information."""
        if not hasattr(self.model, "log_joint"):
            raise TypeError(f"{type(self.model).__name__} has no log_joint(theta, data), which method 'louis' needs")
        scores = differences.jacobian(self.scored, self.vector, self.steps)
        centered = scores - np.einsum("nk,nkp->np", self.posterior, scores)[:, None, :]
        return np.einsum("nk,nkp,nkq->pq", self.posterior * self.weights[:, None], centered, centered, optimize=True)

    def check_stationary(self) -> None:
        """Raise if the objective still rises along a coordinate."""
        gradient = differences.jacobian(lambda u: np.array(self.objective(u)), self.vector, self.steps)
        rise = np.abs(gradient) * self.steps  # nats per 0.4 conditional standard errors
        if rise.max() <= 0.4 * NEAR:
            return
        step = np.abs(self.em_map(self.vector) - self.vector) / self.steps
        uphill = self.moves(gradient * self.steps**2 / rise.max())
        if step.max() < RESOLUTION * rise.max():
            raise NotAMaximum(
                "EM stands still although the objective rises: a constraint, such as covariance_floor, holds it. "
                "Standard errors belong to maxima inside the parameter space.",
                uphill,
            )
        raise NotAMaximum("theta is not a maximum: the objective still rises. Run em with a smaller tol.", uphill)

    def check_identified(self, jacobian: FloatArray) -> None:
        """Raise if EM leaves the point in some direction (a saddle), or does not move along one (a ridge)."""
        values, vectors = np.linalg.eig(jacobian)
        worst = int(np.argmax(values.real))
        rate, direction = float(values[worst].real), vectors[:, worst].real
        if rate < 1 - RESOLUTION:
            return
        moves = self.moves(direction / np.abs(direction / self.steps).max())
        if rate > 1 + RESOLUTION:
            raise NotAMaximum(
                f"theta is a saddle: EM moves away from it by a factor of {rate:.6g} an iteration. Disturb it and run em "
                "again.",
                moves,
            )
        raise NotAMaximum(
            "the observed information is singular: the data do not tell the parameters along a line apart, or the line "
            "leads to the boundary of the parameter space. Use a smaller model or a prior.",
            moves,
        )

    def check_near(self, jacobian: FloatArray, observed: FloatArray) -> None:
        """Raise if the limit to which the steps of EM add up is far, in standard errors or in steps of differences."""
        to_come = np.linalg.solve(np.eye(len(jacobian)) - jacobian, self.em_map(self.vector) - self.vector)
        distance = float(np.sqrt(to_come @ observed @ to_come))
        if distance > NEAR or np.abs(to_come / self.steps).max() > 1:
            raise NotAMaximum(
                f"theta is about {distance:.2g} standard errors from where EM is heading, along a line on which the "
                "likelihood is too flat to tell: run em with a smaller tol. If that does not help, EM is on its way "
                "to the boundary of the parameter space.",
                self.moves(to_come),
            )

    def moves(self, direction: FloatArray) -> dict[str, float]:
        """Return the three named parameters that a direction changes most, in units of what a step changes."""
        linear = self.linearised()
        change = linear.gradients @ direction
        size = linear.deviations(np.diag(self.steps**2))
        relative = np.abs(change) / np.where(size > 0, size, np.inf)
        most = np.argsort(-relative, kind="stable")[:3]
        return {linear.names[k]: float(change[k]) for k in most if relative[k] > 1e-3}

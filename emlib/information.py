"""How surely and how fast: information, standard errors and the rate of EM, for any model at its maximum.

Write I_o for the observed information (minus the Hessian of the objective at its maximum), I_c for the complete
information (minus the Hessian of Q) and J for the Jacobian of the EM map. Then I_o = I_c - I_m, where I_m is the
missing information, and J = I - I_c^-1 I_o = I_c^-1 I_m: the rate at which EM converges *is* the largest fraction of
information that is missing (Dempster, Laird and Rubin 1977, section 3). Three roads lead to I_o, and share little code:

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

from emlib._local import RESOLUTION, Local
from emlib.errors import NotAMaximum
from emlib.natural import Estimates, Natural, estimates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray
    from emlib.em import EMModel

Theta = TypeVar("Theta")

AGREEMENT = 1e-2  # largest difference between two roads, in units of the complete information
METHODS = ("hessian", "map", "louis")


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
    local : Local
        The model and its data near `theta`, for derivatives of functions of the parameters.
    """

    theta: Theta = field(repr=False)
    observed: FloatArray = field(repr=False)
    complete: FloatArray = field(repr=False)
    jacobian: FloatArray = field(repr=False)
    local: Local[Theta] = field(repr=False)

    @property
    def missing(self) -> FloatArray:
        """Missing information I_m = I_c - I_o, shape (p, p)."""
        return self.complete - self.observed

    @cached_property
    def fractions(self) -> FloatArray:
        """Fractions of missing information, the eigenvalues of J: shape (p,), from the smallest to the largest."""
        return np.sort(np.linalg.eigvals(self.jacobian).real).astype(np.float64)

    @property
    def rate(self) -> float:
        """Rate of convergence of EM: the spectral radius of J."""
        return float(np.abs(self.fractions).max())

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of the estimates in pack coordinates, the inverse of I_o: shape (p, p)."""
        return np.asarray(np.linalg.inv(self.observed), dtype=np.float64)

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
        return estimates(self.local.linearised(natural), self.covariance, level)


@dataclass(frozen=True, eq=False)
class Distance:
    """How far a point is from the limit of EM, bounded from one EM step.

    Near the limit the error e obeys e' = J e, so the step to come is (J - I) e. In the metric of I_c the map is
    self-adjoint with eigenvalues in [0, r], whence ``|e| <= |step| / (1 - r)`` before the step, and
    ``|step| r / (1 - r)`` after it. To first order: J and I_c are those of the point, not of the limit.

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
    complete : ndarray of shape (p, p)
        Complete information at the point, the metric of the bounds.
    local : Local
        The model and its data near the point.
    """

    step: FloatArray
    rate: float
    radius: float
    nats: float
    complete: FloatArray = field(repr=False)
    local: Local[Any] = field(repr=False)

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
        linear = self.local.linearised(natural)
        covariance = np.asarray(np.linalg.inv(self.complete), dtype=np.float64)
        reach = linear.deviations(covariance) * self.radius
        return dict(zip(linear.names, reach.tolist(), strict=True))


def information_at(
    model: EMModel[Theta, Any], theta: Theta, data: Any, *, sample_weight: ArrayLike | None = None
) -> Information[Theta]:
    """Return the information at a maximum, and with it standard errors and the rate of EM.

    Parameters
    ----------
    model : EMModel
        With ``pack`` and ``unpack``. The complete information comes from the Q of a model that offers
        ``log_joint(theta, data)``, shape (n, K): log densities of row i together with the k-th value of what is
        hidden, -inf where it cannot be (a model whose rows hide more than that says ``enumerates_hidden = False``,
        and its log_joint is not used); or from its ``complete_information(theta, stats)``, a
        :class:`~emlib.metric.Metric`, with the statistics of the E-step at theta; or else from I_o (I - J)^-1.
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
    local = Local(model, theta, data, sample_weight)
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
    local = Local(model, theta, data, sample_weight)
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
    return Local(model, theta, data, sample_weight).jacobian


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
    local = Local(model, theta, data, sample_weight)
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

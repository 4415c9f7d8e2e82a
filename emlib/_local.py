"""A model and its data as functions of a coordinate vector, and whether a point is a maximum of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib import differences
from emlib.em import _prepare
from emlib.errors import NotAMaximum
from emlib.natural import Linearised, Natural, linearise

if TYPE_CHECKING:
    from emlib._types import FloatArray
    from emlib.em import EMModel

Theta = TypeVar("Theta")

NEAR = 1e-2  # standard errors from the maximum: nearer than this, curvature has its value at the maximum
RESOLUTION = 1e-6  # a fraction of missing information this close to 1 counts as 1
HELD = 1e-4  # an EM step this small against the gradient is held back, unless EM is slower than 0.99998
BOUNDARY = (
    "theta is on the boundary of the parameter space, or so near that floating point does not tell (a weight, "
    "probability or rate of zero): it has no curvature in all directions. Leave the empty part out of the model, or "
    "use a prior."
)


class Local(Generic[Theta]):
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
        if self.enumerates:
            posterior, weights = self.posterior, self.weights

            def q(vector: FloatArray) -> float:
                expected = float(weights @ (posterior * self.scored(vector)).sum(axis=1))
                return expected + self.log_prior(self.unpack(vector))

            return -differences.hessian(q, self.vector, self.steps)
        if hasattr(self.model, "complete_information"):
            stats, _ = self.model.e_step(self.theta, self.data)
            metric = self.model.complete_information(self.theta, stats)
            return np.array([metric.times(unit) for unit in np.eye(len(self.vector))])
        return None

    @property
    def enumerates(self) -> bool:
        """Whether the model lists all that is hidden in a row, value by value."""
        return hasattr(self.model, "log_joint") and getattr(self.model, "enumerates_hidden", True)

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
        if not self.enumerates:
            raise TypeError(
                f"{type(self.model).__name__} has no log_joint(theta, data) over all that is hidden, which method "
                "'louis' needs"
            )
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
        if step.max() < HELD * rise.max():
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
        lengths = direction / self.steps
        moves = self.moves(direction / lengths[np.abs(lengths).argmax()])  # an eigenvector has no sign: choose one
        if rate > 1 + RESOLUTION:
            raise NotAMaximum(
                f"theta is a saddle: EM moves away from it by a factor of {rate:.6g} an iteration. Disturb it and run "
                "em again.",
                moves,
            )
        raise NotAMaximum(
            "the observed information is singular: the data do not tell the parameters along a line apart, or the line "
            "leads to the boundary of the parameter space. Use a smaller model or a prior.",
            moves,
        )

    def check_near(self, jacobian: FloatArray, observed: FloatArray) -> None:
        """Raise if the limit to which the steps of EM add up is far, in standard errors or in steps of differences."""
        step = self.em_map(self.vector) - self.vector
        to_come = np.asarray(np.linalg.solve(np.eye(len(jacobian)) - jacobian, step), dtype=np.float64)
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

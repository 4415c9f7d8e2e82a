"""What a mixture needs to know of its components: a family of densities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from emlib._types import FloatArray

Params = TypeVar("Params")
Sums = TypeVar("Sums")
OneParams = TypeVar("OneParams")


class Family(Protocol[Params, Sums]):
    """M components of one kind at once; the statistics add up over chunks of rows.

    A family may also offer ``check(x)`` (refuse rows outside its support), ``check_start(theta)``,
    ``log_prior(theta)``, ``magnitude(theta, x)`` (for rounding), ``sample(theta, labels, rng)``,
    ``pack(theta)`` and ``unpack(vector, like)``, and for acceleration, in the coordinates of ``pack``,
    ``score(theta, stats)`` and ``complete_information(theta, stats)``; a mixture uses them where they are.
    """

    def log_prob(self, theta: Params, x: FloatArray, /) -> FloatArray:
        """Return log densities, shape (n, M), in nats."""
        ...

    def statistics(self, theta: Params | None, x: FloatArray, responsibilities: FloatArray, /) -> Sums:
        """Return weighted sums over rows x (n, d) with responsibilities (n, M); they support ``+``."""
        ...

    def from_statistics(self, stats: Sums, /) -> Params:
        """Return the parameters that maximise Q given the sums."""
        ...


class WeightedFit(Protocol[OneParams]):
    """A quick start: one component at a time, from a log density and a weighted fit, in memory."""

    def log_prob(self, theta: OneParams, x: FloatArray, /) -> FloatArray:
        """Return log densities of one component, shape (n,), in nats."""
        ...

    def fit(self, x: FloatArray, weights: FloatArray, /) -> OneParams:
        """Return the parameters that maximise ``weights @ log_prob(theta, x)``."""
        ...

"""Published results on counts: the linkage data, Hasselblad's Poisson mixture, and two coins."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.acceleration import Squarem
from emlib.datasets import load_do_batzoglou, load_hasselblad, load_linkage
from emlib.em import EMResult, em
from emlib.models.components.bernoulli import BernoulliParameters
from emlib.models.components.binomial import Binomial
from emlib.models.components.discrete import Totals
from emlib.models.components.poisson import Poisson, PoissonParameters
from emlib.models.linkage import Linkage, LinkageParameters
from emlib.models.mixture import Mixture, MixtureParameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emlib._types import FloatArray
    from emlib.em import Iteration

HASSELBLAD_START = (0.44629444987719813, 5.34339807302638548, 0.87135129826869884)


# --- linkage --------------------------------------------------------------------------------------------------


@cache
def _linkage(n_iter: int) -> tuple[FloatArray, EMResult[LinkageParameters]]:
    """Return the iterates 0..n_iter of EM from 0.5, and the run."""
    path: list[float] = []
    run = em(
        Linkage(),
        load_linkage().data,
        LinkageParameters(0.5),
        tol=0,
        max_iter=n_iter,
        callback=lambda iteration: path.append(iteration.theta.pi),
    )
    return np.array(path), run


def linkage_iterates() -> FloatArray:
    return _linkage(8)[0][1:]


def linkage_mle() -> list[float]:
    return [_linkage(40)[1].theta.pi]


def linkage_ratio() -> FloatArray:
    error = _linkage(8)[0] - _linkage(40)[1].theta.pi
    return error[1:6] / error[:5]


def linkage_log_likelihood() -> FloatArray:
    """Leave out the multinomial coefficient and the divisor 4 of each probability, as the source does."""
    from scipy.special import gammaln

    counts = load_linkage().data[0]
    coefficient = gammaln(counts.sum() + 1) - gammaln(counts + 1).sum()
    return _linkage(8)[1].trace[:5] - (coefficient - counts.sum() * np.log(4))


def linkage_information() -> list[float]:
    """Follow Louis: what the complete data would tell about pi, less what is lost with the unseen cell."""
    pi = _linkage(40)[1].theta.pi
    expected, _ = Linkage().e_step(LinkageParameters(pi), load_linkage().data)
    share = pi / (2 + pi)
    complete = expected.for_pi / pi**2 + expected.against_pi / (1 - pi) ** 2
    missing = load_linkage().data[0, 0] * share * (1 - share) / pi**2
    return [complete, missing, complete - missing, (complete - missing) ** -0.5]


# --- Poisson --------------------------------------------------------------------------------------------------


def _hasselblad(**options: Any) -> EMResult[MixtureParameters[PoissonParameters]]:
    """Run EM on the deaths from the start of SQUAREM's vignette."""
    deaths, days = load_hasselblad().data.T
    return em(Mixture(Poisson()), deaths[:, None], _from_vector(HASSELBLAD_START), sample_weight=days, **options)


def _as_vector(theta: MixtureParameters[PoissonParameters]) -> FloatArray:
    """Return weight, rate, rate: the coordinates in which the vignette measures a step."""
    return np.concatenate([theta.weights[:1], theta.components.rates[:, 0]])


def _from_vector(vector: Sequence[float] | FloatArray) -> MixtureParameters[PoissonParameters]:
    """Return the parameters with given weight, rate, rate."""
    weight, one, other = vector
    return MixtureParameters(np.array([weight, 1 - weight]), PoissonParameters(np.array([[one], [other]])))


@cache
def _hasselblad_maximum() -> EMResult[MixtureParameters[PoissonParameters]]:
    return _hasselblad(tol=0, max_iter=5000)


def poisson_maximum() -> list[float]:
    theta = _hasselblad_maximum().theta
    rates = theta.components.rates[:, 0]
    low = int(np.argmin(rates))
    return [theta.weights[low], rates[low], rates[1 - low]]


def poisson_log_likelihood() -> list[float]:
    return [-_hasselblad_maximum().log_likelihood]


def poisson_em_steps() -> list[float]:
    last = [np.full(3, np.inf)]

    def is_short(iteration: Iteration[MixtureParameters[PoissonParameters]]) -> bool:
        here = _as_vector(iteration.theta)
        length = float(np.linalg.norm(here - last[0]))
        last[0] = here
        return length < 1e-8

    return [_hasselblad(tol=0, max_iter=5000, callback=is_short).n_iter]


class _InVignetteCoordinates(Mixture[PoissonParameters, Totals]):
    """The mixture in the coordinates weight, rate, rate, in which R's package extrapolates."""

    def pack(self, theta: MixtureParameters[PoissonParameters]) -> FloatArray:
        return _as_vector(theta)

    def unpack(
        self, vector: FloatArray, like: MixtureParameters[PoissonParameters]
    ) -> MixtureParameters[PoissonParameters]:
        del like
        return _from_vector(vector)


def poisson_squarem_steps() -> list[float]:
    """Count as R does: iterations from 1, the EM step that tells a run has ended, one log-likelihood an iteration.

    R's package lets the log-likelihood fall by up to 1 nat, as here; emlib does not unless told to.
    """
    deaths, days = load_hasselblad().data.T
    model = _InVignetteCoordinates(Poisson())
    rows = model.prepare(deaths[:, None], days)

    def is_short(iteration: Iteration[MixtureParameters[PoissonParameters]]) -> bool:
        image = model.m_step(model.e_step(iteration.theta, rows)[0])
        return float(np.linalg.norm(_as_vector(image) - _as_vector(iteration.theta))) < 1e-8

    scheme = Squarem(step_min=1, step_max=1, growth=4, allowed_fall=1)
    run = em(model, rows, _from_vector(HASSELBLAD_START), tol=0, accelerate=scheme, callback=is_short)
    return [run.n_iter + 1, run.m_steps + 1, len(run.trace)]


# --- coins ----------------------------------------------------------------------------------------------------


def _coins(**options: Any) -> EMResult[MixtureParameters[BernoulliParameters]]:
    """Run EM on the tosses from the chances (0.6, 0.5) of the figure."""
    start = MixtureParameters(np.array([0.5, 0.5]), BernoulliParameters(np.array([[0.6], [0.5]])))
    return em(_coin_model(), load_do_batzoglou().data[:, :1], start, **options)


def _coin_model() -> Mixture[BernoulliParameters, Any]:
    return Mixture(Binomial(int(load_do_batzoglou().data[0, 1])), fixed_weights=[0.5, 0.5])


def coins() -> list[float]:
    once, ten_times = (_coins(tol=0, max_iter=n).theta.components.probabilities[:, 0] for n in (1, 10))
    first = _coins(tol=0, max_iter=0).theta
    expected, _ = _coin_model().e_step(first, load_do_batzoglou().data[:, :1])
    heads = expected.components.sums[:, 0]
    tails = expected.masses * 10 - heads
    return [*once, *ten_times, heads[0], tails[0], heads[1], tails[1]]


def coins_at_the_end() -> FloatArray:
    path: list[FloatArray] = []

    def stands_still(iteration: Iteration[MixtureParameters[BernoulliParameters]]) -> bool:
        path.append(iteration.theta.components.probabilities[:, 0])
        return len(path) > 1 and float(np.abs(path[-1] - path[-2]).max()) < 1e-6

    _coins(tol=0, max_iter=100, callback=stands_still)
    return path[-2]

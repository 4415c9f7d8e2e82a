"""The linkage model of Dempster, Laird and Rubin: each part of it against SciPy or algebra by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from emlib import LikelihoodDecreased, Linkage, LinkageParameters, Status, em
from emlib.models.linkage import LinkageStatistics
from tests.invariants import gradient

RAO = np.array([[125.0, 18, 20, 34]])
START = LinkageParameters(0.5)
EXACT = (15 + np.sqrt(53809)) / 394  # root of the score: 197 pi^2 - 15 pi - 68 = 0


def probabilities(pi: float) -> list[float]:
    return [1 / 2 + pi / 4, (1 - pi) / 4, (1 - pi) / 4, pi / 4]


def random_counts(seed: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.multinomial(rng.integers(5, 300), probabilities(rng.uniform(0.05, 0.95)), size=3).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_log_likelihood_is_scipys(seed: int) -> None:
    counts = random_counts(seed)
    weights = np.array([1.0, 2.5, 0.5])
    for pi in (0.1, 0.5, 0.9):
        log_pmf = stats.multinomial.logpmf(counts, counts.sum(axis=1), probabilities(pi))
        _, value = Linkage().e_step(LinkageParameters(pi), Linkage().prepare(counts, weights))
        assert_allclose(value, weights @ log_pmf, rtol=1e-11)


def test_first_step_by_hand() -> None:
    """Of 125 animals a fifth, 25, is expected in the second cell: pi = (25 + 34) / (25 + 34 + 38)."""
    statistics, _ = Linkage().e_step(START, RAO)
    assert statistics == LinkageStatistics(59.0, 38.0)
    assert Linkage().m_step(statistics).pi == 59 / 97


@pytest.mark.parametrize("seed", range(5))
def test_ascent_and_a_flat_top(seed: int) -> None:
    """SciPy's likelihood rises with every step, and its slope vanishes at the limit."""
    counts, iterates = random_counts(seed), []
    result = em(Linkage(), counts, START, tol=1e-12, callback=lambda it: iterates.append(it.theta.pi))
    assert result.status is Status.CONVERGED
    values = [stats.multinomial.logpmf(counts, counts.sum(axis=1), probabilities(pi)).sum() for pi in iterates]
    assert all(after >= before - 1e-10 for before, after in pairwise(values))
    model, at = Linkage(), Linkage().pack(result.theta)
    slope = gradient(lambda v: model.e_step(model.unpack(v, START), counts)[1], at)
    assert_allclose(slope, [0], atol=1e-4)


def test_the_limit_is_the_root_of_the_score() -> None:
    assert_allclose(em(Linkage(), RAO, START, tol=1e-14).theta.pi, EXACT, rtol=1e-7)
    assert_allclose(em(Linkage(), RAO, START, tol=0, max_iter=40).theta.pi, EXACT, rtol=1e-15)


def test_weights_are_repetition_and_rows_add_up() -> None:
    counts, options = random_counts(1), {"tol": 0, "max_iter": 5}
    repeated = em(Linkage(), np.repeat(counts, [2, 0, 3], axis=0), START, **options)
    weighted = em(Linkage(), counts, START, sample_weight=[2, 0, 3], **options)
    unweighted = em(Linkage(), counts, START, **options)
    assert_allclose(weighted.theta.pi, repeated.theta.pi, rtol=1e-14)
    assert_allclose(weighted.trace, repeated.trace, rtol=1e-12)
    assert abs(unweighted.theta.pi - weighted.theta.pi) > 1e-6  # the weights did count
    parts = [Linkage().e_step(START, counts[[k]])[0] for k in range(3)]
    whole = Linkage().e_step(START, counts)[0]
    assert_allclose((parts[0] + parts[1] + parts[2]).for_pi, whole.for_pi, rtol=1e-14)


def test_pack_and_unpack() -> None:
    model = Linkage()
    for pi in (1e-6, 0.3, 0.999):
        vector = model.pack(LinkageParameters(pi))
        assert vector.shape == (1,)
        assert_allclose(model.unpack(vector, START).pi, pi, rtol=1e-12)
    assert_allclose(model.pack(LinkageParameters(0.2)), [np.log(0.25)])


def test_edges_of_the_parameter_space() -> None:
    """Without animals in classes 2 and 3 the maximum is pi = 1; without any in 1 and 4 it is 0."""
    assert em(Linkage(), [[10, 0, 0, 5]], START).theta.pi == 1
    assert em(Linkage(), [[0, 10, 5, 0]], START).theta.pi == 0


def test_a_wrong_split_of_class_one_is_caught() -> None:
    """With the shares of the two cells swapped, the log-likelihood falls, and the driver says so."""

    class Swapped(Linkage):
        def e_step(self, theta: LinkageParameters, data: Any) -> tuple[LinkageStatistics, float]:
            statistics, value = super().e_step(theta, data)
            wrong = LinkageStatistics(34 + 125 * 2 / (2 + theta.pi), statistics.against_pi)
            return wrong, value

    with pytest.raises(LikelihoodDecreased):
        em(Swapped(), RAO, START)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([[125, 18, 54]], r"four columns, one a class; got shape \(1, 3\)"),
        ([[125, 18, -20, 34]], "linkage data must be whole numbers from 0; row 0, column 2 is -20"),
        ([[125, 18, 20, 34], [1, 2, 3, 4.5]], r"row 1, column 3 is 4\.5"),
        ([[0, 0, 0, 0]], "all counts are zero"),
        ([125, 18, 20, 34], "expected a 2-dimensional array"),
    ],
)
def test_bad_counts_are_refused(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        em(Linkage(), data, START)


@pytest.mark.parametrize("pi", [-0.1, 1.1, float("nan")])
def test_impossible_parameters_are_refused(pi: float) -> None:
    with pytest.raises(ValueError, match=r"pi must be in \[0, 1\]"):
        LinkageParameters(pi)


@pytest.mark.parametrize("pi", [0, 1])
def test_a_start_on_the_boundary_is_refused(pi: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        em(Linkage(), RAO, LinkageParameters(pi))

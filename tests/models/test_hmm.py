"""Hidden Markov models: against the sum over all paths, against mixtures, and where numbers leave floating point."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose
from scipy import stats

from emlib import (
    Categorical,
    CategoricalParameters,
    DegenerateComponent,
    Dirichlet,
    Gaussian,
    GaussianParameters,
    HiddenMarkov,
    HiddenMarkovParameters,
    Mixture,
    MixtureParameters,
    Poisson,
    PoissonParameters,
    Sequences,
    Status,
    em,
)
from emlib.models import lockstep, recursions
from emlib.models.hmm import HiddenMarkovStatistics
from tests.problems import Array, Geometric, thorough

Theta = HiddenMarkovParameters[Any]


# --- all K^T paths ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Enumeration:
    """What the joint probabilities of all paths say of one sequence."""

    log_likelihood: float
    filtered: Array
    smoothed: Array
    pairs: Array
    best: float


def joint(theta: Theta, density: Array) -> tuple[Array, Array]:
    """Return all paths (K^T, T), and the density of rows and path together: nothing but products."""
    n, k = density.shape
    paths = np.array(list(itertools.product(range(k), repeat=n)))
    p = theta.initial[paths[:, 0]] * density[0, paths[:, 0]]
    for t in range(1, n):
        p = p * theta.transitions[paths[:, t - 1], paths[:, t]] * density[t, paths[:, t]]
    return paths, p


def enumerate_paths(theta: Theta, density: Array) -> Enumeration:
    n, k = density.shape
    paths, p = joint(theta, density)
    hot = np.eye(k)[paths]
    filtered = np.empty((n, k))
    for t in range(n):
        short, q = joint(theta, density[: t + 1])
        filtered[t] = q @ np.eye(k)[short[:, t]] / q.sum()
    return Enumeration(
        log_likelihood=float(np.log(p.sum())),
        filtered=filtered,
        smoothed=np.einsum("p,ptk->tk", p, hot) / p.sum(),
        pairs=np.einsum("p,pti,ptj->tij", p, hot[:, :-1], hot[:, 1:]) / p.sum(),
        best=float(np.log(p.max())),
    )


FAMILIES = ("poisson", "categorical", "gaussian", "user-geometric")


@dataclass(frozen=True)
class Chain:
    """A random model, parameters of it and short sequences."""

    model: HiddenMarkov[Any, Any]
    theta: Theta
    parts: list[Array]
    densities: list[Array]


def make_chain(family: str, seed: int, zeros: bool = False, longest: int = 8) -> Chain:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 4))
    lengths = rng.integers(1, longest + 1, size=rng.integers(1, 4))
    lengths[0] = max(lengths[0], 3)
    initial, transitions = rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k), k)
    if zeros and k > 1:
        transitions[0, -1] = 0.0
        transitions /= transitions.sum(axis=1, keepdims=True)
        initial[1:] = 0.0
        initial[0] = 1.0
    n = lengths.sum()
    if family == "poisson":
        rates = rng.uniform(0.5, 9, k)
        x = rng.poisson(rates[rng.integers(k, size=n)]).astype(float)[:, None]
        density = stats.poisson.pmf(x, rates)
        model, emissions = HiddenMarkov(Poisson()), PoissonParameters(rates[:, None])
    elif family == "categorical":
        p = rng.dirichlet(np.ones(3), (k, 1))
        x = rng.integers(3, size=(n, 1)).astype(float)
        density = p[:, 0, x[:, 0].astype(int)].T
        model, emissions = HiddenMarkov(Categorical(3)), CategoricalParameters(p)
    elif family == "gaussian":
        means, roots = rng.normal(0, 2, (k, 2)), rng.uniform(-0.3, 0.3, (k, 2, 2)) + np.eye(2)
        covariances = roots @ roots.swapaxes(1, 2)
        x = rng.normal(0, 2, (n, 2))
        density = np.array(
            [np.atleast_1d(stats.multivariate_normal(m, c).pdf(x)) for m, c in zip(means, covariances, strict=True)]
        ).T
        model, emissions = HiddenMarkov(Gaussian()), GaussianParameters(means, covariances)
    else:
        p = rng.uniform(0.2, 0.8, (k, 1))
        x = rng.geometric(0.4, (n, 1)) - 1.0
        density = stats.geom.pmf(x, p[:, 0], loc=-1)
        model, emissions = HiddenMarkov(Geometric()), tuple(p)
    cuts = np.cumsum(lengths)[:-1]
    theta = HiddenMarkovParameters(initial, transitions, emissions)
    return Chain(model, theta, np.split(x, cuts), np.split(density, cuts))


def chains(families: tuple[str, ...] = FAMILIES, **fixed: Any) -> st.SearchStrategy[Chain]:
    return st.builds(make_chain, st.sampled_from(families), st.integers(0, 2**32 - 1), st.booleans(), **fixed)


def equals_enumeration(chain: Chain) -> None:
    """Filter, smoother, pairs, Viterbi and log-likelihood are those of the sum over all paths."""
    each = [enumerate_paths(chain.theta, density) for density in chain.densities]
    model, theta, data = chain.model, chain.theta, chain.parts
    assert_allclose(model.filtered(theta, data), np.concatenate([one.filtered for one in each]), atol=1e-12)
    assert_allclose(model.smoothed(theta, data), np.concatenate([one.smoothed for one in each]), atol=1e-12)
    assert_allclose(model.pair_marginals(theta, data), np.concatenate([one.pairs for one in each]), atol=1e-12)
    states, best = model.viterbi(theta, data)
    assert_allclose(best, [one.best for one in each], rtol=1e-12)
    paths = np.split(states, np.cumsum([len(part) for part in data])[:-1])
    for path, density, value in zip(paths, chain.densities, best, strict=True):
        steps = theta.transitions[path[:-1], path[1:]]
        p = theta.initial[path[0]] * steps.prod() * density[np.arange(len(path)), path].prod()
        assert_allclose(np.log(p), value, rtol=1e-12)
    found, log_likelihood = model.e_step(theta, data)
    assert_allclose(log_likelihood, sum(one.log_likelihood for one in each), rtol=1e-12)
    assert_allclose(found.initial, np.sum([one.smoothed[0] for one in each], axis=0), atol=1e-12)
    assert_allclose(found.transitions, np.sum([one.pairs.sum(axis=0) for one in each], axis=0), atol=1e-12)


@thorough(60)
@given(chains())
def test_inference_equals_the_sum_over_all_paths(chain: Chain) -> None:
    equals_enumeration(chain)


def test_every_length_up_to_eight() -> None:
    for length in range(1, 9):
        chain = make_chain("poisson", 100 + length)
        rows = np.concatenate([*chain.parts, *chain.parts, *chain.parts])[:length]
        densities = np.concatenate([*chain.densities, *chain.densities, *chain.densities])[:length]
        equals_enumeration(Chain(chain.model, chain.theta, [rows], [densities]))


# --- EM ---------------------------------------------------------------------------------------------------------------


def long_chain(seed: int = 0, n: int = 300, k: int = 3) -> tuple[HiddenMarkov[Any, Any], Theta, Array]:
    rng = np.random.default_rng(seed)
    model = HiddenMarkov(Gaussian())
    emissions = GaussianParameters(3.0 * np.arange(k)[:, None], np.ones((k, 1, 1)))
    theta = HiddenMarkovParameters(np.full(k, 1 / k), 0.7 * np.eye(k) + 0.3 / k, emissions)
    return model, theta, model.sample(theta, n, rng)[0].x


def parameters_agree(one: Theta, other: Theta, rtol: float = 1e-9) -> None:
    assert_allclose(one.initial, other.initial, rtol=rtol, atol=1e-12)
    assert_allclose(one.transitions, other.transitions, rtol=rtol, atol=1e-12)
    assert_allclose(one.emissions.means, other.emissions.means, rtol=rtol, atol=1e-9)
    assert_allclose(one.emissions.covariances, other.emissions.covariances, rtol=rtol)


def never_falls(chain: Chain) -> None:
    """No iteration lowers the log-likelihood, which is summed over all paths here."""
    model, theta = chain.model, chain.theta
    before = -np.inf
    for _ in range(4):
        stats_, value = model.e_step(theta, chain.parts)
        assert value >= before - 1e-11 * abs(value)
        before = value
        theta = model.m_step(stats_)
        log_prob = [np.exp(model.family.log_prob(theta.emissions, part)) for part in chain.parts]
        expected = sum(enumerate_paths(theta, density).log_likelihood for density in log_prob)
        assert_allclose(model.log_likelihood(theta, chain.parts), expected, rtol=1e-11)


@thorough(12)
@given(chains(("poisson", "user-geometric"), longest=st.just(6)))
def test_no_iteration_lowers_the_log_likelihood(chain: Chain) -> None:
    with contextlib.suppress(DegenerateComponent):  # so few rows may leave a state without data or successor
        never_falls(chain)


def m_step_beats_others(seed: int = 0) -> None:
    """The M-step maximises expected counts times log probabilities, as rivals far and near show."""
    model, theta, x = long_chain(seed)
    found = model.e_step(theta, x)[0]
    new = model.m_step(found)
    rng = np.random.default_rng(1)

    def q(initial: Array, transitions: Array) -> float:
        return float(found.initial @ np.log(initial) + (found.transitions * np.log(transitions)).sum())

    best = q(new.initial, new.transitions)
    rivals = [q(rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 3)) for _ in range(100)]
    assert max(rivals) < best
    nudged = new.transitions * np.exp(rng.normal(0, 1e-2, (100, 3, 3)))
    nudged /= nudged.sum(axis=2, keepdims=True)
    assert max(q(new.initial, rows) for rows in nudged) < best


def test_m_step_beats_other_probabilities() -> None:
    m_step_beats_others()


def identical_rows_are_a_mixture() -> None:
    """A chain that forgets its state at each step is the mixture of the note, iterate by iterate."""
    _, theta, x = long_chain()
    weights = np.array([0.5, 0.3, 0.2])
    model, mixture = HiddenMarkov(Gaussian()), Mixture(Gaussian())
    chain = HiddenMarkovParameters(weights, np.tile(weights, (3, 1)), theta.emissions)
    found, log_likelihood = model.e_step(chain, x)
    of_mixture, expected = mixture.e_step(MixtureParameters(weights, theta.emissions), x)
    assert_allclose(log_likelihood, expected, rtol=1e-12)
    assert_allclose(found.initial + found.transitions.sum(axis=0), of_mixture.masses, rtol=1e-10)
    new, new_mixture = model.m_step(found), mixture.m_step(of_mixture)
    assert_allclose(new.emissions.means, new_mixture.components.means, rtol=1e-10)
    # Sequences of one row have no transitions: initial probabilities are mixing weights.
    singles = Sequences(x, np.ones(len(x), dtype=int))
    assert_allclose(model.e_step(chain, singles)[0].initial, of_mixture.masses, rtol=1e-10)
    assert_allclose(model.log_likelihood(chain, singles), expected, rtol=1e-12)


def test_identical_rows_are_a_mixture() -> None:
    identical_rows_are_a_mixture()


def test_one_state_is_an_iid_sample() -> None:
    x = np.random.default_rng(0).poisson(4.0, (50, 1)).astype(float)
    start = HiddenMarkovParameters([1.0], [[1.0]], PoissonParameters([[2.0]]))
    result = em(HiddenMarkov(Poisson()), x, start)
    assert_allclose(result.theta.emissions.rates, [[x.mean()]], rtol=1e-12)
    assert_allclose(result.log_likelihood, stats.poisson.logpmf(x, x.mean()).sum(), rtol=1e-12)


def sequences_add_up(seed: int = 0) -> None:
    """Statistics and log-likelihoods of sequences add up, in any order; joined into one, they are another chain."""
    model, theta, x = long_chain(seed)
    parts = np.split(x, [40, 41, 170])
    found, value = model.e_step(theta, parts)
    backwards, same = model.e_step(theta, parts[::-1])
    summed, values = model.e_step(theta, parts[0])
    for part in parts[1:]:
        more, extra = model.e_step(theta, part)
        summed, values = summed + more, values + extra
    for other, its_value in ((backwards, same), (summed, values)):
        assert_allclose(its_value, value, rtol=1e-12)
        assert_allclose(other.initial, found.initial, rtol=1e-10)
        assert_allclose(other.transitions, found.transitions, rtol=1e-10)
        parameters_agree(model.m_step(other), model.m_step(found))
    assert_allclose(found.initial.sum(), 4)
    assert_allclose(found.transitions.sum(), len(x) - 4)
    joined, its_value = model.e_step(theta, x)
    assert abs(its_value - value) > 0.1
    assert_allclose(joined.transitions.sum(), len(x) - 1)


def test_sequences_add_up() -> None:
    sequences_add_up()


def weights_repeat_sequences() -> None:
    """A sequence of weight 3 counts like three copies of it, one of weight 0 not at all."""
    model, theta, x = long_chain()
    parts = np.split(x, [100, 180, 200])
    weights = [3, 1, 0, 2]
    repeated = [part for part, w in zip(parts, weights, strict=True) for _ in range(w)]
    found, value = model.e_step(theta, model.prepare(parts, weights))
    expected, its_value = model.e_step(theta, repeated)
    assert_allclose(value, its_value, rtol=1e-12)
    assert_allclose(found.transitions, expected.transitions, rtol=1e-11)
    parameters_agree(model.m_step(found), model.m_step(expected))


def test_weights_repeat_sequences() -> None:
    weights_repeat_sequences()


def test_relabelling_relabels_the_result() -> None:
    model, theta, x = long_chain()
    order = np.array([2, 0, 1])
    emissions = GaussianParameters(theta.emissions.means[order], theta.emissions.covariances[order])
    skewed = np.array([0.5, 0.3, 0.2])
    one = HiddenMarkovParameters(skewed, theta.transitions, theta.emissions)
    other = HiddenMarkovParameters(skewed[order], theta.transitions[order][:, order], emissions)
    found, relabelled = (em(model, x, start, tol=0, max_iter=5) for start in (one, other))
    assert_allclose(relabelled.log_likelihood, found.log_likelihood, rtol=1e-12)
    assert_allclose(relabelled.theta.transitions, found.theta.transitions[order][:, order], rtol=1e-9)
    assert_allclose(relabelled.theta.emissions.means, found.theta.emissions.means[order], rtol=1e-10)


def test_the_result_is_honest() -> None:
    model, theta, x = long_chain()
    result = em(model, x, theta, tol=1e-6)
    assert result.status is Status.CONVERGED
    assert result.log_likelihood == model.log_likelihood(result.theta, x) == result.trace[-1]
    assert np.diff(result.trace).min() >= 0


def test_a_prior_is_climbed_too() -> None:
    _, theta, x = long_chain()
    model = HiddenMarkov(Gaussian(), initial_prior=Dirichlet(2.0), transition_prior=Dirichlet(5.0))
    result = em(model, x, theta)
    counts = model.e_step(result.theta, x)[0]
    expected = (counts.transitions + 4) / (counts.transitions + 4).sum(axis=1, keepdims=True)
    assert_allclose(result.theta.transitions, expected, atol=1e-5)
    assert_allclose(result.theta.initial, (counts.initial + 1) / 4, atol=1e-5)
    log_prior = stats.dirichlet.logpdf(result.theta.initial, [2.0] * 3)
    log_prior += sum(stats.dirichlet.logpdf(row, [5.0] * 3) for row in result.theta.transitions)
    assert_allclose(result.objective - result.log_likelihood, log_prior, rtol=1e-9)


def test_pack_and_unpack() -> None:
    _, theta, _ = long_chain()
    model = HiddenMarkov(Gaussian())
    vector = model.pack(theta)
    assert vector.shape == (2 + 3 * 2 + 3 + 3,)
    parameters_agree(model.unpack(vector, theta), theta)
    zeros = HiddenMarkovParameters([1, 0, 0], [[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]], theta.emissions)
    assert model.pack(zeros).shape == (0 + 1 + 1 + 0 + 6,)
    parameters_agree(model.unpack(model.pack(zeros), zeros), zeros)


def test_samples_follow_the_chain() -> None:
    _, theta, _ = long_chain()
    model = HiddenMarkov(Gaussian())
    sequences, states = model.sample(theta, [20_000, 5], np.random.default_rng(3))
    assert sequences.lengths.tolist() == [20_000, 5]
    path = states[:20_000]
    counts = np.zeros((3, 3))
    np.add.at(counts, (path[:-1], path[1:]), 1)
    spread = np.sqrt(theta.transitions * (1 - theta.transitions) / counts.sum(axis=1, keepdims=True))
    assert (np.abs(counts / counts.sum(axis=1, keepdims=True) - theta.transitions) < 5 * spread).all()
    means = [sequences.x[states == k].mean() for k in range(3)]
    assert_allclose(means, theta.emissions.means[:, 0], atol=0.1)


# --- where numbers leave floating point ---------------------------------------------------------------------------


def plain(theta: Theta, log_emissions: Array) -> tuple[float, Array, Array]:
    """Return log-likelihood, smoothed and summed pairs by the recursions in logarithms."""
    with np.errstate(divide="ignore"):
        pi, transitions = np.log(theta.initial), np.log(theta.transitions)
    log_filtered, increments = recursions.forward(pi, transitions, log_emissions)
    beta = recursions.backward(transitions, log_emissions, increments)
    pairs = recursions.pairs(transitions, log_emissions, log_filtered, beta, increments)
    return float(increments.sum()), np.exp(log_filtered + beta), pairs.sum(axis=0)


def equals_plain(theta: Theta, log_emissions: Array, lengths: list[int]) -> lockstep.Smoothing:
    """The lock-step recursions give what the plain ones give, wherever they say that they are to be trusted."""
    sequences = Sequences(np.zeros((len(log_emissions), 1)), np.array(lengths))
    found = lockstep.smooth(theta.initial, theta.transitions, log_emissions, sequences.first)
    for rows, log_piece in zip(
        sequences.split(np.arange(len(log_emissions))), sequences.split(log_emissions), strict=True
    ):
        if found.trusted[rows].all():
            value, smoothed, pairs = plain(theta, log_piece)
            assert_allclose(found.log_increments[rows].sum(), value, rtol=1e-11)
            assert_allclose(found.smoothed[rows], smoothed, atol=1e-11)
            counts = theta.transitions * (found.filtered[rows[:-1]].T @ found.ratios[rows[1:]])
            assert_allclose(counts, pairs, rtol=1e-10, atol=1e-10)
    return found


@pytest.mark.parametrize("k", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("memory", [0.0, 0.9, 0.9999])
def test_lockstep_equals_plain_recursions(k: int, memory: float) -> None:
    """Short memory is passed on from block to block, long memory goes by the transfer matrices."""
    rng = np.random.default_rng(k)
    transitions = memory * np.eye(k) + (1 - memory) * rng.dirichlet(np.ones(k), k)
    theta = HiddenMarkovParameters(rng.dirichlet(np.ones(k)), transitions, None)
    lengths = [1, 2, 700, 1, 1, 60, 800, 35]
    spread = 0.1 if memory > 0.99 else 2.0
    found = equals_plain(theta, rng.normal(-50, spread, (sum(lengths), k)), lengths)
    assert found.trusted.all()


@pytest.mark.parametrize("length", [1, 3, 5, 7, 11, 16, 40, 500])
def test_any_cutting_into_blocks_gives_the_same(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(lockstep, "block_length", lambda _n, _k: length)
    rng = np.random.default_rng(0)
    theta = HiddenMarkovParameters([0.6, 0.4, 0.0], rng.dirichlet(np.ones(3), 3), None)
    assert equals_plain(theta, rng.normal(0, 1, (85, 3)), [16, 1, 15, 40, 13]).trusted.all()


@thorough(40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 300.0, 2000.0]))
def test_what_underflows_is_not_trusted(seed: int, spread: float) -> None:
    """Zeros in the chain and emissions hundreds of nats apart: what is trusted is right."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 5))
    transitions = rng.dirichlet(np.ones(k), k) * (rng.random((k, k)) < 0.6) + 0.3 * np.eye(k)
    initial = np.eye(k)[0]
    theta = HiddenMarkovParameters(initial, transitions / transitions.sum(axis=1, keepdims=True), None)
    equals_plain(theta, rng.normal(0, spread, (90, k)), [50, 1, 39])


def test_a_wrong_begin_of_a_block_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides of every cut are compared: a mistake in the products of the transfer matrices shows there."""
    original = lockstep._products
    monkeypatch.setattr(lockstep, "_products", lambda matrices: original(matrices.swapaxes(0, 1)))
    rng = np.random.default_rng(0)
    theta = HiddenMarkovParameters([0.9, 0.1], [[0.99, 0.01], [0.05, 0.95]], None)
    found = lockstep.smooth(theta.initial, theta.transitions, rng.normal(0, 0.1, (300, 2)), np.arange(300) == 0)
    assert not found.trusted.all()


class Given:
    """A family whose log densities are the data themselves."""

    def log_prob(self, _theta: None, x: Array) -> Array:
        return x

    def statistics(self, _theta: None, _x: Array, responsibilities: Array) -> Array:
        return responsibilities.sum(axis=0)

    def from_statistics(self, _stats: Array) -> None:
        return None


def densities(lengths: list[int], values: Any) -> Sequences:
    """Return sequences for the family Given; log densities, unlike data, may be infinite."""
    sequences = Sequences(np.zeros(np.shape(values)), np.array(lengths))
    object.__setattr__(sequences, "x", np.array(values))
    return sequences


def far_outliers() -> None:
    """A state that lies 2000 nats behind and cannot be reached again wins in the end, and is not lost on the way."""
    theta = HiddenMarkovParameters([0.5, 0.5], np.eye(2), None)
    log_emissions = np.array([[0.0, -2000.0], [0.0, -2000.0], [-9000.0, 0.0], [-1.0, -1.0]])
    model = HiddenMarkov(Given())
    assert_allclose(model.log_likelihood(theta, log_emissions), np.log(0.5) - 4001, rtol=1e-14)
    assert_allclose(model.smoothed(theta, log_emissions), np.tile([0.0, 1.0], (4, 1)), atol=1e-300)
    assert_allclose(model.e_step(theta, log_emissions)[0].transitions, [[0, 0], [0, 3]], atol=1e-300)


def slow_comeback() -> None:
    """A state falls 800 nats behind, gains 1800 by 200 a row and loses 800 again: no single step underflows."""
    theta = HiddenMarkovParameters([0.5, 0.5], np.eye(2), None)
    log_emissions = np.array([[0.0, -800.0], *[[-200.0, 0.0]] * 9, *[[0.0, -200.0]] * 4])
    model = HiddenMarkov(Given())
    assert_allclose(model.log_likelihood(theta, log_emissions), np.log(0.5) - 1600, rtol=1e-14)
    assert_allclose(model.smoothed(theta, log_emissions), np.tile([0.0, 1.0], (14, 1)), atol=1e-80)


def test_far_outliers() -> None:
    far_outliers()
    slow_comeback()


def test_rows_far_from_every_state() -> None:
    """All densities underflow at 1e6 standard deviations; their ratios still decide."""
    model, theta, x = long_chain()
    x = x.copy()
    x[[10, 200]] = [[1e6], [-1e6]]
    smoothed = model.smoothed(theta, x)
    assert_allclose(smoothed[[10, 200]], [[0, 0, 1], [1, 0, 0]], atol=1e-12)
    assert_allclose(model.log_likelihood(theta, x), plain(theta, model.family.log_prob(theta.emissions, x))[0])


@pytest.mark.parametrize("zeros", [False, True])
def test_a_hundred_thousand_rows(zeros: bool) -> None:
    """No underflow at T = 100,000, transition probabilities of zero or not; the plain recursions are held beside."""
    model, theta, _ = long_chain()
    if zeros:  # round and round
        cycle = 0.8 * np.eye(3) + 0.2 * np.roll(np.eye(3), 1, axis=1)
        theta = HiddenMarkovParameters(np.eye(3)[0], cycle, theta.emissions)
    sequences, states = model.sample(theta, 100_000, np.random.default_rng(1))
    log_emissions = model.family.log_prob(theta.emissions, sequences.x)
    assert lockstep.smooth(theta.initial, theta.transitions, log_emissions, sequences.first).trusted.all()
    found, value = model.e_step(theta, sequences)
    assert -3.0e5 < value < -1.5e5
    assert_allclose(found.transitions.sum(), 99_999, rtol=1e-12)
    head = slice(0, 2000)  # the first rows hardly depend on the last
    smoothed = model.smoothed(theta, sequences)
    assert_allclose(smoothed[head], plain(theta, log_emissions[:2100])[1][head], atol=1e-10)
    assert (smoothed.argmax(axis=1) == states).mean() > 0.9


# --- errors and ends --------------------------------------------------------------------------------------------------


def test_viterbi_breaks_ties_towards_the_lowest_state() -> None:
    model = HiddenMarkov(Given())
    theta = HiddenMarkovParameters([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], None)
    assert model.viterbi(theta, np.zeros((4, 2)))[0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("call", ["log_likelihood", "smoothed", "pair_marginals", "viterbi"])
def test_an_impossible_row_is_named(call: str) -> None:
    theta = HiddenMarkovParameters([1.0, 0.0], [[0.0, 1.0], [0.5, 0.5]], None)
    impossible = densities([3, 3], [[0.0, 0.0]] * 4 + [[0.0, -np.inf], [0.0, 0.0]])
    with pytest.raises(ValueError, match="row 1 of sequence 1 has density zero after those before it"):
        getattr(HiddenMarkov(Given()), call)(theta, impossible)


def test_a_state_without_data_or_successor_is_degenerate() -> None:
    poisson = HiddenMarkov(Poisson())
    x = np.array([[3.0], [4.0], [0.0]])
    lost = HiddenMarkovParameters([1.0, 0.0], [[1.0, 0.0], [0.5, 0.5]], PoissonParameters([[3.0], [1.0]]))
    result = em(poisson, x, lost)
    assert result.status is Status.DEGENERATE
    assert "component 1 lost its data" in result.message
    last = HiddenMarkovParameters([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], PoissonParameters([[3.0], [0.0]]))
    result = em(poisson, x, last)
    assert "component 1 is never left" in result.message
    with_prior = HiddenMarkov(Poisson(), transition_prior=Dirichlet(1.5))
    inside = HiddenMarkovParameters([1.0, 0.0], [[0.5, 0.5], [0.5, 0.5]], PoissonParameters([[3.0], [0.0]]))
    assert_allclose(with_prior.m_step(with_prior.e_step(inside, x)[0]).transitions[1], [0.5, 0.5])


def test_a_collapse_names_the_row() -> None:
    x = np.array([[0.0], [1.0], [0.5], [50.0], [0.2], [1.3]])
    emissions = GaussianParameters([[0.5], [50.0]], [[[1.0]], [[0.1]]])
    start = HiddenMarkovParameters([0.5, 0.5], [[0.8, 0.2], [0.8, 0.2]], emissions)
    result = em(HiddenMarkov(Gaussian()), x, start)
    assert result.status is Status.DEGENERATE
    assert "nearest row of the data: 3" in result.message


@pytest.mark.parametrize(
    ("initial", "transitions", "message"),
    [
        ([0.5, 0.5], [[1.0]], r"transitions must have shape \(2, 2\)"),
        ([0.5, 0.4], np.eye(2), "initial must sum to 1"),
        ([0.5, 0.5], [[1.0, 0.0], [0.0, 0.0]], "row 1 of transitions must sum to 1"),
        ([1.5, -0.5], np.eye(2), "initial must be finite and not negative"),
        ([[1.0]], [[1.0]], r"initial must have shape \(n_states,\)"),
    ],
)
def test_parameters_must_be_distributions(initial: Any, transitions: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HiddenMarkovParameters(initial, transitions, None)


@pytest.mark.parametrize(
    ("data", "weights", "message"),
    [
        ([np.zeros((2, 1)), np.full((3, 1), np.nan)], None, "sequence 1: the data contain NaN, first at row 0"),
        ([np.zeros((2, 1)), np.zeros((2, 2))], None, "sequence 1 has 2 columns, sequence 0 has 1"),
        (np.zeros(3), None, "expected a 2-dimensional array"),
        (np.zeros((3, 1)), [1.0, 1.0], r"sample_weight must have shape \(1,\), one weight a sequence"),
        ([np.zeros((2, 1))] * 2, [1.0, -1.0], "sequence 1 has -1.0"),
        ([np.zeros((2, 1))] * 2, [0.0, 0.0], "zero for every sequence"),
        ([np.full((2, 1), 0.5)], None, "Poisson data must be whole numbers"),
    ],
)
def test_bad_data_are_refused(data: Any, weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HiddenMarkov(Poisson()).prepare(data, weights)


@pytest.mark.parametrize("lengths", [[2, 2], [3, 0], [], [1.5, 1.5]])
def test_lengths_must_fit(lengths: Any) -> None:
    with pytest.raises(ValueError, match="lengths"):
        Sequences(np.zeros((3, 1)), lengths)


def test_models_and_samples_that_cannot_be_made() -> None:
    _, theta, x = long_chain()
    with pytest.raises(TypeError, match="transition_prior must be a Dirichlet"):
        HiddenMarkov(Poisson(), transition_prior=2.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Given has no sample"):
        HiddenMarkov(Given()).sample(theta, 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="lengths must be whole numbers"):
        HiddenMarkov(Gaussian()).sample(theta, 0, np.random.default_rng(0))
    two = GaussianParameters([[0.0], [1.0]], np.ones((2, 1, 1)))
    with pytest.raises(ValueError, match="there are 3 states and emissions of 2"):
        HiddenMarkov(Gaussian()).log_likelihood(HiddenMarkovParameters(theta.initial, theta.transitions, two), x)
    infinite = densities([2], [[0.0, 0.0], [np.inf, 0.0]])
    with pytest.raises(ValueError, match="row 1 has log density inf in state 0"):
        HiddenMarkov(Given()).log_likelihood(HiddenMarkovParameters([0.5, 0.5], np.eye(2), None), infinite)


# --- published ------------------------------------------------------------------------------------------------------


def test_the_umbrella_world() -> None:
    """Russell and Norvig, Artificial Intelligence; hmmlearn's tests hold the same numbers."""
    emissions = CategoricalParameters([[[0.9, 0.1]], [[0.2, 0.8]]])
    theta = HiddenMarkovParameters([0.5, 0.5], [[0.7, 0.3], [0.3, 0.7]], emissions)
    umbrella = np.array([[0.0], [0.0], [1.0], [0.0], [0.0]])
    model = HiddenMarkov(Categorical(2))
    assert_allclose(model.log_likelihood(theta, umbrella), -3.3725, atol=6e-5)
    rain = model.smoothed(theta, umbrella)[:, 0]
    assert_allclose(rain, [0.8673, 0.8204, 0.3075, 0.8204, 0.8673], atol=6e-5)


def test_the_table_of_zucchini_and_macdonald() -> None:
    """Hidden Markov Models for Time Series (2009), table 4.1."""
    from emlib.datasets import load_earthquakes

    counts = load_earthquakes().data[:, 1:]
    assert_allclose([counts.mean(), counts.var(ddof=1)], [19.364, 51.573], atol=6e-4)
    start = HiddenMarkovParameters([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], PoissonParameters([[10.0], [30.0]]))
    seen: list[Theta] = []
    result = em(
        HiddenMarkov(Poisson()), counts, start, tol=0, max_iter=50, callback=lambda state: seen.append(state.theta)
    )
    assert_allclose(-result.trace[[0, 1, 2, 30, 50]], [413.27542, 343.76023, 343.13618, 341.87871, 341.8787], atol=6e-6)
    rows = [
        [one.transitions[0, 1], one.transitions[1, 0], *one.emissions.rates[:, 0], one.initial[0]]
        for one in (seen[1], seen[30])
    ]
    assert_allclose(rows[0], [0.138816, 0.11622, 13.742, 24.169, 0.99963], atol=6e-4)
    assert_allclose(rows[1], [0.071653, 0.11895, 15.419, 26.014, 1.0], atol=6e-4)


# --- deliberate bugs ------------------------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def poisson_chains() -> None:
    for seed in range(6):
        equals_enumeration(make_chain("poisson", seed, zeros=bool(seed % 2)))


def plant_forward(patch: Patch) -> None:
    original = lockstep._Chain._pass_forward
    patch.setattr(lockstep._Chain, "_pass_forward", lambda self, begins: _with_transpose(self, original, begins))


def _with_transpose(chain: Any, original: Any, argument: Any) -> Any:
    chain.transitions, kept = chain.transitions.T, chain.transitions
    try:
        return original(chain, argument)
    finally:
        chain.transitions = kept


def plant_backward(patch: Patch) -> None:
    original = lockstep._Chain._pass_backward
    patch.setattr(lockstep._Chain, "_pass_backward", lambda self, ends: _with_transpose(self, original, ends))


def plant_sequences_joined(patch: Patch) -> None:
    original = lockstep.smooth

    def joined(initial: Array, transitions: Array, log_emissions: Array, first: Any) -> Any:
        return original(initial, transitions, log_emissions, np.arange(len(first)) == 0)

    patch.setattr(lockstep, "smooth", joined)


def plant_trust_in_everything(patch: Patch) -> None:
    original = lockstep.smooth

    def trusting(*args: Any) -> Any:
        found = original(*args)
        found.trusted[:] = True
        return found

    patch.setattr(lockstep, "smooth", trusting)


def plant_no_look_for_losses(patch: Patch) -> None:
    patch.setattr(lockstep, "_nothing_lost", lambda *_args: True)
    patch.setattr(lockstep, "block_length", lambda n, _k: n)  # in several blocks the cuts would not agree either


def plant_filter_for_smoother(patch: Patch) -> None:
    original = lockstep.smooth

    def short_sighted(*args: Any) -> Any:
        found = original(*args)
        found.smoothed[:] = found.filtered
        return found

    patch.setattr(lockstep, "smooth", short_sighted)


def plant_greedy_viterbi(patch: Patch) -> None:
    original = recursions.viterbi

    def greedy(pi: Array, transitions: Array, log_emissions: Array) -> Any:
        states = log_emissions.argmax(axis=1)
        return states, original(pi, transitions, log_emissions)[1]

    patch.setattr(recursions, "viterbi", greedy)


def plant_counts_with_first_rows(patch: Patch) -> None:
    patch.setattr(lockstep, "smooth", _blind_to_starts(lockstep.smooth))


def _blind_to_starts(original: Any) -> Any:
    def smooth(initial: Array, transitions: Array, log_emissions: Array, first: Any) -> Any:
        found = original(initial, transitions, log_emissions, first.copy())
        first[1:] = False  # the caller then counts a step into the first row of the next sequence
        return found

    return smooth


def plant_m_step(change: Any) -> Any:
    def plant(patch: Patch) -> None:
        original = HiddenMarkov.m_step
        patch.setattr(HiddenMarkov, "m_step", lambda self, found: original(self, change(found)))

    return plant


def swap_counts(found: Any) -> Any:
    return HiddenMarkovStatistics(found.initial, found.transitions.T, found.emissions)


def smooth_counts(found: Any) -> Any:
    return HiddenMarkovStatistics(found.initial, found.transitions + 1.0, found.emissions)


def plant_weights_left_out(patch: Patch) -> None:
    patch.setattr(Sequences, "row_weights", property(lambda _self: None))


MUTANTS = {
    "forward with the transpose": (plant_forward, poisson_chains),
    "backward with the transpose": (plant_backward, poisson_chains),
    "sequences joined": (plant_sequences_joined, poisson_chains),
    "a step between sequences counted": (plant_counts_with_first_rows, poisson_chains),
    "filter in place of smoother": (plant_filter_for_smoother, poisson_chains),
    "greedy path": (plant_greedy_viterbi, poisson_chains),
    "underflow not noticed": (plant_trust_in_everything, far_outliers),
    "losses not looked for": (plant_no_look_for_losses, slow_comeback),
    "counts transposed": (plant_m_step(swap_counts), m_step_beats_others),
    "one pseudo-count": (plant_m_step(smooth_counts), m_step_beats_others),
    "weights left out": (plant_weights_left_out, weights_repeat_sequences),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_noticed(monkeypatch: Patch, name: str) -> None:
    plant, check = MUTANTS[name]
    check()
    plant(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        check()

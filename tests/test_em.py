"""The driver, on hand-made models whose every step is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from emlib import (
    ConvergenceWarning,
    DegenerateComponent,
    Gaussian,
    GaussianMixture,
    GaussianParameters,
    LikelihoodDecreased,
    Mixture,
    MixtureParameters,
    Status,
    em,
)
from emlib.em import aitken_distance
from tests.problems import thorough


class Scripted:
    """A model whose k-th parameter is the number k and whose log-likelihood is read from a list."""

    def __init__(self, values: list[float], on_step: Callable[[int], None] | None = None) -> None:
        self.values, self.on_step = values, on_step

    def e_step(self, theta: int, _data: Any) -> tuple[int, float]:
        return theta, self.values[theta]

    def m_step(self, stats: int) -> int:
        if self.on_step is not None:
            self.on_step(stats + 1)
        return stats + 1

    def pack(self, theta: int) -> np.ndarray:
        return np.array([float(theta)])

    def unpack(self, vector: np.ndarray, _like: int) -> int:
        return int(vector[0])


def geometric(limit: float, first_gap: float, rate: float, n: int) -> list[float]:
    return [limit - first_gap * rate**k for k in range(n)]


class InterruptIn(Scripted):
    """Raises KeyboardInterrupt inside the named step of iteration 3."""

    def __init__(self, where: str) -> None:
        super().__init__([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        self.where = where

    def e_step(self, theta: int, data: Any) -> tuple[int, float]:
        if self.where == "e_step" and theta == 3:
            raise KeyboardInterrupt
        return super().e_step(theta, data)

    def m_step(self, stats: int) -> int:
        if self.where == "m_step" and stats == 2:
            raise KeyboardInterrupt
        return super().m_step(stats)


# --- how a run ends -------------------------------------------------------------------------------------------


def test_zero_iterations_return_the_start() -> None:
    result = em(Scripted([-7.5]), None, 0, max_iter=0)
    assert (result.theta, result.n_iter, result.status) == (0, 0, Status.MAX_ITER)
    assert result.trace.tolist() == [-7.5] == [result.log_likelihood]
    assert result.distance == np.inf


@pytest.mark.parametrize("max_iter", [1, 2, 7])
def test_zero_tolerance_runs_exactly_max_iter(max_iter: int) -> None:
    result = em(Scripted([3.0] * 10), None, 0, tol=0, max_iter=max_iter)
    assert (result.n_iter, result.status) == (max_iter, Status.MAX_ITER)
    assert not result.converged
    assert f"max_iter={max_iter}" in result.message


def test_trace_holds_iterations_0_to_the_last() -> None:
    values = geometric(-10, 5, 0.5, 200)
    result = em(Scripted(values), None, 0, tol=1e-6)
    assert result.status is Status.CONVERGED
    assert result.converged
    assert result.trace.tolist() == values[: result.n_iter + 1]
    assert result.theta == result.n_iter
    assert result.log_likelihood == values[result.n_iter]


def test_reaching_max_iter_is_not_convergence() -> None:
    result = em(Scripted(geometric(0, 1, 0.9, 100)), None, 0, max_iter=5)
    assert result.status is Status.MAX_ITER
    assert "not converged" in result.message


def test_constant_log_likelihood_is_a_fixed_point() -> None:
    result = em(Scripted([-3.0] * 50), None, 0)
    assert result.status is Status.CONVERGED
    assert result.n_iter == 2


def test_gains_lost_in_rounding_end_a_run_whatever_the_tolerance() -> None:
    digit = np.spacing(1e6)
    result = em(Scripted([1e6 - 1, 1e6, 1e6, 1e6 + digit, 1e6 + 2 * digit, 1e6 + 3 * digit]), None, 0, tol=1e-300)
    assert result.status is Status.CONVERGED
    assert result.n_iter == 3
    assert result.message == "converged after 3 iterations: the gains are below the resolution of floating point"


def test_rounding_may_lower_the_last_digit_but_no_more() -> None:
    values = [-100.0, -50.0, -50.0 - 20 * np.spacing(50.0), -50.0]
    assert em(Scripted(values), None, 0, tol=0, max_iter=3).n_iter == 3
    with pytest.raises(LikelihoodDecreased):
        em(Scripted([-100.0, -50.0, -50.0 - 1e-9]), None, 0, tol=0, max_iter=2)


def test_a_fall_raises_with_both_values_and_the_parameters_before_it() -> None:
    with pytest.raises(LikelihoodDecreased) as caught:
        em(Scripted([-5.0, -4.0, -4.25]), None, 0)
    error = caught.value
    assert (error.iteration, error.before, error.after, error.theta) == (2, -4.0, -4.25, 1)
    assert 0 < error.rounding < 1e-10
    for part in ("iteration 2", "-4.0", "-4.25", "0.25", "m_step"):
        assert part in str(error)


def test_a_broken_m_step_of_a_mixture_is_caught() -> None:
    class Broken(Mixture):
        def m_step(self, stats: Any) -> Any:
            theta = super().m_step(stats)
            return MixtureParameters(theta.weights[::-1], theta.components)

    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1, (90, 1)), rng.normal(8, 1, (10, 1))])
    model = Broken(Gaussian())
    start = MixtureParameters([0.9, 0.1], GaussianParameters([[0.0], [8.0]], [[[1.0]], [[1.0]]]))
    with pytest.raises(LikelihoodDecreased):
        em(model, x, start)


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_a_log_likelihood_must_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match="at iteration 1"):
        em(Scripted([-1.0, value]), None, 0)
    with pytest.raises(ValueError, match="at iteration 0"):
        em(Scripted([value]), None, 0)


@pytest.mark.parametrize(("option", "value"), [("tol", -1e-3), ("tol", np.nan), ("max_iter", -1)])
def test_options_out_of_range_are_named(option: str, value: float) -> None:
    options: dict[str, Any] = {option: value}
    with pytest.raises(ValueError, match=f"{option}.*{value}"):
        em(Scripted([0.0]), None, 0, **options)


# --- interrupts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["e_step", "m_step"])
def test_ctrl_c_in_a_step_returns_the_iteration_before(where: str) -> None:
    result = em(InterruptIn(where), None, 0, tol=0)
    assert result.status is Status.INTERRUPTED
    assert (result.theta, result.n_iter, result.log_likelihood) == (2, 2, 3.0)
    assert result.trace.tolist() == [1.0, 2.0, 3.0]
    assert "after iteration 2" in result.message


def test_ctrl_c_in_the_callback_returns_the_iteration_it_saw() -> None:
    def callback(iteration: Any) -> None:
        if iteration.number == 3:
            raise KeyboardInterrupt

    result = em(Scripted([1.0, 2.0, 3.0, 4.0, 5.0]), None, 0, tol=0, callback=callback)
    assert result.status is Status.INTERRUPTED
    assert (result.theta, result.n_iter) == (3, 3)
    assert result.trace.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_callback_sees_every_iteration_and_can_stop() -> None:
    values = geometric(0, 8, 0.5, 20)
    seen: list[Any] = []

    def callback(iteration: Any) -> bool:
        seen.append(iteration)
        return iteration.number == 4

    result = em(Scripted(values), None, 0, callback=callback)
    assert result.status is Status.INTERRUPTED
    assert "callback" in result.message
    assert [one.number for one in seen] == [0, 1, 2, 3, 4] == [one.theta for one in seen]
    assert [one.log_likelihood for one in seen] == values[:5] == [one.objective for one in seen]
    assert seen[2].distance == np.inf
    assert_allclose(seen[4].distance, 0 - values[4])


def test_errors_of_the_callback_are_not_swallowed() -> None:
    def callback(_iteration: Any) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        em(Scripted([1.0, 2.0]), None, 0, callback=callback)


# --- models with and without the optional methods -------------------------------------------------------------


def test_a_model_without_prepare_reads_the_data_as_given_but_takes_no_weights() -> None:
    class Reads(Scripted):
        def e_step(self, theta: int, data: Any) -> tuple[int, float]:
            assert data == "as given"
            return super().e_step(theta, data)

    assert em(Reads([1.0, 2.0, 2.0, 2.0]), "as given", 0).status is Status.CONVERGED
    with pytest.raises(ValueError, match=r"Reads has no prepare\(data, sample_weight\)"):
        em(Reads([1.0]), "as given", 0, sample_weight=[1.0])


def test_prepare_is_called_once_and_its_result_is_read() -> None:
    calls = []

    class Prepares(Scripted):
        def prepare(self, data: Any, sample_weight: Any) -> str:
            calls.append((data, sample_weight))
            return "prepared"

        def e_step(self, theta: int, data: Any) -> tuple[int, float]:
            assert data == "prepared"
            return super().e_step(theta, data)

    em(Prepares([1.0, 2.0, 3.0, 4.0]), "raw", 0, sample_weight="w", tol=0, max_iter=3)
    assert calls == [("raw", "w")]


def test_log_prior_is_part_of_the_objective_but_not_of_the_log_likelihood() -> None:
    class WithPrior(Scripted):
        def log_prior(self, theta: int) -> float:
            return 10.0 * theta

    # The log-likelihood falls, the objective does not: MAP-EM climbs the objective.
    result = em(WithPrior([5.0, 4.0, 3.0]), None, 0, tol=0, max_iter=2)
    assert result.trace.tolist() == [5.0, 14.0, 23.0]
    assert (result.log_likelihood, result.objective) == (3.0, 23.0)
    with pytest.raises(LikelihoodDecreased):
        em(WithPrior([5.0, 4.0, -30.0]), None, 0, tol=0, max_iter=2)


def test_a_model_may_bound_its_own_rounding() -> None:
    class Coarse(Scripted):
        def rounding(self, _theta: int, _data: Any) -> float:
            return 0.5

    assert em(Coarse([-5.0, -4.0, -4.75]), None, 0, tol=0, max_iter=2).n_iter == 2  # each end is known to 0.5
    with pytest.raises(LikelihoodDecreased, match=r"at most 1;|at most 1\."):
        em(Coarse([-5.0, -4.0, -5.25]), None, 0, tol=0, max_iter=2)


def test_the_value_before_a_step_may_be_the_uncertain_one() -> None:
    """A component about to flatten: the value before is known to 0.5 nats only, the value after exactly."""

    class Sharpens(Scripted):
        def rounding(self, theta: int, _data: Any) -> float:
            return 0.5 if theta == 1 else 0.0

    assert em(Sharpens([-5.0, -4.0, -4.25]), None, 0, tol=0, max_iter=2).n_iter == 2


def _lose_component(number: int) -> None:
    if number == 3:
        raise DegenerateComponent(1, "died", "Do something.")


def test_a_degenerate_component_ends_the_run_with_the_last_valid_parameters() -> None:
    result = em(Scripted([1.0, 2.0, 3.0, 4.0], _lose_component), None, 0, tol=0)
    assert result.status is Status.DEGENERATE
    assert (result.theta, result.n_iter) == (2, 2)
    assert result.message == "component 1 died. Do something. Parameters are those of iteration 2."


def test_a_model_can_locate_the_row_of_a_degenerate_component() -> None:
    class Locates(Scripted):
        def locate(self, theta: int, _data: Any, component: int) -> int:
            return 10 * theta + component

    result = em(Locates([1.0, 2.0, 3.0, 4.0], _lose_component), None, 0, tol=0)
    assert "nearest row of the data: 21" in result.message


# --- when to stop ---------------------------------------------------------------------------------------------


@thorough(100)
@given(
    rate=st.floats(0.05, 0.99),
    gap=st.floats(0.1, 100),
    n=st.integers(4, 12),
)
def test_aitken_is_exact_on_a_geometric_sequence(rate: float, gap: float, n: int) -> None:
    trace = geometric(0, gap, rate, n)
    assert_allclose(aitken_distance(trace), -trace[-1], rtol=1e-6, atol=1e-12 * gap)


@thorough(60)
@given(
    first=st.floats(0.02, 0.9),
    second=st.floats(0.02, 0.9),
    mix=st.floats(0.05, 0.95),
    n=st.integers(4, 20),
)
def test_aitken_does_not_overstate_the_rate_of_two_modes_by_the_faster(
    first: float, second: float, mix: float, n: int
) -> None:
    """With two geometric modes the estimate lies between what either mode alone would leave."""
    gaps = [mix * first**k + (1 - mix) * second**k for k in range(n)]
    last = gaps[-2] - gaps[-1]
    slow, fast = max(first, second), min(first, second)
    if last < 1e-13:
        return
    estimate = aitken_distance([-gap for gap in gaps])
    assert last * fast / (1 - fast) * (1 - 1e-3) <= estimate <= last * slow / (1 - slow) * (1 + 1e-3)


@pytest.mark.parametrize(
    ("trace", "distance"),
    [
        ([0.0, 1.0, 1.5], np.inf),  # too short
        ([0.0, 1.0, 2.0, 3.0], np.inf),  # gains do not shrink
        ([0.0, 1.0, 2.0, 4.0], np.inf),  # gains grow
        ([0.0, 1e-6, 1.0, 1.5], np.inf),  # a small first step tells no rate
        ([1.0, 1.0, 2.0, 2.1], np.inf),  # no first gain
        ([1.0, 2.0, 1.9, 2.1], np.inf),  # a fall within rounding tells no rate
        ([1.0, 2.0, 2.0, 2.0], 0.0),  # no gain left
        ([1.0, 2.0, 1.9, 1.9], 0.0),
    ],
)
def test_aitken_on_irregular_traces(trace: list[float], distance: float) -> None:
    assert aitken_distance(trace) == distance


def test_one_small_step_is_not_convergence() -> None:
    """A plateau: the first step gains 1e-12, the rest follows; abs(change) < tol would stop at once."""
    values = [-100.0, -100.0 + 1e-12, *geometric(-50, 49, 0.8, 300)]
    result = em(Scripted(values), None, 0, tol=1e-6)
    assert result.status is Status.CONVERGED
    assert result.log_likelihood > -50 - 2e-6


def test_a_slow_sequence_is_followed_to_its_end() -> None:
    """Rate 0.999: when the step is tol, the limit is still 999 steps away. Stopping honours the limit."""
    values = geometric(0, 1, 0.999, 40_000)
    result = em(Scripted(values), None, 0, tol=1e-6, max_iter=39_000)
    assert result.status is Status.CONVERGED
    assert result.log_likelihood >= -1e-6 * 1.01
    assert values[result.n_iter] - values[result.n_iter - 1] < 1e-8


def overlapping() -> tuple[np.ndarray, Mixture[Any, Any]]:
    """Weights 1/4 and 3/4, means two standard deviations apart, as in scikit-learn's issue 10122."""
    rng = np.random.default_rng(10122)
    x = np.concatenate([rng.normal(0, 1, (250, 1)), rng.normal(2, 1, (750, 1))])
    return x, Mixture(Gaussian())


def start_at(*means: float) -> MixtureParameters[GaussianParameters]:
    components = GaussianParameters(np.reshape(means, (-1, 1)), np.ones((len(means), 1, 1)))
    return MixtureParameters(np.full(len(means), 1 / len(means)), components)


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6, 1e-8])
def test_overlapping_mixture_is_not_called_converged_early(tol: float) -> None:
    """EM is slow here (rate about 0.986): what is left is within tol, not only the last step."""
    x, model = overlapping()
    result = em(model, x, start_at(-0.5, 1.5), tol=tol, max_iter=3000)
    limit = em(model, x, result.theta, tol=0, max_iter=2000).log_likelihood
    assert result.status is Status.CONVERGED
    assert 0 <= limit - result.log_likelihood <= 1.01 * tol
    # The rule of other packages, abs(change of the mean) < tol, stops a hundred times as far from the limit.
    naive = int(np.argmax(np.diff(result.trace) / len(x) < tol)) + 1
    assert limit - result.trace[naive] > 100 * (limit - result.log_likelihood)


def test_a_plateau_near_a_saddle_is_left_behind() -> None:
    """From nearly equal components the gains shrink to 2e-4 nats, then grow again; 1.46 nats are still to come."""
    x, model = overlapping()
    result = em(model, x, start_at(0.9, 1.9), max_iter=3000)
    gains = np.diff(result.trace)
    plateau = int(np.argmin(gains[:100]))
    assert gains[plateau] < 2e-4 < 1e-3 < gains[plateau:].max()
    assert result.trace[-1] - result.trace[plateau] > 1.4
    assert result.status is Status.CONVERGED
    assert_allclose(result.log_likelihood, em(model, x, start_at(-0.5, 1.5), max_iter=3000).log_likelihood, atol=1e-9)


def test_identical_components_are_a_fixed_point() -> None:
    """Errata A2: the EM map returns the same parameters; a gain of zero is possible away from any maximum."""
    x = np.array([[-2.0], [0], [0], [0], [0], [0], [0], [2]])
    start = MixtureParameters([0.5, 0.5], GaussianParameters(np.zeros((2, 1)), np.ones((2, 1, 1))))
    result = em(Mixture(Gaussian()), x, start)
    assert result.status is Status.CONVERGED
    assert_allclose(result.trace, -11.351508265637, rtol=1e-13)
    assert_allclose(result.theta.components.covariances, 1, rtol=1e-14)


# --- the progress bar -----------------------------------------------------------------------------------------


def test_progress_bar_goes_to_stderr_only(capsys: pytest.CaptureFixture[str]) -> None:
    em(Scripted(geometric(0, 1, 0.5, 100)), None, 0, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(r"EM: .*objective=", captured.err)


def test_no_progress_bar_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    em(Scripted(geometric(0, 1, 0.5, 100)), None, 0)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_progress_bar_is_closed_after_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    result = em(InterruptIn("e_step"), None, 0, tol=0, progress=True)
    assert result.status is Status.INTERRUPTED
    assert capsys.readouterr().err.endswith("\n")


# --- collapse (errata A3) -------------------------------------------------------------------------------------

COLLAPSING = np.array([[0.0], [10.0], [11.0], [12.0]])


def collapsing_start() -> MixtureParameters[GaussianParameters]:
    return MixtureParameters([0.25, 0.75], GaussianParameters([[0.0], [11.0]], [[[1.0]], [[1.0]]]))


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_collapse_ends_degenerate_and_names_component_and_row(covariance_type: str) -> None:
    start = collapsing_start()
    shape = {"full": (2, 1, 1), "diag": (2, 1), "spherical": (2,)}[covariance_type]
    start = MixtureParameters(
        start.weights, GaussianParameters(start.components.means, np.ones(shape), covariance_type)
    )
    result = em(Mixture(Gaussian(covariance_type)), COLLAPSING, start)
    assert result.status is Status.DEGENERATE
    assert "component 0" in result.message
    assert "row of the data: 0" in result.message
    assert "covariance_floor" in result.message
    assert_allclose(result.trace[0], -6.925, atol=5e-4)
    assert np.isfinite(result.log_likelihood)
    assert (result.theta.components.covariances > 0).all()
    assert np.isfinite(Mixture(Gaussian(covariance_type)).log_density(result.theta, COLLAPSING)).all()


def test_estimator_warns_of_a_collapse_and_stays_usable() -> None:
    from emlib import DegenerateFitWarning

    start = collapsing_start()
    mixture = GaussianMixture(
        2,
        weights_init=start.weights,
        means_init=start.components.means,
        covariances_init=start.components.covariances,
    )
    with pytest.warns(DegenerateFitWarning, match=r"component 0 .*row of the data: 0"):
        mixture.fit(COLLAPSING)
    assert mixture.status_ is Status.DEGENERATE
    assert not mixture.converged_
    assert mixture.predict(COLLAPSING).tolist() == [0, 1, 1, 1]


def test_a_floor_cures_the_collapse() -> None:
    model = Mixture(Gaussian(covariance_floor=0.01))
    result = em(model, COLLAPSING, collapsing_start())
    assert result.status is Status.CONVERGED
    assert_allclose(result.theta.components.covariances.ravel(), [0.01, 2 / 3], rtol=1e-9)
    assert (np.diff(result.trace) >= -1e-12).all()


def test_a_prior_cures_the_collapse() -> None:
    from emlib import InverseWishart

    model = Mixture(Gaussian(prior=InverseWishart(scale=1.0, dof=3)))
    result = em(model, COLLAPSING, collapsing_start())
    assert result.status is Status.CONVERGED
    # Responsibilities are 0 and 1 to rounding here: mode = (scatter + scale) / (mass + dof + 2).
    assert_allclose(result.theta.components.covariances.ravel(), [1 / 6, 3 / 8], rtol=1e-6)
    assert (np.diff(result.trace) >= -1e-12).all()


def test_warning_names_what_is_left_when_max_iter_is_reached() -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(0, 1, (50, 1)), rng.normal(2, 1, (50, 1))])
    with pytest.warns(ConvergenceWarning, match=r"max_iter=5 .*still to come is .*Raise max_iter or tol"):
        mixture = GaussianMixture(2, max_iter=5, random_state=0).fit(x)
    assert mixture.status_ is Status.MAX_ITER

"""emlib.differences against derivatives known by heart."""

from __future__ import annotations

import numpy as np
import pytest

from emlib.differences import extrapolate, hessian, jacobian, steps_of

POINT = np.array([0.3, -1.2, 2.0])


def bowl(u: np.ndarray) -> float:
    """Return a smooth function that is no polynomial."""
    return float(np.exp(u[0]) * np.sin(u[1]) - np.log(u[2]) * u[0])


def test_jacobian_of_a_matrix_valued_function() -> None:
    def values(u: np.ndarray) -> np.ndarray:
        return np.array([[np.exp(u[0]), u[1] * u[2]], [np.sin(u[1]), np.log(u[2])]])

    exact = np.zeros((2, 2, 3))
    exact[0, 0, 0] = np.exp(POINT[0])
    exact[0, 1, 1:] = POINT[2], POINT[1]
    exact[1, 0, 1] = np.cos(POINT[1])
    exact[1, 1, 2] = 1 / POINT[2]
    got = jacobian(values, POINT, np.array([0.05, 0.1, 0.1]))
    assert got.shape == (2, 2, 3)
    np.testing.assert_allclose(got, exact, rtol=0, atol=1e-9)


def test_hessian() -> None:
    a, b, c = POINT
    exact = np.array(
        [
            [np.exp(a) * np.sin(b), np.exp(a) * np.cos(b), -1 / c],
            [np.exp(a) * np.cos(b), -np.exp(a) * np.sin(b), 0.0],
            [-1 / c, 0.0, a / c**2],
        ]
    )
    got = hessian(bowl, POINT, np.array([0.05, 0.1, 0.1]))
    np.testing.assert_array_equal(got, got.T)
    np.testing.assert_allclose(got, exact, rtol=0, atol=1e-9)


def test_extrapolation_takes_away_the_first_two_terms_of_the_error() -> None:
    h = np.array([0.4, 0.2, 0.1])
    values = [np.array(7.0 + 3 * one**2 - 5 * one**4) for one in h]
    assert abs(extrapolate(values) - 7.0) < 1e-14
    assert abs(extrapolate(values[1:]) - 7.0) > 1e-3


@pytest.mark.parametrize(
    ("scale", "center"), [(1e-9, 0.0), (1e-3, 0.0), (1.0, 0.0), (1e5, 0.0), (1e-3, 1e4), (1.0, 1e8), (1e9, 1e8)]
)
def test_steps_follow_the_curvature_and_not_the_size_of_the_coordinate(scale: float, center: float) -> None:
    step = steps_of(lambda u: -0.5 * ((u[0] - center) / scale) ** 2, np.array([center]))
    assert 0.2 * scale <= step[0] <= 0.8 * scale


def test_steps_are_short_where_the_objective_is_no_parabola() -> None:
    # 100 counts of which 1e-4 are expected in a cell: in the log odds the likelihood is flat on one side.
    def objective(u: np.ndarray) -> float:
        return float(1e-2 * u[0] - 100 * np.log1p(np.exp(u[0])))

    top = np.array([np.log(1e-4 / (1 - 1e-4))])
    steps = steps_of(objective, top)
    assert steps[0] < 1.5
    exact = 100 * 1e-4 * (1 - 1e-4)
    np.testing.assert_allclose(-hessian(objective, top, steps), [[exact]], rtol=1e-4)


def test_steps_stay_inside_the_domain_of_the_objective() -> None:
    def objective(u: np.ndarray) -> float:
        if abs(u[0]) > 1e-4:
            raise ValueError("outside")
        return -float(u[0] ** 2)

    assert 0 < steps_of(objective, np.zeros(1))[0] <= 1e-4


def test_a_coordinate_without_effect_keeps_a_small_step() -> None:
    steps = steps_of(lambda u: -float(u[0] ** 2), np.array([0.0, 3.0]))
    assert steps[1] == 3e-3


def test_an_objective_defined_nowhere_else_still_gets_a_step() -> None:
    def objective(u: np.ndarray) -> float:
        return 0.0 if u[0] == 1.0 else np.nan

    assert steps_of(objective, np.ones(1))[0] > 0

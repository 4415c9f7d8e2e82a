"""Gaussian components: what is refused, what collapses, and what only looks as if it did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from emlib import (
    DegenerateComponent,
    Gaussian,
    GaussianMixture,
    GaussianParameters,
    Mixture,
    MixtureParameters,
    Status,
    em,
)
from emlib.models.components.covariance import covariance_structure
from tests.problems import GAUSSIAN_TYPES, dense_covariance, make_problem

SHAPES = {
    "full": (3, 2, 2),
    "tied": (2, 2),
    "diag": (3, 2),
    "spherical": (3,),
    "tied_diag": (2,),
    "tied_spherical": (),
}


def components(covariance_type: str) -> GaussianParameters:
    start = make_problem(f"gaussian-{covariance_type}", 5, dim=2, n_components=3).start
    found: GaussianParameters = start.components
    return found


@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_shapes(covariance_type: str) -> None:
    theta = components(covariance_type)
    assert theta.covariances.shape == SHAPES[covariance_type]
    dense = [dense_covariance(theta, m) for m in range(3)]
    assert_allclose(theta.dense_covariances, dense)


@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_a_wrong_shape_is_named_with_the_right_one(covariance_type: str) -> None:
    expected = str(SHAPES[covariance_type]).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=rf"{covariance_type} covariances .*must have shape {expected}, got \(7,\)"):
        GaussianParameters(np.zeros((3, 2)), np.ones(7), covariance_type)


def test_unknown_type_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"covariance_type must be one of full, tied, diag, .*got 'VVV'"):
        covariance_structure("VVV")


@pytest.mark.parametrize("theirs", GAUSSIAN_TYPES)
@pytest.mark.parametrize("mine", GAUSSIAN_TYPES)
def test_parameters_must_be_of_the_type_of_the_family(mine: str, theirs: str) -> None:
    theta = MixtureParameters(np.full(3, 1 / 3), components(theirs))
    x = np.zeros((4, 2))
    if mine == theirs:
        Mixture(Gaussian(mine)).log_density(theta, x)
        return
    with pytest.raises(ValueError, match=f"'?{theirs}'?.*'?{mine}'?|'?{mine}'?.*'?{theirs}'?"):
        Mixture(Gaussian(mine)).log_density(theta, x)


@pytest.mark.parametrize("n_weights", [1, 2, 5])
def test_as_many_weights_as_components(n_weights: int) -> None:
    theta = MixtureParameters(np.full(n_weights, 1 / n_weights), components("full"))
    with pytest.raises(ValueError, match=f"{n_weights} weights? for 3 components"):
        Mixture(Gaussian()).log_density(theta, np.zeros((4, 2)))


def test_three_weights_for_one_component() -> None:
    theta = MixtureParameters([0.2, 0.3, 0.5], GaussianParameters([[0.0]], [[[1.0]]]))
    with pytest.raises(ValueError, match="3 weights for 1 component"):
        em(Mixture(Gaussian()), np.arange(5.0)[:, None], theta)


def test_the_columns_of_data_and_parameters_must_agree() -> None:
    with pytest.raises(ValueError, match="the data have 3 columns, the parameters 2"):
        Gaussian().log_prob(components("full"), np.zeros((4, 3)))


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_asymmetric_matrices_are_refused(covariance_type: str) -> None:
    matrix = np.array([[1.0, 0.2], [0.1, 1.0]])
    covariances = matrix if covariance_type == "tied" else matrix[None]
    with pytest.raises(ValueError, match=r"must be symmetric; they differ from their transpose by 0\.1"):
        GaussianParameters(np.zeros((1, 2)), covariances, covariance_type)


@pytest.mark.parametrize(
    ("covariance_type", "covariances", "message"),
    [
        ("full", [np.eye(2), [[1.0, 2], [2, 1]]], "component 1 has a covariance that is not positive definite"),
        ("full", [np.eye(2), [[1.0, 1], [1, 1]]], "component 1 has a "),
        ("full", [np.eye(2), np.diag([1.0, 0])], "component 1 has a variance that is not positive"),
        ("tied", np.diag([1.0, -1]), r"variance that is not positive \(the covariance is shared by all\)"),
        ("diag", [[1.0, 1], [0, 1]], "component 1 has a variance that is not positive"),
        ("spherical", [1.0, -1], "component 1 has a variance that is not positive"),
        ("tied_diag", [1.0, 0], "has a variance that is not positive"),
        ("tied_spherical", 0.0, "has a variance that is not positive"),
    ],
)
def test_singular_covariances_are_named(covariance_type: str, covariances: Any, message: str) -> None:
    theta = GaussianParameters(np.zeros((2, 2)), np.array(covariances), covariance_type)
    with pytest.raises(DegenerateComponent, match=message):
        Gaussian(covariance_type).log_prob(theta, np.zeros((1, 2)))


def test_columns_of_unlike_units_are_not_singular() -> None:
    """Condition number 1e24, and as good as a round one: units do not matter."""
    scale = np.array([1e-6, 1e6])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2)) * scale
    fit = GaussianMixture(1).fit(x)
    assert fit.converged_
    assert_allclose(fit.covariances_[0] / np.outer(scale, scale), np.cov((x / scale).T, bias=True), rtol=1e-10)
    assert_allclose(fit.log_likelihood_, GaussianMixture(1).fit(x / scale).log_likelihood_, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_units_of_any_size(scale: float, covariance_type: str) -> None:
    x = make_problem("gaussian-full", 2, dim=2, n_components=2).x
    options: dict[str, Any] = {"covariance_type": covariance_type, "random_state": 0, "max_iter": 20, "tol": 0}
    plain, scaled = GaussianMixture(2, **options).fit(x), GaussianMixture(2, **options).fit(x * scale)
    assert_allclose(scaled.means_, plain.means_ * scale, rtol=1e-6)
    assert_allclose(scaled.log_likelihood_, plain.log_likelihood_ - x.size * np.log(scale), rtol=1e-9)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([0.0, 1, 1e200, 2], r"row 2, column 1 is 1e\+200: squares .* overflow\. Rescale"),
        ([0.0, 1, -1e200, 2], r"row 2, column 1 is -1e\+200"),
        ([0.0, 1e-200, 2e-200, 5e-200], "column 1 varies by 5e-200 only: squares .* underflow. Rescale"),
    ],
)
def test_numbers_whose_squares_leave_the_range_are_named(column: list[float], message: str) -> None:
    x = np.column_stack([[0.0, 3, 1, 2], column])
    with pytest.raises(ValueError, match=message):
        GaussianMixture(1).fit(x)
    with pytest.raises(ValueError, match=message):
        Mixture(Gaussian()).prepare(x)


def test_two_rows_in_the_plane_have_no_maximum() -> None:
    """Errata B8: the scatter of (0, 0) and (1, 2) has determinant 0."""
    theta = MixtureParameters([1.0], GaussianParameters([[0.0, 0.0]], [np.eye(2)]))
    result = em(Mixture(Gaussian()), np.array([[0.0, 0], [1, 2]]), theta)
    assert result.status is Status.DEGENERATE
    assert result.n_iter == 0
    assert "component 0" in result.message
    assert "covariance_floor" in result.message


def test_identical_rows_collapse() -> None:
    """Many equal rows under one of two components; its variance goes to zero, not to a rounding error."""
    x = np.concatenate([np.full((5, 1), 1e8), np.linspace(0, 1, 20)[:, None]])
    theta = MixtureParameters([0.5, 0.5], GaussianParameters([[1e8], [0.5]], [[[1.0]], [[1.0]]]))
    result = em(Mixture(Gaussian()), x, theta)
    assert result.status is Status.DEGENERATE
    assert "component 0 collapsed" in result.message
    assert "nearest row of the data: 0" in result.message


def test_the_row_of_a_collapse_has_a_positive_weight() -> None:
    x = np.array([[0.0], [0.0], [10.0], [11.0], [12.0]])
    theta = MixtureParameters([0.25, 0.75], GaussianParameters([[0.0], [11.0]], [[[1.0]], [[1.0]]]))
    result = em(Mixture(Gaussian()), x, theta, sample_weight=[0, 1, 1, 1, 1])
    assert "nearest row of the data: 1" in result.message


def test_statistics_about_different_points_do_not_add_up() -> None:
    x, r = np.zeros((3, 2)), np.full((3, 3), 1 / 3)
    family = Gaussian()
    one = family.statistics(components("full"), x, r)
    moved = GaussianParameters(components("full").means + 1, components("full").covariances)
    with pytest.raises(ValueError, match="different reference points do not add up"):
        one + family.statistics(moved, x, r)


def test_a_nearly_singular_correlation_is_refused_before_it_lies() -> None:
    """Correlation 1 - 1e-17 rounds to 1; at 1 - 1e-9 the density is still SciPy's to six digits."""
    tight = 1 - 1e-9
    theta = GaussianParameters(np.zeros((1, 2)), [[[1.0, tight], [tight, 1.0]]])
    x = np.array([[0.3, 0.3], [1.0, 1.00001]])
    expected = stats.multivariate_normal([0, 0], theta.covariances[0]).logpdf(x)
    assert_allclose(Gaussian().log_prob(theta, x)[:, 0], expected, rtol=1e-6)
    singular = GaussianParameters(np.zeros((1, 2)), [[[1.0, 1 - 1e-16], [1 - 1e-16, 1.0]]])
    with pytest.raises(DegenerateComponent, match="component 0 has a "):
        Gaussian().log_prob(singular, x)

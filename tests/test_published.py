"""The table of published numbers, and the fixed points that the programs behind it stop short of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emlib import (
    EMResult,
    Gaussian,
    GaussianMixture,
    Mixture,
    MixtureParameters,
    Poisson,
    PoissonParameters,
    Status,
    datasets,
    em,
)
from emlib.datasets import load_faithful, load_iris
from emlib.published import COMPUTATIONS, Entry, entries, reproduce
from emlib.published.table import parse
from tests.invariants import gradient

FAITHFUL = load_faithful().data
IRIS = load_iris()
ENTRIES = {entry.id: entry for entry in entries()}


# --- the table of published numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENTRIES)
def test_every_published_result_is_reproduced(name: str) -> None:
    entry = ENTRIES[name]
    assert_allclose(reproduce(entry), entry.published, atol=entry.tolerance, rtol=0)


def test_every_computation_has_its_entry_and_every_entry_its_computation() -> None:
    assert set(COMPUTATIONS) == set(ENTRIES)


def test_every_entry_names_a_data_set_of_the_package() -> None:
    names = {name.removeprefix("load_") for name in datasets.__all__} - {"Dataset"}
    assert {entry.data for entry in ENTRIES.values()} <= names | {"inline"}


def test_another_number_would_be_noticed() -> None:
    """Each published number counts: changed by three tolerances, or by one where it must be exact, it is missed."""
    for entry in ENTRIES.values():
        ours = reproduce(entry)
        change = 3 * entry.tolerance or 1.0
        for k in range(len(ours)):
            changed = np.array(entry.published) + change * (np.arange(len(ours)) == k)
            assert np.abs(ours - changed).max() > entry.tolerance, (entry.id, k)


GOOD = """
[[entry]]
id = "a.b"
source = "Somebody (1990)"
status = "printed"
data = "iris"
quantity = "a number"
published = [1]
tolerance = 0
"""


def test_an_entry_is_read_as_it_stands() -> None:
    assert parse(GOOD) == (Entry("a.b", "Somebody (1990)", "printed", "iris", "a number", (1.0,), 0),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('data = "iris"\n', "", r"entry a\.b: unknown keys \[\], missing keys \['data'\]"),
        ("tolerance", "tol", r"unknown keys \['tol'\], missing keys \['tolerance'\]"),
        ('"printed"', '"sure"', "status must be one of printed, .*, got 'sure'"),
        ("[1]", "[]", "at least one number"),
        ("tolerance = 0", "tolerance = -1", "a tolerance from 0, got -1"),
        ("tolerance = 0", "tolerance = nan", "a tolerance from 0, got nan"),
        ("tolerance = 0", f"tolerance = 0\n{GOOD}", r"id a\.b stands more than once"),
    ],
)
def test_a_wrong_entry_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(GOOD.replace(old, new))


def test_an_entry_without_a_computation_fails() -> None:
    (entry,) = parse(GOOD)
    with pytest.raises(KeyError, match=r"no computation for a\.b"):
        reproduce(entry)


def test_a_computation_of_other_length_fails() -> None:
    entry = replace(ENTRIES["linkage.mle"], published=(1.0, 2.0))
    with pytest.raises(ValueError, match=r"linkage\.mle lists 2 numbers, its computation gave \(1,\)"):
        reproduce(entry)


# --- what those programs reach when they are run to the end ---------------------------------------------------


def faithful(covariance_type: str, n_components: int = 2, **options: object) -> GaussianMixture:
    settings = {"random_state": 0, "max_iter": 5000, **options}
    return GaussianMixture(n_components, covariance_type=covariance_type, **settings).fit(FAITHFUL)


def test_two_full_components_of_old_faithful() -> None:
    """R mclust, R mixtools and scikit-learn agree on the log-likelihood to 1e-10."""
    fit = faithful("full", tol=1e-13)
    assert fit.status_ is Status.CONVERGED
    assert_allclose(fit.log_likelihood_, -1130.2639601847, atol=1e-9, rtol=0)
    short, long = np.argsort(fit.means_[:, 0])
    assert_allclose(fit.weights_[[short, long]], [0.355872857105707, 0.644127142894293], atol=1e-7, rtol=0)
    assert_allclose(fit.means_[short], [2.03638845461996, 54.47851637696833], atol=1e-7, rtol=1e-7)
    assert_allclose(fit.means_[long], [4.289661973095988, 79.96811517385605], atol=1e-7, rtol=1e-7)
    assert_allclose(
        fit.covariances_[short],
        [[0.069167672559311, 0.435167624443501], [0.435167624443501, 33.69728207230224]],
        atol=1e-7,
        rtol=1e-7,
    )
    assert_allclose(
        fit.covariances_[long],
        [[0.169968435747095, 0.940609319270252], [0.940609319270252, 36.04621131755317]],
        atol=1e-7,
        rtol=1e-7,
    )


@pytest.mark.parametrize(
    ("covariance_type", "log_likelihood"),
    [
        ("full", -1130.26396018474),
        ("tied", -1140.18675943708),
        ("diag", -1147.80635253781),
        ("tied_diag", -1157.68001234169),
        ("spherical", -1709.52928217742),
        ("tied_spherical", -1709.68137294974),
    ],
)
def test_every_covariance_type_on_old_faithful(covariance_type: str, log_likelihood: float) -> None:
    """R mclust's VVV, EEE, VVI, EEI, VII and EII, converged."""
    fit = faithful(covariance_type)
    assert_allclose(fit.log_likelihood_, log_likelihood, atol=1e-9, rtol=0)


def test_one_gaussian_has_the_moments_of_the_data() -> None:
    fit = faithful("full", 1)
    assert_allclose(fit.means_[0], FAITHFUL.mean(axis=0), rtol=1e-14)
    assert_allclose(fit.covariances_[0], np.cov(FAITHFUL.T, bias=True), rtol=1e-12)


def test_three_components_with_a_common_covariance() -> None:
    """R mclust's EEE, 3, which prints -1126.326 where it stops, run to the end."""
    fit = faithful("tied", 3, n_init=10)
    assert_allclose(fit.log_likelihood_, -1126.315928, atol=1e-6, rtol=0)
    assert_allclose(-fit.bic(FAITHFUL), -2314.2957, atol=1e-4, rtol=0)


def test_waiting_times_with_equal_deviations() -> None:
    """R mixtools, run to the end from its own start (Benaglia et al. 2009, J. Stat. Software 32(6), section 2)."""
    fit = GaussianMixture(
        2,
        covariance_type="tied",
        weights_init=[0.5, 0.5],
        means_init=[[55.0], [80.0]],
        covariances_init=[[25.0]],
        tol=1e-13,
    ).fit(FAITHFUL[:, 1:])
    found = [fit.weights_[0], *fit.means_.ravel(), np.sqrt(fit.covariances_[0, 0]), fit.log_likelihood_]
    assert_allclose(found, [0.360849, 54.61363, 80.09030, 5.869091, -1034.00176], atol=1e-5, rtol=0)


def iris_from_species(covariance_type: str) -> EMResult[object]:
    model = Mixture(Gaussian(covariance_type))
    assert IRIS.target is not None
    return em(model, IRIS.data, model.from_responsibilities(IRIS.data, np.eye(3)[IRIS.target]))


def test_iris_fixed_points() -> None:
    """R mclust's VVV and EEI from the species, at its tightest tolerance."""
    assert_allclose(iris_from_species("full").log_likelihood, -180.185477, atol=1e-6, rtol=0)
    assert_allclose(iris_from_species("tied_diag").log_likelihood, -361.425522, atol=1e-6, rtol=0)


def test_bic_of_iris() -> None:
    theta = iris_from_species("full").theta
    known = GaussianMixture.from_parameters(theta.weights, theta.components.means, theta.components.covariances)
    assert_allclose(-known.bic(IRIS.data), -580.8389, atol=1e-4, rtol=0)


def test_hasselblads_poisson_mixture() -> None:
    """Hasselblad (1969): deaths a day of London women over 80; the root to 30 digits by mpmath."""
    counts = [162, 267, 271, 185, 111, 61, 27, 8, 3, 1]
    start = MixtureParameters([0.3, 0.7], PoissonParameters([[1.0], [2.5]]))
    x = np.arange(10.0)[:, None]
    result = em(Mixture(Poisson()), x, start, sample_weight=counts, tol=1e-12, max_iter=10_000)
    assert result.status is Status.CONVERGED
    assert_allclose(result.log_likelihood, -1989.94585988296, atol=1e-9, rtol=0)
    order = np.argsort(result.theta.components.rates[:, 0])
    assert_allclose(result.theta.weights[order], [0.359885396984934, 0.640114603015065], atol=1e-5)
    assert_allclose(result.theta.components.rates[order, 0], [1.25609510122433, 2.66340435663247], atol=1e-5)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"])
def test_old_faithful_moved_by_1e8(covariance_type: str) -> None:
    """Converged answers far from the origin agree to 1e-7. The grid of 2^-20 minutes makes the move exact."""
    x = np.round(FAITHFUL * 2**20) / 2**20
    near = GaussianMixture(2, covariance_type=covariance_type, random_state=0, tol=1e-9).fit(x)
    far = GaussianMixture(2, covariance_type=covariance_type, random_state=0, tol=1e-9).fit(x + 1e8)
    order, other = np.argsort(near.means_[:, 0]), np.argsort(far.means_[:, 0])
    assert far.converged_
    assert_allclose(far.log_likelihood_, near.log_likelihood_, rtol=1e-7)
    assert_allclose(far.weights_[other], near.weights_[order], atol=1e-7)
    assert_allclose(far.means_[other] - 1e8, near.means_[order], atol=1e-7, rtol=1e-7)
    same = (lambda c, _o: c) if covariance_type.startswith("tied") else (lambda c, o: c[o])
    assert_allclose(same(far.covariances_, other), same(near.covariances_, order), rtol=1e-6)


def test_gradient_vanishes_at_the_fit() -> None:
    fit = faithful("full", tol=1e-13)
    model = Mixture(Gaussian())
    units = FAITHFUL.std(axis=0)
    scaled = GaussianMixture.from_parameters(
        fit.weights_, fit.means_ / units, fit.covariances_ / np.outer(units, units)
    ).theta_
    slope = gradient(lambda v: model.log_likelihood(model.unpack(v, scaled), FAITHFUL / units), model.pack(scaled))
    # tol = 1e-13 nats leaves a slope of about sqrt(2 * 1e-13 * curvature), curvature up to 272.
    assert_allclose(slope, np.zeros(11), atol=1e-5)

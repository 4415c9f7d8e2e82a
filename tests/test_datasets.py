"""The data sets are the published ones, and cannot be changed by accident."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from importlib import resources

import numpy as np
import pytest

from emlib.datasets import (
    Dataset,
    load_do_batzoglou,
    load_earthquakes,
    load_faithful,
    load_hasselblad,
    load_iris,
    load_johnson_wichern,
    load_linkage,
    load_murray,
)

SHA256 = {
    "do_batzoglou.csv": "9debfab64313acc6292cb340a700806ba2aa891f385a920fb7ee605daff38b2d",
    "earthquakes.csv": "4c4b1d822fd6e568f2a40c3f0dd81e889e0179b2bded049b52960609d792a4df",
    "faithful.csv": "d40b983752ab7ec0b15b740089c3ca7b7b59d0c7433a029a1714d134de1e8d14",
    "hasselblad.csv": "f8e5bd722008a159cbf0adb16dfbec31a624f6589e61361f22e60c38840767dd",
    "iris.csv": "91eb642c3adbc7bad8e99c930c11fa3a5cc8a07262c7a753b4e6ecf405f2e05e",
    "linkage.csv": "71122932db09702cd322cd6ae997e6d82b7e0d73fc359682dbb213cb8e91186c",
    "johnson_wichern.csv": "ce841368fcc693bc9cc3df5a8e9ef809210becf7abac5b8927f21c084ba9cfe6",
    "murray1977.csv": "6d13e2f102d6d5d80eeb6b547d56d0259d57bdb798cc6be4ba73b2bcbdcd3092",
}


@pytest.mark.parametrize("file", SHA256)
def test_files_are_unchanged(file: str) -> None:
    content = resources.files("emlib.datasets").joinpath(file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256[file]


def test_earthquakes_are_the_published_counts() -> None:
    """Zucchini and MacDonald (2009) print a mean of 19.36 and a variance of 51.57."""
    years, counts = load_earthquakes().data.T
    np.testing.assert_array_equal(years, np.arange(1900, 2007))
    np.testing.assert_allclose([counts.mean(), counts.var(ddof=1)], [19.364, 51.573], atol=6e-4)


def test_faithful_is_the_published_table() -> None:
    faithful = load_faithful()
    assert faithful.data.shape == (272, 2)
    # R: colMeans(faithful) and sapply(faithful, sd)
    np.testing.assert_allclose(faithful.data.mean(axis=0), [3.487783, 70.897059], atol=5e-7)
    np.testing.assert_allclose(faithful.data.std(axis=0, ddof=1), [1.141371, 13.594974], atol=5e-7)
    assert faithful.feature_names == ("eruptions", "waiting")
    assert faithful.units == ("min", "min")
    assert faithful.target is None
    assert faithful.target_names == ()


def test_hasselblad_is_the_published_table() -> None:
    hasselblad = load_hasselblad()
    deaths, days = hasselblad.data.T
    np.testing.assert_array_equal(deaths, np.arange(10))
    assert days.sum() == 365 + 365 + 366  # every day of 1910, 1911 and 1912
    assert deaths @ days == 2364
    assert hasselblad.feature_names == ("deaths", "freq")
    assert hasselblad.units == ("deaths", "days")


def test_iris_is_fishers_table() -> None:
    iris = load_iris()
    assert iris.data.shape == (150, 4)
    np.testing.assert_allclose(iris.data.mean(axis=0), [5.843333, 3.057333, 3.758, 1.199333], atol=5e-7)
    assert iris.feature_names == ("sepal_length", "sepal_width", "petal_length", "petal_width")
    assert iris.target_names == ("setosa", "versicolor", "virginica")
    assert iris.target is not None
    np.testing.assert_array_equal(iris.target, np.repeat([0, 1, 2], 50))
    # Rows 35 and 38 are where the copy of the UCI repository departs from Fisher.
    np.testing.assert_array_equal(iris.data[[34, 37]], [[4.9, 3.1, 1.5, 0.2], [4.9, 3.6, 1.4, 0.1]])


def test_iris_is_scikit_learns() -> None:
    from sklearn import datasets

    theirs = datasets.load_iris()
    np.testing.assert_array_equal(load_iris().data, theirs.data)
    np.testing.assert_array_equal(load_iris().target, theirs.target)


def test_small_tables_are_the_printed_ones() -> None:
    np.testing.assert_array_equal(load_linkage().data, [[125, 18, 20, 34]])
    assert load_linkage().data.sum() == 197
    np.testing.assert_array_equal(load_do_batzoglou().data, [[5, 10], [9, 10], [8, 10], [4, 10], [7, 10]])
    assert load_do_batzoglou().feature_names == ("heads", "tosses")


def test_murrays_pairs_and_johnson_and_wicherns_rows_have_gaps() -> None:
    murray, nan = load_murray().data, np.nan
    np.testing.assert_array_equal(murray[:5], [[1, 1], [1, -1], [-1, 1], [-1, -1], [2, nan]])
    assert murray.shape == (12, 2)
    assert np.isnan(murray).sum(axis=0).tolist() == [4, 4]
    np.testing.assert_array_equal(load_johnson_wichern().data, [[nan, 0, 3], [7, 2, 6], [5, 1, 2], [nan, nan, 5]])


@pytest.mark.parametrize(
    "load",
    [
        load_do_batzoglou,
        load_earthquakes,
        load_faithful,
        load_hasselblad,
        load_iris,
        load_johnson_wichern,
        load_linkage,
        load_murray,
    ],
)
def test_data_sets_are_read_only_values_with_a_source(load: Callable[[], Dataset]) -> None:
    dataset = load()
    assert dataset.data.dtype == np.float64
    assert len(dataset.feature_names) == len(dataset.units) == dataset.data.shape[1]
    assert dataset.source.strip()
    with pytest.raises(ValueError, match="read-only"):
        dataset.data[0, 0] = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dataset.__setattr__(dataset, "name", "other")


def test_the_classes_of_iris_are_read_only() -> None:
    target = load_iris().target
    assert target is not None
    with pytest.raises(ValueError, match="read-only"):
        target[0] = 1

"""HDF5, Zarr and Parquet, read by their own libraries, give the fit of the same rows in memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import emlib.sources
from emlib import Gaussian, GaussianMixture, Mixture
from emlib.stream import Stream
from tests.problems import Array, make_problem

# --- how each library stores rows and opens them ------------------------------------------------------------------


def hdf5(folder: Path, x: Array) -> Any:
    h5py = pytest.importorskip("h5py")
    file = h5py.File(folder / "rows.h5", "w")
    return file.create_dataset("rows", data=x, chunks=(7, x.shape[1]))


def hdf5_in_one_piece(folder: Path, x: Array) -> Any:
    return pytest.importorskip("h5py").File(folder / "rows.h5", "w").create_dataset("rows", data=x)


def zarr_array(folder: Path, x: Array) -> Any:
    zarr = pytest.importorskip("zarr")
    stored = zarr.create_array(store=folder / "rows.zarr", shape=x.shape, chunks=(7, x.shape[1]), dtype=x.dtype)
    stored[:] = x
    return zarr.open_array(store=folder / "rows.zarr", mode="r")


def table(x: Array) -> Any:
    return pytest.importorskip("pyarrow").table({f"column {j}": x[:, j] for j in range(x.shape[1])})


def parquet(folder: Path, x: Array) -> Any:
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(table(x), folder / "rows.parquet", row_group_size=7)
    return pq.ParquetFile(folder / "rows.parquet")


def dataset(folder: Path, x: Array) -> Any:
    ds = pytest.importorskip("pyarrow.dataset")
    parquet(folder, x)
    return ds.dataset(folder / "rows.parquet")


FORMATS = (hdf5, hdf5_in_one_piece, zarr_array, parquet, dataset, lambda _, x: table(x))


# --- the fits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", FORMATS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_file_gives_the_fit_of_its_rows(
    stored: Callable[[Path, Array], Any], dtype: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emlib.sources, "ROWS", 10)
    x = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=False).x.astype(dtype)
    data = stored(tmp_path, x)
    rows = Mixture(Gaussian()).prepare(data)
    assert type(rows) is Stream
    assert_array_equal(np.concatenate([part for part, _ in rows.chunks()]), x)
    fit, whole = (GaussianMixture(2, random_state=0).fit(source) for source in (data, lambda: [x]))
    assert_allclose(fit.log_likelihood_, whole.log_likelihood_, rtol=1e-10)
    assert_array_equal(fit.predict(data), fit.predict(x))


@pytest.mark.parametrize("stored", [hdf5, zarr_array])
def test_slices_are_whole_chunks_of_the_file(stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.sources, "ROWS", 10)
    source = emlib.sources.source_of(stored(tmp_path, np.zeros((50, 2))))
    assert source is not None
    assert [len(part) for part in source()] == [14, 14, 14, 8]


@pytest.mark.parametrize("stored", FORMATS)
def test_what_is_missing_is_named(stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.sources, "ROWS", 7)
    x = np.random.default_rng(0).normal(size=(30, 2))
    x[9, 1] = np.nan
    where = r"which begins at row (\d+): .*NaN, first at row (\d+), column 1"
    with pytest.raises(ValueError, match=where) as caught:
        GaussianMixture(1).fit(stored(tmp_path, x))
    found = re.search(where, str(caught.value))
    assert found is not None
    assert int(found[1]) + int(found[2]) == 9


def test_a_null_of_arrow_is_missing() -> None:
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="NaN, first at row 1, column 0"):
        GaussianMixture(1).fit(pa.table({"a": [1, None, 3], "b": [1.0, 2.0, 3.0]}))


def test_what_is_no_table_of_numbers(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="the data must be numbers"):
        GaussianMixture(1).fit(pa.table({"a": [1.0, 2.0], "b": ["one", "two"]}))
    with pytest.raises(ValueError, match="the source gave no rows"):
        GaussianMixture(1).fit(pa.table({"a": pa.array([], pa.float64())}))
    with pytest.raises(ValueError, match=r"got shape \(3,\)"):
        GaussianMixture(1).fit(hdf5_in_one_piece(tmp_path, np.zeros(3)))


def test_weights_are_not_taken_beside_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"let its chunks be pairs \(rows, weights\)"):
        GaussianMixture(1).fit(hdf5_in_one_piece(tmp_path, np.eye(3)), sample_weight=np.ones(3))

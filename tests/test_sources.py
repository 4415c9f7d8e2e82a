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
from emlib import Gaussian, GaussianMixture, Mixture, em
from emlib.stream import Stream
from tests.problems import Array, make_problem

# --- how each library stores rows and opens them ------------------------------------------------------------------


def hdf5(folder: Path, x: Array) -> Any:
    h5py = pytest.importorskip("h5py")
    folder.mkdir(exist_ok=True)
    file = h5py.File(folder / "rows.h5", "w")
    return file.create_dataset("rows", data=x, chunks=(7, x.shape[1]))


def hdf5_in_one_piece(folder: Path, x: Array) -> Any:
    folder.mkdir(exist_ok=True)
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
    folder.mkdir(exist_ok=True)
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
    h5py = pytest.importorskip("h5py")
    with pytest.raises(ValueError, match="got shape None"):
        GaussianMixture(1).fit(h5py.File(tmp_path / "none.h5", "w").create_dataset("none", data=h5py.Empty("f8")))


# --- weights beside a file ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", FORMATS)
def test_weights_are_cut_as_the_rows_are(stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.sources, "ROWS", 10)
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=True)
    weights = problem.row_weights.copy()
    weights[::3] = 0
    weights[7:32] = 0  # whole chunks
    result = em(problem.model, stored(tmp_path, problem.x), problem.start, sample_weight=weights, tol=0, max_iter=5)
    whole = em(problem.model, problem.x, problem.start, sample_weight=weights, tol=0, max_iter=5)
    assert_allclose(result.trace, whole.trace, rtol=1e-11)
    mixture = GaussianMixture(2, random_state=0).fit(stored(tmp_path / "again", problem.x), sample_weight=weights)
    assert mixture.score(problem.x, sample_weight=weights) == pytest.approx(mixture.log_likelihood_ / weights.sum())


@pytest.mark.parametrize("kind", ["list", "column of Arrow", "HDF5", "series"])
def test_weights_may_be_stored_too(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.sources, "ROWS", 10)
    x, weights = np.random.default_rng(0).normal(size=(25, 2)), np.arange(25.0)
    given: Any = weights.tolist()
    if kind == "column of Arrow":
        given = pytest.importorskip("pyarrow").table({"weight": weights})["weight"]
    elif kind == "HDF5":
        given = pytest.importorskip("h5py").File(tmp_path / "weights.h5", "w").create_dataset("w", data=weights)
    elif kind == "series":  # slices of which go by its index
        given = pytest.importorskip("pandas").Series(weights, index=np.arange(25)[::-1] / 2)
    rows = Mixture(Gaussian()).prepare(table(x), given)
    found: list[Any] = list(rows.chunks())
    assert_array_equal(np.concatenate([part for _, part in found]), weights[1:])
    assert_array_equal(np.concatenate([part for part, _ in found]), x[1:])


@pytest.mark.parametrize("stored", FORMATS)
@pytest.mark.parametrize("n", [0, 9, 10, 29, 31, 44])
def test_weights_must_be_as_many_as_the_rows(
    stored: Any, n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emlib.sources, "ROWS", 10)
    data = stored(tmp_path, np.random.default_rng(0).normal(size=(30, 2)))
    message = rf"sample_weight must have shape \(30,\), one weight a row of the source, got \({n},\)"
    with pytest.raises(ValueError, match=message):
        GaussianMixture(1).fit(data, sample_weight=np.ones(n))


def test_weights_of_another_form() -> None:
    data = table(np.random.default_rng(0).normal(size=(30, 2)))
    for wrong, message in (
        (np.ones((30, 1)), r"must have shape \(n,\), one weight a row, got \(30, 1\)"),
        (1.0, r"must have shape \(n,\), one weight a row, got \(\)"),
        (np.r_[np.ones(29), -1], "in chunk 0 .* begins at row 0: .*row 29 has -1.0"),
        (np.zeros(30), "the weight of every row of the source is zero"),
    ):
        with pytest.raises(ValueError, match=message):
            GaussianMixture(1).fit(data, sample_weight=wrong)


# --- whatever can be sliced ---------------------------------------------------------------------------------------


class Sliced:
    """A user's storage: it has a shape, and gives rows by slices."""

    dtype = np.dtype(float)

    def __init__(self, x: Array, shape: Any = None) -> None:
        self.x, self.shape = x, x.shape if shape is None else shape
        self.read: list[int] = []

    def __getitem__(self, rows: slice) -> Any:
        assert isinstance(rows, slice)
        self.read.append(rows.stop - rows.start)
        return self.x[rows]


class Convertible(Sliced):
    """Storage that can also become an array, as netCDF4 variables can; it must not."""

    chunks = "contiguous"

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise AssertionError("the whole was read")


@pytest.mark.parametrize("kind", [Sliced, Convertible])
def test_what_can_be_sliced_is_read_by_slices(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.sources, "ROWS", 10)
    x = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=False).x
    data = kind(x)
    fit, whole = (GaussianMixture(2, random_state=0).fit(source) for source in (data, lambda: [x]))
    assert max(data.read) == 10
    assert_allclose(fit.log_likelihood_, whole.log_likelihood_, rtol=1e-10)
    assert_array_equal(fit.predict(data), fit.predict(x))


def test_what_is_an_array_in_memory_is_no_source() -> None:
    class WithDlpack(Sliced):
        def __dlpack__(self) -> None: ...

    x = np.eye(3)
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(x)
    frame = pytest.importorskip("pandas").DataFrame(x)
    for data in (x, x[0], np.ma.array(x), x.tolist(), WithDlpack(x), sparse, frame, frame[0], "text"):
        assert emlib.sources.source_of(data) is None
    with pytest.raises(TypeError, match="sparse data are not supported"):
        GaussianMixture(1).fit(sparse)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Sliced(np.zeros(3)), r"expected a 2-dimensional array .* got shape \(3,\)"),
        (Sliced(np.zeros((3, 2, 2))), r"expected a 2-dimensional array .* got shape \(3, 2, 2\)"),
        (Sliced(np.zeros(25), (25, 2)), r"rows 0 to 10 of the source came with shape \(10,\), and its shape"),
        (
            Sliced(np.zeros((25, 2)), (28, 2)),
            r"rows 20 to 28 of the source came with shape \(5, 2\), and its shape \(28, 2\) promises \(8, 2\)",
        ),
        (Sliced(np.zeros((25, 3)), (25, 2)), r"came with shape \(10, 3\), .* promises \(10, 2\)"),
        (Sliced(np.zeros((0, 2))), "the source gave no rows"),
        (Sliced(np.zeros((25, 0))), r"0 feature\(s\)"),
    ],
)
def test_a_wrong_shape_is_named(data: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.sources, "ROWS", 10)
    with pytest.raises(ValueError, match=message):
        GaussianMixture(1).fit(data)


def test_columns_that_change_from_slice_to_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.sources, "ROWS", 10)

    class Narrowing(Sliced):
        def __getitem__(self, rows: slice) -> Any:
            return self.x[rows, : 2 if rows.start < 10 else 1]

    with pytest.raises(ValueError, match=r"rows 10 to 20 of the source came with shape \(10, 1\)"):
        GaussianMixture(1).fit(Narrowing(np.zeros((25, 2))))


def test_a_masked_entry_is_missing() -> None:
    x = np.ma.masked_equal(np.arange(12.0).reshape(6, 2), 7)
    for data in (Sliced(x), x):
        with pytest.raises(ValueError, match="NaN, first at row 3, column 1"):
            GaussianMixture(1).fit(data)

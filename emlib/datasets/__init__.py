"""Small published data sets and their loaders; datasets/README.md says where each comes from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray

__all__ = [
    "Dataset",
    "load_do_batzoglou",
    "load_earthquakes",
    "load_faithful",
    "load_hasselblad",
    "load_iris",
    "load_johnson_wichern",
    "load_linkage",
    "load_murray",
]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data with the names, units and source that a table or an axis needs.

    Attributes
    ----------
    name : str
        Name of the data set.
    data : ndarray of shape (n, d)
        The measurements, float64, not writeable; NaN where an entry is missing.
    feature_names : tuple of str
        Names of the d columns.
    units : tuple of str
        Their units.
    target : ndarray of shape (n,) or None
        The class of each row as an index into `target_names`, int64, not writeable; None when there are no classes.
    target_names : tuple of str
        Names of the classes.
    source : str
        Who measured and who published the data.
    """

    name: str
    data: FloatArray
    feature_names: tuple[str, ...]
    units: tuple[str, ...]
    target: IntArray | None
    target_names: tuple[str, ...]
    source: str


def load_do_batzoglou() -> Dataset:
    """Return five rounds of ten tosses, each played with one of two coins that nobody wrote down.

    Returns
    -------
    Dataset
        With data of shape (5, 2): heads and tosses of each round. No classes: they are what EM is for.
    """
    header, rows = _read("do_batzoglou.csv")
    return Dataset(
        name="do_batzoglou",
        data=_numbers(rows),
        feature_names=tuple(header),
        units=("tosses", "tosses"),
        target=None,
        target_names=(),
        source="Do and Batzoglou (2008), Nature Biotechnology 26, 897-899, figure 1",
    )


def load_earthquakes() -> Dataset:
    """Return the number of major earthquakes of the world in each year from 1900 to 2006.

    Returns
    -------
    Dataset
        With data of shape (107, 2): the year, and its earthquakes of magnitude 7 or more; no classes.
    """
    header, rows = _read("earthquakes.csv")
    return Dataset(
        name="earthquakes",
        data=_numbers(rows),
        feature_names=tuple(header),
        units=("year", "1/year"),
        target=None,
        target_names=(),
        source="US Geological Survey; Zucchini and MacDonald (2009), Hidden Markov Models for Time Series, table 1.1",
    )


def load_faithful() -> Dataset:
    """Return the 272 eruptions of the Old Faithful geyser: duration, and waiting time to the next eruption.

    Returns
    -------
    Dataset
        With data of shape (272, 2), both columns in minutes, and no classes.
    """
    header, rows = _read("faithful.csv")
    return Dataset(
        name="faithful",
        data=_numbers(rows),
        feature_names=tuple(header),
        units=("min", "min"),
        target=None,
        target_names=(),
        source="Azzalini and Bowman (1990), Applied Statistics 39, 357-365; as in R's datasets::faithful",
    )


def load_hasselblad() -> Dataset:
    """Return deaths of women over 80 a day, as The Times of London announced them in 1910-1912 (1,096 days).

    Returns
    -------
    Dataset
        With data of shape (10, 2): the number of deaths, and on how many days there were that many. The second
        column is what ``sample_weight`` takes. No classes.
    """
    header, rows = _read("hasselblad.csv")
    return Dataset(
        name="hasselblad",
        data=_numbers(rows),
        feature_names=tuple(header),
        units=("deaths", "days"),
        target=None,
        target_names=(),
        source="Hasselblad (1969), J. Amer. Statist. Assoc. 64, 1459-1471, after Schilling (1947)",
    )


def load_iris() -> Dataset:
    """Return Anderson's 150 irises of three species: length and width of sepals and petals.

    Returns
    -------
    Dataset
        With data of shape (150, 4), all columns in centimetres, and the species as classes.
    """
    header, rows = _read("iris.csv")
    species = [row[-1] for row in rows]
    names = tuple(sorted(set(species)))
    target = np.array([names.index(one) for one in species], dtype=np.int64)
    target.flags.writeable = False
    return Dataset(
        name="iris",
        data=_numbers([row[:-1] for row in rows]),
        feature_names=tuple(header[:-1]),
        units=("cm",) * 4,
        target=target,
        target_names=names,
        source="Anderson (1935), published by Fisher (1936), Annals of Eugenics 7, 179-188; as in R's datasets::iris",
    )


def load_johnson_wichern() -> Dataset:
    """Return four rows of three columns with three entries missing, on which the first step of EM is printed.

    Returns
    -------
    Dataset
        With data of shape (4, 3), invented, hence without units; NaN where an entry is missing.
    """
    header, rows = _read("johnson_wichern.csv")
    return Dataset(
        name="johnson_wichern",
        data=_numbers(rows),
        feature_names=tuple(header),
        units=("",) * 3,
        target=None,
        target_names=(),
        source="Johnson and Wichern, Applied Multivariate Statistical Analysis, example 5.13",
    )


def load_linkage() -> Dataset:
    """Return how many of 197 animals are in each of four classes, from Rao's linkage experiment.

    Returns
    -------
    Dataset
        With data of shape (1, 4): the counts of the classes. One row is one experiment.
    """
    header, rows = _read("linkage.csv")
    return Dataset(
        name="linkage",
        data=_numbers(rows),
        feature_names=tuple(header),
        units=("animals",) * 4,
        target=None,
        target_names=(),
        source="Rao (1965), Linear Statistical Inference, 368-369; Dempster, Laird and Rubin (1977), section 1",
    )


def load_murray() -> Dataset:
    """Return Murray's twelve pairs, eight of them incomplete, whose likelihood has two maxima and a saddle.

    Returns
    -------
    Dataset
        With data of shape (12, 2), invented, hence without units; NaN where an entry is missing.
    """
    header, rows = _read("murray1977.csv")
    return Dataset(
        name="murray",
        data=_numbers(rows),
        feature_names=tuple(header),
        units=("",) * 2,
        target=None,
        target_names=(),
        source="Murray (1977), in the discussion of Dempster, Laird and Rubin, J. R. Statist. Soc. B 39, 27-28",
    )


def _read(file: str) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV file of this package."""
    text = resources.files(__name__).joinpath(file).read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    return header, rows


def _numbers(rows: list[list[str]]) -> FloatArray:
    array = np.array([[entry or "nan" for entry in row] for row in rows], dtype=np.float64)
    array.flags.writeable = False
    return array

"""scikit-learn's conventions without scikit-learn: options, tags, names of columns, unfitted use."""

from __future__ import annotations

import inspect
import sys
import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Names = NDArray[np.object_]


class NotFittedError(ValueError, AttributeError):
    """The estimator was used before ``fit``."""


class Estimator:
    """Options as scikit-learn keeps them: the arguments of the constructor, stored under their names."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the options given to the constructor.

        Parameters
        ----------
        deep : bool
            Ignored: no option is an estimator.

        Returns
        -------
        dict
            Name to value.
        """
        del deep
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Change options; they count from the next fit on.

        Parameters
        ----------
        **params : object
            Name to value.

        Returns
        -------
        Estimator
            Itself.

        Raises
        ------
        ValueError
            If an option does not exist; nothing is changed then.
        """
        unknown = sorted(set(params) - set(self._parameter_names()))
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no option {unknown[0]!r}; it has {', '.join(self._parameter_names())}"
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{name}={value!r}" for name, value in self.get_params().items() if value is not defaults[name].default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        """Describe the estimator to scikit-learn, which alone calls this."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type="density_estimator",
            target_tags=TargetTags(required=False),
            input_tags=InputTags(),
        )


def not_fitted(message: str) -> NotFittedError:
    """Return the error, also of scikit-learn's class where scikit-learn is loaded, so that its tools know it.

    Parameters
    ----------
    message : str
        What to do about it.

    Returns
    -------
    NotFittedError
        To be raised.
    """
    sklearn = sys.modules.get("sklearn.exceptions")
    if sklearn is None:
        return NotFittedError(message)
    both: type[NotFittedError] = type("NotFittedError", (NotFittedError, sklearn.NotFittedError), {})
    return both(message)


def feature_names(data: Any) -> Names | None:
    """Return the column names of a data frame.

    Parameters
    ----------
    data : object
        A data frame with d columns, or anything else.

    Returns
    -------
    ndarray of object, shape (d,), or None
        The names if all are strings, else None.
    """
    columns = getattr(data, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return np.array(list(columns), dtype=object)


def check_features(estimator: Any, data: Any, n_columns: int) -> None:
    """Compare the columns of new data with those of the fit.

    Parameters
    ----------
    estimator : object
        Fitted; has ``n_features_in_`` and perhaps ``feature_names_in_``.
    data : object
        The new data as the user passed them.
    n_columns : int
        Their number of columns.

    Raises
    ------
    ValueError
        If their number or names differ from those of the fit.

    Warns
    -----
    UserWarning
        If only one of the two has names.
    """
    known = getattr(estimator, "feature_names_in_", None)
    names = feature_names(data)
    kind = type(estimator).__name__
    if known is not None and names is not None:
        _compare(list(known), list(names))
    if n_columns != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_columns} features, but {kind} is expecting {estimator.n_features_in_} features as input"
        )
    if known is not None and names is None:
        warnings.warn(f"X does not have valid feature names, but {kind} was fitted with feature names", stacklevel=4)
    elif known is None and names is not None:
        warnings.warn(f"X has feature names, but {kind} was fitted without feature names", stacklevel=4)


def _compare(known: list[str], names: list[str]) -> None:
    """Raise if the names differ, with the first few of each kind of difference."""
    if known == names:
        return
    message = "The feature names should match those that were passed during fit.\n"
    unseen, missing = sorted(set(names) - set(known)), sorted(set(known) - set(names))
    for heading, found in (
        ("Feature names unseen at fit time:", unseen),
        ("Feature names seen at fit time, yet now missing:", missing),
    ):
        if found:
            listed = [f"- {name}" for name in found[:5]] + (["- ..."] if len(found) > 5 else [])
            message += "\n".join([heading, *listed]) + "\n"
    if not unseen and not missing:
        message += "Feature names must be in the same order as they were in fit.\n"
    raise ValueError(message)

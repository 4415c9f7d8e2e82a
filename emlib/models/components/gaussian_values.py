"""Parameters and statistics of Gaussian components, and the M-step that is one Cholesky factor.

The expected second moment of (1, x), divided by the mass, has the Cholesky factor ``[[1, 0], [mean, L]]``, where
``L L^T`` is the covariance: its lower right block is the Schur complement, second moment minus ``mean mean^T``. So the
factor of what an E-step sums *is* the M-step (note, section 4, last display), and it is what the next E-step starts
from. Both are kept in the coordinates of a :class:`~emlib.frame.Frame`; means, covariances and moments are computed
when they are read. That halves the time of an iteration on 150 rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from emlib.models.components.covariance import Factor, covariance_structure, diagonals
from emlib.models.components.values import frozen, trusted

if TYPE_CHECKING:
    from emlib._types import FloatArray
    from emlib.frame import Frame


class Standard(NamedTuple):
    """Components with full covariances in the coordinates z of a frame, x = center + root z.

    Attributes
    ----------
    center : ndarray of shape (d,)
        Center of the frame.
    root : ndarray of shape (d, d)
        Root of the frame, lower triangular.
    pair : ndarray of shape (M, 2 d + 2, 2 d + 2)
        For each component ``F = [[1, 0], [mean, L]]``, mean and Cholesky factor of the covariance in z, and F^-1; see
        :func:`halves`.
    """

    center: FloatArray
    root: FloatArray
    pair: FloatArray


@dataclass(frozen=True, eq=False)
class GaussianParameters:
    """Means and covariances of M Gaussians in d dimensions.

    Attributes
    ----------
    means : ndarray of shape (M, d)
        In the units of the data.
    covariances : ndarray
        Shape (M, d, d) for ``full``, (d, d) for ``tied``, (M, d) for ``diag``, (M,) for ``spherical``,
        (d,) for ``tied_diag``, () for ``tied_spherical``; in squared units.
    covariance_type : {'full', 'tied', 'diag', 'spherical', 'tied_diag', 'tied_spherical'}
        How the covariances are parametrised.
    standard : tuple of ndarray or None
        Set by an M-step that found its parameters in the coordinates of a frame (:class:`Standard`): means and
        covariances are then computed from it when they are first read, and an E-step goes on from it. It is no field
        of its own, since it says nothing else.

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite or a matrix is not symmetric.
    """

    means: FloatArray
    covariances: FloatArray
    covariance_type: str = "full"
    standard = cast("tuple[FloatArray, FloatArray, FloatArray] | None", None)
    remembers = ("standard",)  # by a checkpoint

    def __post_init__(self) -> None:
        means, covariances = frozen(self.means), frozen(self.covariances)
        if means.ndim != 2 or means.size == 0:
            empty = ", which is empty" if means.size == 0 else ""
            raise ValueError(f"means must have shape (n_components, n_features), got {means.shape}{empty}")
        expected = covariance_structure(self.covariance_type).shape(*means.shape)
        if covariances.shape != expected:
            raise ValueError(
                f"{self.covariance_type} covariances of {means.shape[0]} components in {means.shape[1]} "
                f"dimensions must have shape {expected}, got {covariances.shape}"
            )
        for name, values in (("means", means), ("covariances", covariances)):
            if not np.isfinite(values).all():
                raise ValueError(f"{name} contain NaN or inf")
        if self.covariance_type in ("full", "tied"):
            asymmetry = np.abs(covariances - covariances.swapaxes(-1, -2)).max()
            if asymmetry > 1e-8 * np.abs(covariances).max():
                raise ValueError(f"covariances must be symmetric; they differ from their transpose by {asymmetry:.3g}")
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "covariances", covariances)

    if not TYPE_CHECKING:  # or every misspelt attribute would be an array

        def __getattr__(self, name: str) -> Any:
            if name not in ("means", "covariances") or self.standard is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            center, root, pair = self.standard
            if name == "means":
                values = halves(pair)[0][:, 1:, 0] @ root.T + center
            else:
                half = self.factor.roots @ self.factor.roots.swapaxes(1, 2) / 2
                values = half + half.swapaxes(1, 2)
            values.flags.writeable = False
            vars(self)[name] = values
            return values

    @property
    def shape(self) -> tuple[int, int]:
        """Number of components M and of dimensions d."""
        if self.standard is None:
            return self.means.shape
        n_components, width, _ = self.standard[2].shape
        return n_components, width // 2 - 1

    @cached_property
    def factor(self) -> Factor:
        """Cholesky factors and log determinants; raises `DegenerateComponent` where one is singular."""
        if self.standard is None:
            return covariance_structure(self.covariance_type).factor(self.covariances, *self.means.shape)
        _, root, pair = self.standard
        roots = root @ halves(pair)[0][:, 1:, 1:]
        pivots = diagonals(roots)
        return Factor(roots, 2 * np.log(pivots).sum(axis=1), float(pivots.min()))

    @property
    def dense_covariances(self) -> FloatArray:
        """The covariances as an array of shape (M, d, d), whatever their type."""
        return covariance_structure(self.covariance_type).dense(self.covariances, *self.means.shape)


@dataclass(frozen=True, eq=False)
class GaussianStatistics:
    """Sums over rows of r, r (x - c) and r (x - c)(x - c)^T, for each component's reference c.

    The reference is the mean that the component had in the E-step, so that nothing cancels when the data
    are far from the origin; the sums add up over chunks that share it.

    Attributes
    ----------
    reference : ndarray of shape (M, d)
        The points c.
    masses : ndarray of shape (M,)
        Sums of the responsibilities.
    first : ndarray of shape (M, d)
        First moments about the reference.
    second : ndarray of shape (M, d, d) or (M, d)
        Second moments about the reference, or their diagonals.
    """

    reference: FloatArray = field(repr=False)
    masses: FloatArray
    first: FloatArray = field(repr=False)
    second: FloatArray = field(repr=False)

    def __add__(self, other: GaussianStatistics) -> GaussianStatistics:
        if self.reference is not other.reference and not np.array_equal(self.reference, other.reference):
            raise ValueError("statistics about different reference points do not add up")
        return GaussianStatistics(
            self.reference,
            self.masses + other.masses,
            self.first + other.first,
            self.second + other.second,
        )


class StandardStatistics(GaussianStatistics):
    """The same sums as they come from an E-step on products: second moments of (1, z) in a frame.

    Parameters
    ----------
    theta : GaussianParameters
        The parameters of the E-step, whose means are the reference.
    frame : Frame
        The coordinates z.
    raw : ndarray of shape (M, d + 1, d + 1)
        Sums of r (1, z)(1, z)^T.
    pair : ndarray of shape (M, 2 d + 2, 2 d + 2)
        Cholesky factors of the sums divided by the masses, with their inverses; see :func:`halves`.

    Attributes
    ----------
    reference : ndarray of shape (M, d)
        The means of `theta`.
    masses : ndarray of shape (M,)
        Sums of the responsibilities.
    first : ndarray of shape (M, d)
        First moments about the reference.
    second : ndarray of shape (M, d, d)
        Second moments about the reference.
    """

    theta: GaussianParameters
    frame: Frame
    raw: FloatArray
    pair: FloatArray

    def __init__(self, theta: GaussianParameters, frame: Frame, raw: FloatArray, pair: FloatArray) -> None:
        vars(self).update(theta=theta, frame=frame, raw=raw, pair=pair, masses=raw[:, 0, 0])

    def __reduce__(self) -> tuple[Any, ...]:
        return GaussianStatistics, (self.reference, self.masses, self.first, self.second)

    @cached_property
    def reference(self) -> FloatArray:
        """The means of `theta`."""
        return self.theta.means

    @cached_property
    def first(self) -> FloatArray:
        """First moments about the reference."""
        return self._moments[:, 1:, 0]

    @cached_property
    def second(self) -> FloatArray:
        """Second moments about the reference."""
        return self._moments[:, 1:, 1:]

    @cached_property
    def _moments(self) -> FloatArray:
        return moments_about(self.raw, self.frame, self.theta.means)

    def maximum(self) -> GaussianParameters:
        """Return the parameters that maximise Q, which are the factors.

        Returns
        -------
        GaussianParameters
            In the coordinates of the frame.
        """
        standard = Standard(self.frame.center, self.frame.root, self.pair)
        return trusted(GaussianParameters, covariance_type="full", standard=standard)


def bordered(n_components: int, width: int) -> FloatArray:
    """Return ``[[0, I], [I, c I]]``, to be filled: its Cholesky factor brings the inverse of the first block's.

    ``[[A, I], [I, c I]]`` has the factor ``[[F, 0], [F^-T, R]]``. One call of LAPACK costs much less than two where
    matrices are small. c is so large that R can always be found.

    Parameters
    ----------
    n_components : int
        Number of matrices M.
    width : int
        Rows w of a block.

    Returns
    -------
    ndarray of shape (M, 2 w, 2 w)
        The matrices; A goes to the upper left.
    """
    blocks = np.zeros((n_components, 2 * width, 2 * width))
    blocks[:, width:, :width] = np.eye(width)
    blocks[:, width:, width:] = 1e300 * np.eye(width)
    return blocks


def halves(pair: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return F and its inverse from the Cholesky factor of a bordered matrix.

    Parameters
    ----------
    pair : ndarray of shape (M, 2 w, 2 w)
        The Cholesky factors.

    Returns
    -------
    factor : ndarray of shape (M, w, w)
        F, lower triangular.
    inverse : ndarray of shape (M, w, w)
        F^-1, lower triangular.
    """
    width = pair.shape[1] // 2
    return pair[:, :width, :width], pair[:, width:, :width].swapaxes(1, 2)


def moments_about(raw: FloatArray, frame: Frame, points: FloatArray) -> FloatArray:
    """Return the second moments of (1, x - c) from those of (1, z).

    Parameters
    ----------
    raw : ndarray of shape (M, d + 1, d + 1)
        Sums of r (1, z)(1, z)^T.
    frame : Frame
        The coordinates z.
    points : ndarray of shape (M, d)
        The point c of each component.

    Returns
    -------
    ndarray of shape (M, d + 1, d + 1)
        Masses, first and second moments.
    """
    back = np.zeros(raw.shape)  # maps (1, z) to (1, x - c)
    back[:, 0, 0] = 1.0
    back[:, 1:, 1:] = frame.root
    back[:, 1:, 0] = frame.center - points
    return back @ raw @ back.swapaxes(1, 2)

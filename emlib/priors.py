"""Conjugate priors whose log density is part of the objective that MAP-EM climbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray


@dataclass(frozen=True)
class Dirichlet:
    """Dirichlet prior on mixing weights.

    Parameters
    ----------
    concentration : float
        The same for every component, at least 1 so that the M-step has a maximum on the simplex;
        ``concentration - 1`` pseudo-rows are added to each component. 1 is the flat prior.

    Raises
    ------
    ValueError
        If the concentration is below 1 or not finite.
    """

    concentration: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.concentration) and self.concentration >= 1):
            raise ValueError(
                f"the Dirichlet concentration must be finite and at least 1, got {self.concentration}: "
                "below 1 the posterior has no mode inside the simplex"
            )

    def mode(self, masses: FloatArray) -> FloatArray:
        """Return the weights that maximise Q plus the log prior.

        Parameters
        ----------
        masses : ndarray of shape (M,)
            Sum of the responsibilities of each component.

        Returns
        -------
        ndarray of shape (M,)
            ``(masses + concentration - 1)``, normalised to sum to one.
        """
        counts = masses + (self.concentration - 1)
        return counts / counts.sum()

    def log_density(self, weights: FloatArray) -> float:
        """Return the log density of the weights, in nats.

        Parameters
        ----------
        weights : ndarray of shape (M,)
            Mixing weights.

        Returns
        -------
        float
            Log density with respect to Lebesgue measure on the first M - 1 weights.
        """
        from scipy.special import gammaln

        n_components = len(weights)
        constant = gammaln(n_components * self.concentration) - n_components * gammaln(self.concentration)
        if self.concentration == 1:
            return float(constant)
        return float(constant + (self.concentration - 1) * np.log(weights).sum())


@dataclass(frozen=True, eq=False)
class InverseWishart:
    r"""Inverse-Wishart prior on covariances.

    The density of a p x p covariance is proportional to
    :math:`|\Sigma|^{-(\nu+p+1)/2} \exp(-\tfrac12 \mathrm{tr}(\Psi\Sigma^{-1}))`.
    Diagonal and spherical covariances take it entry by entry with p = 1 (an inverse gamma), the
    diagonal of the scale (spherical: its mean) in place of the scale.

    Parameters
    ----------
    scale : float or array_like of shape (d, d)
        The scale matrix, symmetric positive definite, in squared units of the data; a number stands for that
        multiple of the identity.
    dof : float
        Degrees of freedom, above d - 1 (above 0 for diagonal and spherical covariances).

    Raises
    ------
    ValueError
        If the scale is not symmetric positive definite, or `dof` is not finite and positive.
    """

    scale: ArrayLike
    dof: float

    def __post_init__(self) -> None:
        scale = np.array(self.scale, dtype=np.float64)
        square = scale.ndim == 2 and scale.shape[0] == scale.shape[1]
        if scale.ndim != 0 and not square:
            raise ValueError(f"the scale must be a number or a (d, d) matrix, got shape {scale.shape}")
        matrix = scale if square else scale.reshape(1, 1)
        if not (np.isfinite(self.dof) and self.dof > 0):
            raise ValueError(f"dof must be finite and positive, got {self.dof}")
        if not (np.isfinite(matrix).all() and np.allclose(matrix, matrix.T) and np.linalg.eigvalsh(matrix)[0] > 0):
            raise ValueError("the scale of the inverse-Wishart prior must be symmetric positive definite")

    def scale_matrix(self, dim: int) -> FloatArray:
        """Return the scale as a (dim, dim) matrix.

        Parameters
        ----------
        dim : int
            Number of columns d of the data.

        Returns
        -------
        ndarray of shape (dim, dim)
            The scale.

        Raises
        ------
        ValueError
            If the prior was given a matrix of another size.
        """
        scale = np.asarray(self.scale, dtype=np.float64)
        if scale.ndim == 0:
            return float(scale) * np.eye(dim)
        if scale.shape != (dim, dim):
            raise ValueError(f"the prior's scale has shape {scale.shape}, the data have {dim} columns")
        return scale

    def log_density(self, log_det: FloatArray, trace: FloatArray, log_det_scale: FloatArray, p: int) -> float:
        """Return the summed log density of several p x p covariances, in nats.

        Parameters
        ----------
        log_det : ndarray of shape (k,)
            Log determinants of the covariances.
        trace : ndarray of shape (k,)
            Traces of the scale times the inverse covariances.
        log_det_scale : ndarray of shape (k,)
            Log determinants of the scales.
        p : int
            Size of each covariance.

        Returns
        -------
        float
            The sum over the covariances.

        Raises
        ------
        ValueError
            If the prior is improper for this size.
        """
        from scipy.special import multigammaln

        if not self.dof > p - 1:
            raise ValueError(f"dof must be above p - 1 = {p - 1} for {p} x {p} covariances, got {self.dof}")
        constant = self.dof * p / 2 * np.log(2) + multigammaln(self.dof / 2, p)
        each = self.dof / 2 * log_det_scale - constant - (self.dof + p + 1) / 2 * log_det - trace / 2
        return float(np.sum(each))

"""From the id of a published result to the numbers that emlib computes for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emlib.published import _counts, _gaussians, _missing, _sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emlib._types import FloatArray
    from emlib.published.table import Entry

COMPUTATIONS: dict[str, Callable[[], Sequence[float] | FloatArray]] = {
    "linkage.iterates": _counts.linkage_iterates,
    "linkage.mle": _counts.linkage_mle,
    "linkage.ratio": _counts.linkage_ratio,
    "linkage.loglik": _counts.linkage_log_likelihood,
    "linkage.louis": _counts.linkage_information,
    "poisson.mle": _counts.poisson_maximum,
    "poisson.negloglik": _counts.poisson_log_likelihood,
    "poisson.em_evals": _counts.poisson_em_steps,
    "poisson.squarem_evals": _counts.poisson_squarem_steps,
    "faithful.waiting_equal": _gaussians.waiting_equal,
    "faithful.waiting_unequal": _gaussians.waiting_unequal,
    "faithful.eee3": _gaussians.faithful_tied_three,
    "faithful.vvv2_bic": _gaussians.faithful_full_two,
    "faithful.vvv2_par": _gaussians.faithful_full_two_parameters,
    "faithful.one": _gaussians.faithful_one,
    "iris.vvv3": _gaussians.iris_full_three,
    "iris.eee3": _gaussians.iris_tied_three,
    "iris.eei3": _gaussians.iris_tied_diag_three,
    "iris.vvi3": _gaussians.iris_diag_three,
    "iris.vvv2": _gaussians.iris_full_two,
    "quakes.table41": _sequences.earthquake_log_likelihoods,
    "quakes.table41_par": _sequences.earthquake_parameters,
    "quakes.moments": _sequences.earthquake_moments,
    "murray.max": _missing.murray,
    "jw.first_step": _missing.johnson_wichern,
    "do_batzoglou": _counts.coins,
    "do_batzoglou_14": _counts.coins_at_the_end,
    "xu_jordan.identity": _gaussians.gradient_identity,
    "hmm.wikipedia": _sequences.umbrella,
}
"""One computation an entry: each returns what the entry lists, in the same order."""


def reproduce(entry: Entry) -> FloatArray:
    """Compute what a published result lists.

    Parameters
    ----------
    entry : Entry
        The published result.

    Returns
    -------
    ndarray of shape (n,)
        Our numbers, in the order and the units of ``entry.published``, n of them.

    Raises
    ------
    KeyError
        If there is no computation for this entry.
    ValueError
        If the computation gives another number of values than were published.
    """
    if entry.id not in COMPUTATIONS:
        raise KeyError(f"no computation for {entry.id}: add a function and name it in COMPUTATIONS")
    ours = np.array(COMPUTATIONS[entry.id](), dtype=np.float64)
    if ours.shape != (len(entry.published),):
        raise ValueError(f"{entry.id} lists {len(entry.published)} numbers, its computation gave {ours.shape}")
    return ours

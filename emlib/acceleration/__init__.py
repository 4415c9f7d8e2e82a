"""Faster steps over the same EM map, for any model that :func:`emlib.em.em` runs.

EM converges linearly, at the largest fraction of missing information (Dempster, Laird and Rubin 1977): where the
components overlap, thousands of iterations. The schemes here use the same E- and M-steps, in the coordinates of the
model's ``pack``, and keep what makes EM safe: a step that would lower the objective or leave the parameter space is
refused, and the plain EM step taken instead.

Each scheme says how far the limit still is by the same argument. One EM step rises by at least ``g^T B^-1 g / 2``,
where g is the gradient and B the information of complete data; the whole rise to the limit is ``g^T H^-1 g / 2`` with
the observed information ``H >= (1 - r) B``. So what is left is at most the rise of an EM step over ``1 - r``, to second
order. The rate r is taken from the slowest direction in which the run has moved lately: like Aitken's, the estimate
cannot see a direction in which the run has not moved.

Which one: plain EM is the default, and right where it is fast. Where it needs hundreds of iterations,
``QuasiNewton()``. On the 13 slow problems of ``benchmarks/acceleration.py`` (six starts each, most with 1,000 rows)
the median over the starts was 4 to 149 times fewer E-steps than EM to come within 1e-9 of the end (median problem:
21), and 0.6 to 24 times less CPU time (2.6; an EM iteration on 1,000 rows costs so little that the steps themselves
count); for ``Squarem()``, which asks nothing of the model, 3 to 11 times fewer E-steps (6.5) and 1.2 to 9 times less
CPU time (2.8). All of their runs converged and none fell. Of the 78 runs of quasi-Newton 5 ended in a higher maximum
than EM's and 2 in a lower one, of SQUAREM's 4 and 1: fit from several starts. SQUAREM may also run into a
collapsing component where EM passes by (3 of 20 starts on iris, notebook 22).
"""

from __future__ import annotations

from emlib.acceleration.quasi_newton import QuasiNewton
from emlib.acceleration.squarem import Squarem
from emlib.em import Accelerator

__all__ = ["QuasiNewton", "Squarem", "by_name"]


def by_name(name: str) -> Accelerator:
    """Return an accelerator with its usual options.

    Parameters
    ----------
    name : {'squarem', 'quasi-newton'}
        The scheme.

    Returns
    -------
    Accelerator
        ``Squarem()`` or ``QuasiNewton()``.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    known = {"quasi-newton": QuasiNewton, "squarem": Squarem}
    if name not in known:
        raise ValueError(f"accelerate must be None, an accelerator, or one of {', '.join(known)}; got {name!r}")
    return known[name]()

"""emlib against a textbook implementation that shares no code with it."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from emlib import Status, em
from tests.problems import make_problem
from tests.reference import textbook_em

N_PROBLEMS = 200
N_ITER = 12


def test_same_steps_as_the_textbook() -> None:
    collapsed = []
    for seed in range(N_PROBLEMS):
        problem = make_problem("gaussian-full", seed, weighted=False)
        start = problem.start
        result = em(problem.model, problem.x, start, tol=0, max_iter=N_ITER)
        if result.status is Status.DEGENERATE:
            collapsed.append(seed)
        weights, means, covariances, trace = textbook_em(
            problem.x, start.weights, start.components.means, start.components.covariances, result.n_iter
        )
        found = result.theta.components
        assert_allclose(result.trace, trace, rtol=1e-10, err_msg=f"seed {seed}")
        assert_allclose(result.theta.weights, weights, atol=1e-8, err_msg=f"seed {seed}")
        assert_allclose(found.means, means, atol=1e-8, rtol=1e-8, err_msg=f"seed {seed}")
        assert_allclose(found.covariances, covariances, atol=1e-8, rtol=1e-8, err_msg=f"seed {seed}")
    # There a component flattens onto a plane in iteration 10; the nine before it were compared.
    assert collapsed == [134]


def test_the_textbook_itself_on_one_component() -> None:
    x = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]])
    weights, means, covariances, trace = textbook_em(x, np.ones(1), np.zeros((1, 2)), np.eye(2)[None], 1)
    assert_allclose(weights, 1)
    assert_allclose(means, [[1, 2]])
    assert_allclose(covariances, [[[1, 0], [0, 4]]], atol=1e-15)
    assert_allclose(trace, [-4 * np.log(2 * np.pi) - 20, -4 * np.log(4 * np.pi) - 4])

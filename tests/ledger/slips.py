"""Slips of the pen: statements of the notebooks altered by hand, each of which its cell must notice.

They are of the kinds that people make: a sign, a factor, an index, a range, a matrix transposed, a term forgotten, a
formula for another case, a wrong number in a check.
"""

from __future__ import annotations

from tests.ledger.cells import Slip

SLIPS: dict[str, list[Slip]] = {
    "02_maximum_likelihood": [
        Slip("- n * (b - mu) ** 2 / 2", "- m * (b - mu) ** 2 / 2"),  # both values counted m times
        Slip("c.proves(over_parameter, x**-2)", "c.proves(over_parameter, x**-1)"),
        Slip("gap = (excess / (floor * (floor + excess))", "gap = (excess / (floor + excess)"),  # a factor forgotten
        Slip("c.agrees(searched, x0.mean(), rtol=1e-6)", "c.agrees(searched, np.median(x0), rtol=1e-6)"),
    ],
    "03_general_em": [
        Slip("c.proves(lifetime, beta / (beta + x) ** 2)", "c.proves(lifetime, beta / (beta + x))"),
        Slip("posterior(0, 1) * (1 - u), t)", "posterior(0, 2) * (1 - u), t)"),  # the kinds exchanged
        Slip("(y, 0, sp.oo)), 2 / (beta_g + x))", "(y, 0, sp.oo)), 1 / (beta_g + x))"),  # the shape is 2
        Slip("t * (1 - t) / items * slope", "t / items * slope"),
        Slip("return n / sum_of_rates\n", "return sum_of_rates / n\n"),  # the mean for its reciprocal
    ],
    "04_what_converges_means": [
        Slip("c.proves(term.diff(beta), -2 * X /", "c.proves(term.diff(beta), -2 * beta /"),
        Slip("+= theta[np.ix_(hidden, hidden)] - slope @ theta[np.ix_(seen, hidden)]", "+= 0.0"),  # E[y]^2 for E[y^2]
        Slip("V = 20 + 16 * rho**2 + 4 * v", "V = 20 + 16 * rho**2 + 8 * v"),
        Slip("c.proves(mean_recorded, -sp.sqrt(2 / sp.pi))", "c.proves(mean_recorded, sp.sqrt(2 / sp.pi))"),
    ],
    "05_mixtures": [
        Slip("c.agrees(directions, (3 - 1) + 3 * 2,", "c.agrees(directions, 3 + 3 * 2,"),  # weights counted as free
        Slip("np.array([0.7, 0.3]),", "np.array([0.7, 0.4]),"),
        Slip("-b[k] * b[m] / inner**2", "-b[k] * b[m] / inner"),
        Slip("c.agrees(evidence_g, densities_g @ guess.weights", "c.agrees(evidence_g, densities_g @ alpha0"),
    ],
    "06_collapse_of_q": [
        Slip(
            "sp.Sum(delta(ell, y) * L[i, ell], (ell, 1, M)), ranges",
            "sp.Sum(delta(ell, i) * L[i, ell], (ell, 1, M)), ranges",
        ),
        Slip("for n in range(1, size + 1) if n != left_out])", "for n in range(1, size + 1)])"),  # j = i slips in
        Slip("next_sum = double_sum + sp.Sum(L[N + 1, ell]", "next_sum = double_sum + sp.Sum(L[N, ell]"),
        Slip("weights_part + weighted(sp.log(p[i, ell])))", "weights_part - weighted(sp.log(p[i, ell])))"),
    ],
    "07_mixing_weights": [
        Slip("constraint = sp.Sum(alpha[ell], (ell, 1, M)) - 1", "constraint = sp.Sum(alpha[ell], (ell, 1, M))"),
        Slip("/ alpha[k], (i, 1, N)) + lam", "/ alpha[k], (i, 1, N)) - lam"),
        Slip("c.agrees(new_weights, r0.sum(axis=0) / 5,", "c.agrees(new_weights, r0.sum(axis=0) / 3,"),  # M for N
        Slip("+ mu**2 * total_r)", "+ mu**2 * N)"),
    ],
    "08_quadratic_forms_and_trace": [
        Slip("inner = sp.Sum(A[i, j] * x[j, 0], (j, 0, n - 1))", "inner = sp.Sum(A[i, j] * x[j, 0], (j, 1, n - 1))"),
        Slip("    2 * A[k, k] * x[k, 0]\n", "    A[k, k] * x[k, 0]\n"),
        Slip("c.proves(inner * x[k, 0], (A * (x * x.T))[i, k])", "c.proves(inner * x[k, 0], (A * (x * x.T))[k, i])"),
    ],
    "09_determinants": [
        Slip("return (-1) ** (i + j) * np.linalg.det", "return np.linalg.det"),
        Slip("else 2) * (-1) ** (i + j) * exact(minor", "else 2) * exact(minor"),
        Slip("weight = 2 - np.eye(5)", "weight = 2"),  # the diagonal doubled too
    ],
    "10_derivative_by_a_symmetric_matrix": [
        Slip("G_free = G + G.T - diag_part(G)", "G_free = G + G.T - 2 * diag_part(G)"),
        Slip("(i, 0, n - 1))) / 2\n", "(i, 0, n - 1)))\n"),  # the half of a sum over a triangle
        Slip("double = sp.Sum(A[i, j] * B[j, i],", "double = sp.Sum(A[i, j] * B[i, j],"),
        Slip(
            "c.proves(assembled, (B + B.T - diag_part(B))[i, j])", "c.proves(assembled, (2 * B - diag_part(B))[i, j])"
        ),
    ],
    "11_gaussian_means": [
        Slip("sp.Sum(d - a + 1, (a, 1, d))", "sp.Sum(d - a, (a, 1, d))"),
        Slip("c.proves(derivative, (J.T * (A + A.T) * uv)", "c.proves(derivative, (2 * J.T * A * uv)"),
        Slip("gradient = sp.Sum(P[e, b] * vi * r[i],", "gradient = sp.Sum(P[e, b] * vi,"),  # the weights forgotten
        Slip("return W * sp.Sum((mu[a] - center_a)", "return N * sp.Sum((mu[a] - center_a)"),
    ],
    "12_gaussian_covariances": [
        Slip("return 2 * entry - delta(e, f) * entry", "return 2 * entry - 2 * delta(e, f) * entry"),
        Slip("- mu[e] * mean_f + mu[e] * mu[f]\n", "- mu[e] * mean_f - mu[e] * mu[f]\n"),
        Slip("natural = sp.hessian(q1.subs(nu, eta / p)", "natural = sp.hessian(q1.subs(nu, eta * p)"),
        Slip("deviation = x0[:, None] - updated.components.means", "deviation = x0[:, None] - mu0"),  # the old means
    ],
    "16_missing_data": [
        Slip("A.I + K.T * C.I * K, -K.T * C.I]", "A.I + K.T * C.I * K, K.T * C.I]"),
        Slip("c.proves(moments[2], (k * x) ** 2 + t)", "c.proves(moments[2], (k * x) ** 2 + a)"),
        Slip("np.cov(completed.T, bias=True) + corrections", "np.cov(completed.T) + corrections"),  # N - 1 for N
    ],
    "17_baum_welch": [
        Slip("delta(i, path[n - 1]) * delta(j, path[n]) * P", "delta(i, path[n]) * delta(j, path[n - 1]) * P"),
        Slip(
            "leaving = sp.Sum(xi[t, k, ell], (ell, 1, M), (t, 1, T - 1))",
            "leaving = sp.Sum(xi[t, k, ell], (ell, 1, M), (t, 1, T))",
        ),
        Slip("emission = b[n, state if own_emission", "emission = b[n - 1, state if own_emission"),
        Slip("* b[n + 1, after] * backward", "* b[n, after] * backward"),
        Slip("c.agrees(new.transitions, C0 / G0", "c.agrees(new.transitions, C0.T / G0"),
    ],
    "28_the_formulas_that_run": [
        Slip("C0 = (K0.swapaxes(1, 2) @ K0)", "C0 = (K0 @ K0.swapaxes(1, 2))"),
        Slip("c.proves(square, 1 + distance)", "c.proves(square, 2 + distance)"),
        Slip("- mean(e) * mean(f).subs(j, k), about_mean", "- mean(e) * mean(e).subs(j, k), about_mean"),
        Slip("pair = [[F_any, zero], [F_any.T.I, R_]]", "pair = [[F_any, zero], [F_any.I, R_]]"),
        Slip("c.proves(scaled_log + N * s, plain_log)", "c.proves(scaled_log - N * s, plain_log)"),
        Slip("- h[e] * first(f) - h[f] * first(e) +", "- h[e] * first(f) - h[f] * first(e) -"),
        Slip(
            "(found - sigma**2) / sigma**2, delta * (1 + shift_m**2",
            "(found - sigma**2) / sigma**2, delta * (shift_m**2",
        ),
    ],
}

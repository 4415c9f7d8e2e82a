"""Where the installed SymPy's matrix derivative is silently wrong, and that no such zero becomes a proof.

If a test here fails after an update of SymPy, its derivative has changed: read the message, correct the
record, and reconsider what the notebooks say about it.
"""

import pytest
import sympy as sp

from emlib.proof import Refuted, Vacuous, prove_equal

n = sp.Symbol("n", integer=True, positive=True)
X, S = sp.MatrixSymbol("X", n, n), sp.MatrixSymbol("S", n, n)
a, b = sp.MatrixSymbol("a", n, 1), sp.MatrixSymbol("b", n, 1)
R = sp.Symbol("R")
X3 = sp.MatrixSymbol("X", 3, 3)
det, identity = sp.Determinant(X), sp.Identity(n)
objective = R * sp.log(det) - sp.Trace(X * S)

RECORDED = "1.14"
SILENTLY_ZERO = [
    pytest.param(sp.log(det), X, X.T.I, id="log det"),
    pytest.param(objective, X, R * X.T.I - S.T, id="the note's objective"),
    pytest.param(sp.Trace(X) + 1, X, identity, id="an added constant"),
    pytest.param(det**2, X, 2 * det**2 * X.T.I, id="a power of det"),
    pytest.param(sp.log(sp.Trace(X)), X, identity / sp.Trace(X), id="log of a trace"),
    pytest.param((a.T * X.I * b)[0, 0], X, -X.T.I * a * b.T * X.T.I, id="an entry of a product"),
    pytest.param(sp.Matrix(X3).det(), X3, sp.Determinant(X3) * X3.T.I, id="an explicit det"),
]


def derivative(function, by):
    """SymPy's own answer, as a matrix if it is a bare 0."""
    answer = function.diff(by)
    return sp.ZeroMatrix(*by.shape) if answer == 0 else answer


@pytest.mark.parametrize(("function", "by", "right"), SILENTLY_ZERO)
def test_the_record_of_silent_zeros(function, by, right):
    answer = derivative(function, by)
    zero = answer == sp.ZeroMatrix(*by.shape) or (hasattr(answer, "is_zero_matrix") and answer.is_zero_matrix)
    assert zero, (
        f"SymPy {sp.__version__} gives {answer} for the derivative of {function}; SymPy {RECORDED} gave a silent 0. "
        f"The right answer is {right}: correct this record and what the notebooks say."
    )
    assert sp.__version__.startswith(RECORDED), f"the record is of SymPy {RECORDED}, installed is {sp.__version__}"


@pytest.mark.parametrize(("function", "by", "right"), SILENTLY_ZERO)
def test_a_silent_zero_never_becomes_a_proof(function, by, right):
    zero = sp.ZeroMatrix(*by.shape)
    with pytest.raises(Vacuous):
        prove_equal(zero, derivative(function, by))
    with pytest.raises(Refuted):
        prove_equal(zero, right)


def test_a_product_with_a_trace_loses_a_term():
    answer = (sp.Trace(S * X) * det).diff(X)
    right = det * S.T + sp.Trace(S * X) * det * X.T.I
    assert answer == det * S.T, f"SymPy {sp.__version__} gives {answer}; SymPy {RECORDED} lost the second term"
    with pytest.raises(Refuted):
        prove_equal(answer, right)


def test_an_unevaluated_derivative_is_refused():
    answer = det.diff(X)
    assert answer.has(sp.Derivative), f"SymPy {sp.__version__} gives {answer}; SymPy {RECORDED} left it unevaluated"
    with pytest.raises(Vacuous):
        prove_equal(answer, answer)

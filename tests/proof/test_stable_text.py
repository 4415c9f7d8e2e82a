"""What a verdict prints is the same in every process, hash seed and terminal."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sympy as sp
from emlib.proof import *
n, M = sp.symbols("n M", integer=True, positive=True)
i, j, k, q = sp.symbols("i j k q", integer=True)
A, B, x = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("B", n, n), sp.MatrixSymbol("x", n, 1)
p, w = sp.IndexedBase("p"), sp.IndexedBase("w")
double = sp.Sum(A[i, j] * x[i, 0] * x[j, 0], (i, 0, n - 1), (j, 0, n - 1))
print(prove_equal((x.T * A * x)[0, 0], double))
print(prove_equal(double.diff(x[k, 0]), ((A + A.T) * x)[k, 0]))
print(prove_equal(sp.Trace(A * B * A), sp.Trace(A * A * B)))
print(prove_equal(sp.Sum(p[q] * sp.log(w[q] / p[q]), (q, 1, M)), -sp.Sum(p[q] * sp.log(p[q] / w[q]), (q, 1, M))))
S = Structured("s", 3, "symmetric")
D = determinant(S.matrix)
C = cofactor_matrix(S.matrix)
print(prove_equal(matrix_derivative(sp.log(D), S), (2 * C - diag_part(C)) / D)._repr_html_())
print(normal_form(double**2 + sp.Trace(A * B)))
a, b = sp.symbols("a b")
print(prove_equal(1 / a + 1 / b + sp.log(a * b), (a + b) / (a * b) + sp.log(a) + sp.log(b)))
claims = [
    ((A * B)[i, j], (B * A)[i, j]),
    (double.diff(x[k, 0]), (2 * A * x)[k, 0]),
    (sp.sin(a) ** 2 + sp.cos(a) ** 2 + sp.sin(b), 1 + sp.sin(b)),
    (sp.log(a + b), sp.log(a) + sp.log(b)),
    (sp.Sum(w[i], (i, 1, M)) ** 2, sp.Sum(w[i] ** 2, (i, 1, M))),
    (sp.Product(w[i] + sp.Dummy(), (i, 1, M)), 1),
]
for left, right in claims:
    try:
        prove_equal(left, right)
    except VerdictError as verdict:
        print(verdict)
"""


RUNS = ((0, 80), (1, 20), (31337, 400))


def start(hash_seed, columns):
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "COLUMNS": str(columns)}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_text_does_not_depend_on_the_process():
    outputs = []
    for process in [start(*run) for run in RUNS]:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        outputs.append(output)
    assert outputs[0].count("proved for every n >= 1") == 3
    assert outputs[0].count("refuted: ") == 5
    assert outputs[0].count("not proved: ") == 1
    assert set(outputs) == {outputs[0]}

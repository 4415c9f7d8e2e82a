import numpy as np
import pytest

from emlib.proof import Refuted, Vacuous, agree, numeric_gradient


def test_agreement_states_its_tolerance():
    certificate = agree([1.0, 2.0], [1.0, 2.0 + 1e-13], rtol=1e-12, statement="two", points=3, size=50, seed=7)
    assert str(certificate).splitlines() == [
        "agrees at 3 floating-point points of size 50: two",
        "  method: floating point, rtol = 1e-12, atol = 0, seed 7",
    ]


def test_disagreement_shows_the_worst_entry():
    with pytest.raises(Refuted) as caught:
        agree([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.1], [3.0, 7.0]], rtol=1e-3)
    assert str(caught.value.witness) == "entry (1, 1) left 4, right 7"
    with pytest.raises(Refuted, match="left 1, right 2"):
        agree(1.0, 2.0, rtol=1e-3)


def test_the_edge_of_the_tolerance():
    assert agree(1.0, 1.25, rtol=0.2)
    assert agree(1.0, 1.25, rtol=0.0, atol=0.25)
    with pytest.raises(Refuted):
        agree(1.0, 1.25, rtol=0.19)


@pytest.mark.parametrize(
    ("left", "right", "match"),
    [
        ([1.0], [1.0, 2.0], "nothing is broadcast"),
        ([1.0, np.nan], [1.0, 2.0], "not finite"),
        ([1.0], [np.inf], "not finite"),
        ([], [], "empty"),
        (["a"], ["a"], "dtype"),
        ([True], [True], "dtype"),
    ],
)
def test_bad_arrays(left, right, match):
    with pytest.raises(ValueError, match=match):
        agree(left, right, rtol=1e-9)


@pytest.mark.parametrize(
    ("rtol", "atol"), [(0.0, 0.0), (1.0, 0.0), (-1e-3, 1.0), (0.1, -1.0), (0.1, np.inf), (np.nan, 1)]
)
def test_bad_tolerances(rtol, atol):
    with pytest.raises(ValueError, match="tolerance"):
        agree(1.0, 1.0, rtol=rtol, atol=atol)


def test_zero_against_zero_needs_a_reason():
    with pytest.raises(Vacuous):
        agree(np.zeros(3), np.zeros(3), rtol=1e-9)
    assert agree(np.zeros(3), np.zeros(3), rtol=1e-9, allow_zero="a constant").rests_on


@pytest.mark.parametrize("method", ["complex step", "central differences"])
def test_lemma_5_2_in_floats(method):
    rng = np.random.default_rng(0)
    matrix, x = rng.normal(size=(50, 50)), rng.normal(size=50)
    slope = numeric_gradient(lambda v: v @ matrix @ v, x, method=method)
    tolerance = 1e-13 if method == "complex step" else 1e-9
    assert agree(slope, (matrix + matrix.T) @ x, rtol=tolerance, seed=0)
    with pytest.raises(Refuted):
        agree(slope, 2 * matrix @ x, rtol=tolerance)


def test_the_gradient_of_log_det_in_floats():
    rng = np.random.default_rng(1)
    factor = rng.normal(size=(6, 6))
    matrix = factor @ factor.T + np.eye(6)
    slope = numeric_gradient(lambda v: np.linalg.slogdet(v)[1], matrix, method="central differences")
    assert agree(slope, np.linalg.inv(matrix).T, rtol=1e-8)


def test_an_unknown_method():
    with pytest.raises(ValueError, match="forward"):
        numeric_gradient(np.sum, [1.0], method="forward")


def test_the_witness_is_the_first_of_equal_gaps_in_six_digits() -> None:
    right = np.array([1.0, 2.0, 30.0, 4.0])
    for noise in (0.0, 1e-13):
        with pytest.raises(Refuted) as caught:
            agree(right + np.array([0, 1, 1 + noise, 0]), right, rtol=1e-9)
        assert caught.value.witness.where == "entry (1)"
        assert (caught.value.witness.left, caught.value.witness.right) == ("3", "2")


def test_a_small_gap_is_shown_with_the_digits_it_takes() -> None:
    with pytest.raises(Refuted) as caught:
        agree(1 + 1e-9, 1.0, rtol=1e-12)
    assert (caught.value.witness.left, caught.value.witness.right) == ("1.000000001", "1")

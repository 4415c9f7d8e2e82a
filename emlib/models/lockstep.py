"""Forward and backward through long or many sequences at once: exact, and free of a Python step per row.

A recursion over n rows is n small steps, and in NumPy each costs microseconds whatever it computes. So the rows are
cut into B blocks of length L, and all blocks take their l-th step together: L steps on arrays with B columns. Several
sequences are one chain: at the first row of a sequence the transition matrix is ``1 pi^T``, which forgets the state
before. Emissions are scaled by the largest of their row, filters to sum to one.

What a block needs is the filter at the end of the block before. There are two ways to it:

1. **Pass it on.** All blocks begin with a guess; then each begins again with what the one before ended with, until
   nothing changes. Most chains forget where they began within one block, and the second pass is the last.
2. **Transfer.** Where the memory is longer: up to its normalisation a block acts on the filter as one K x K matrix,
   the product of ``A diag(p(x_t | .))`` over its rows. These matrices are multiplied up in lock-step, and their
   products from the left give the filter at the begin of every block, in log2(B) rounds of doubling.

Backward it is the same from the other end. Either way both sides of every cut are compared in the end, so that what
is returned is what one recursion from the first row to the last would give.

Numbers that leave the range of floating point are noticed, not repaired: each row is returned with a flag that says
whether its numbers are to be trusted. They are, where either all transitions are so far from zero that what
underflows cannot matter later, or nothing has underflowed at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from emlib._types import BoolArray, FloatArray, IntArray

SAFE = 1e-100
"""With all transitions and increments above this, what underflows (1e-308) is below 1e-100 of what is kept."""

SMALLEST = 1e-290
"""A filter above this has not lost digits to underflow."""

TINY = 1e-300
"""In place of a sum of zero: what is divided by it is zero, and is not trusted."""

LOWEST = float(np.finfo(np.float64).min)
"""In place of the largest log density of a row that no state allows: all of them stay -inf."""

UNCHANGED = 1e-13
"""Relative difference below which a further pass would change nothing."""

SEAM = 1e-9
"""Relative difference up to which the two sides of a cut count as equal; rounding makes about 1e-13."""


@dataclass(frozen=True, eq=False)
class Smoothing:
    """What the two recursions find for each row.

    Attributes
    ----------
    log_increments : ndarray of shape (n,)
        ``log p(x_t | rows of the sequence before)``.
    filtered : ndarray of shape (n, K)
        ``p(y_t = k | rows of the sequence up to t)``.
    smoothed : ndarray of shape (n, K)
        ``p(y_t = k | all rows of the sequence)``.
    ratios : ndarray of shape (n, K)
        ``p(y_t = k | all rows) / p(y_t = k | rows before)``: a pair of states has the posterior probability
        ``filtered[t - 1, i] * A[i, j] * ratios[t, j]``.
    trusted : ndarray of bool, shape (n,)
        Whether the numbers of a row are right to rounding.
    """

    log_increments: FloatArray
    filtered: FloatArray
    smoothed: FloatArray
    ratios: FloatArray
    trusted: BoolArray


def smooth(initial: FloatArray, transitions: FloatArray, log_emissions: FloatArray, first: BoolArray) -> Smoothing:
    """Run forward and backward over all sequences.

    Parameters
    ----------
    initial : ndarray of shape (K,)
        Probabilities of the first state of a sequence.
    transitions : ndarray of shape (K, K)
        Probabilities of the next state (column) given a state (row).
    log_emissions : ndarray of shape (n, K)
        Log density of each row under each state, below inf.
    first : ndarray of bool, shape (n,)
        Whether a row is the first of its sequence; the first row of all is.

    Returns
    -------
    Smoothing
        The posteriors, and where they are to be trusted.
    """
    chain = _Chain(initial, transitions, log_emissions, first)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that are not to be trusted may overflow
        increments, agree = chain.forward()
        agree &= chain.backward(increments)
        chain.beta *= chain.filtered
        agree &= np.isfinite(chain.beta.sum(axis=1))
    ratios, filtered, smoothed = chain.all_in_rows()
    increments, trusted = chain.in_rows(increments), chain.in_rows(agree)
    if transitions.min() >= SAFE:
        trusted &= increments >= SAFE
    else:
        trusted &= _nothing_lost(chain, filtered, increments, log_emissions > -np.inf, first)
    return Smoothing(np.log(increments) + chain.in_rows(chain.peaks), filtered, smoothed, ratios, trusted)


def block_length(n: int, n_states: int) -> int:
    """Return the number of rows in a block: few enough steps, and not too many blocks for the scan.

    Parameters
    ----------
    n : int
        Number of rows.
    n_states : int
        Number of states.

    Returns
    -------
    int
        Found by timing; everything between half and twice as many is about as good.
    """
    return max(4, round((n * n_states) ** 0.5 / 9))


class _Chain:
    """All sequences as one chain, cut into blocks; arrays are (L, K, B), the l-th row of block b at [l, :, b].

    Rows are filled up to L B by a sequence of their own, in which every emission is 1. Emissions are relative to the
    largest of their row, whose logarithm is in ``peaks``.
    """

    def __init__(
        self, initial: FloatArray, transitions: FloatArray, log_emissions: FloatArray, first: BoolArray
    ) -> None:
        self.initial, self.transitions = initial[:, None], transitions
        self.n, self.n_states = log_emissions.shape
        self.length = block_length(self.n, self.n_states)
        self.n_blocks = -(-self.n // self.length)
        # The transfer costs about K passes: with few states it pays to begin with it, the memory may be long.
        self.n_passes = self.n_states // 2 if self.n_states > 3 else 0
        n_padding = self.length * self.n_blocks - self.n
        self.first = self._starts(np.concatenate([first, np.arange(n_padding) == 0]))
        _keep_freed_memory()
        self.work = np.empty((3, self.length, self.n_states, self.n_blocks))
        self.emissions, self.filtered, self.beta = self.work
        padded = np.concatenate([log_emissions, np.zeros((n_padding, self.n_states))])
        self.emissions[:] = padded.reshape(self.n_blocks, self.length, self.n_states).transpose(1, 2, 0)
        self.peaks = np.maximum(self.emissions.max(axis=1), LOWEST)
        self.emissions -= self.peaks[:, None, :]
        np.exp(self.emissions, out=self.emissions)

    def in_rows(self, blocks: Any) -> Any:
        """Return an array (L, B) as (n,), in the order of the rows."""
        return blocks.T.reshape(-1)[: self.n]

    def all_in_rows(self) -> Any:
        """Return what stands in the places of the emissions, the filters and beta, each as (n, K)."""
        turned = self.work.transpose(0, 3, 1, 2)
        return turned.reshape(3, -1, self.n_states)[:, : self.n]

    def _starts(self, first: BoolArray) -> list[IntArray]:
        """Return for each l the blocks in which a sequence begins at the l-th row."""
        where = first.reshape(self.n_blocks, self.length)
        return [np.flatnonzero(where[:, step]) for step in range(self.length)]

    def forward(self) -> tuple[FloatArray, BoolArray]:
        """Find the filters of all blocks; return the increments and whether the cuts agree, both (L, B)."""
        begins = np.full((self.n_states, self.n_blocks), 1 / self.n_states)
        for _ in range(self.n_passes):
            increments = self._pass_forward(begins)
            arrived = self._ends_forward()
            if _close(begins, arrived, UNCHANGED).all():
                break
            begins = arrived
        else:
            behind = _products(self.transfers).sum(axis=0)[:, :-1]
            begins[:, 1:] = behind / np.maximum(behind.sum(axis=0), TINY)
            increments = self._pass_forward(begins)
        agree = np.ones(increments.shape, dtype=np.bool_)
        agree[0] = _close(begins, self._ends_forward(), SEAM)
        return increments, agree

    def _ends_forward(self) -> FloatArray:
        """Return the filter behind the block before each; the first block begins with a sequence and needs none."""
        return np.hstack([np.full((self.n_states, 1), 1 / self.n_states), self.filtered[-1][:, :-1]])

    def _pass_forward(self, begins: FloatArray) -> FloatArray:
        increments = np.empty((self.length, self.n_blocks))
        state = begins
        for step, begin in enumerate(self.first):
            state = np.matmul(self.transitions.T, state, out=self.filtered[step])
            if begin.size:
                state[:, begin] = self.initial
            state *= self.emissions[step]
            total = np.maximum(state.sum(axis=0), TINY, out=increments[step])
            state /= total
        return increments

    def backward(self, increments: FloatArray) -> BoolArray:
        """Find beta of all blocks, ratios in place of emissions; return whether the cuts agree, (L, B)."""
        self.emissions /= increments[:, None, :]
        ends = np.ones((self.n_states, self.n_blocks))
        for _ in range(0 if "transfers" in vars(self) else self.n_passes):  # the memory is as long in both directions
            self._pass_backward(ends)
            arrived = self._ends_backward()
            if _close(ends, arrived, UNCHANGED).all():
                break
            ends = arrived
        else:
            turned = self.transfers.swapaxes(0, 1)[:, :, ::-1]
            ahead = _products(turned).sum(axis=0)[:, -2::-1]
            ends[:, :-1] = ahead / np.maximum((self.filtered[-1][:, :-1] * ahead).sum(axis=0), TINY)
            self._pass_backward(ends)
        agree = np.ones(increments.shape, dtype=np.bool_)
        agree[-1] = _close(ends, self._ends_backward(), SEAM)
        self.emissions *= self.beta
        return agree

    def _ends_backward(self) -> FloatArray:
        """Return beta at the last row of each block, from the block behind it; 1 where a sequence ends there."""
        before = self.transitions @ (self.emissions[0] * self.beta[0])
        before[:, self.first[0]] = 1.0
        return np.hstack([before[:, 1:], np.ones((self.n_states, 1))])

    def _pass_backward(self, ends: FloatArray) -> None:
        self.beta[-1] = ends
        for step in range(self.length - 1, 0, -1):
            np.matmul(self.transitions, self.emissions[step] * self.beta[step], out=self.beta[step - 1])
            if self.first[step].size:
                self.beta[step - 1][:, self.first[step]] = 1.0

    @cached_property
    def transfers(self) -> FloatArray:
        """The product of the steps of each block, (K from, K to, B), up to a factor a block."""
        k, n_blocks = self.n_states, self.n_blocks
        # The largest emission of a row is 1, so that a step takes away at most the smallest transition of the mass.
        together = 8 if self.transitions.min() >= 1e-10 else 1
        product = np.repeat(np.eye(k)[:, :, None], n_blocks, axis=2)
        for step, (emissions, begin) in enumerate(zip(self.emissions, self.first, strict=True), start=1):
            mass = product[:, :, begin].sum(axis=0) if begin.size else None
            product = (self.transitions.T @ product.reshape(k, -1)).reshape(k, k, n_blocks)
            if mass is not None:
                product[:, :, begin] = self.initial[:, :, None] * mass
            product *= emissions[:, None, :]
            if step % together == 0 or step == self.length:
                product /= np.maximum(product.reshape(-1, n_blocks).sum(axis=0), TINY)
        return product.swapaxes(0, 1)


def _keep_freed_memory() -> None:
    """Free an untouched array of almost 32 MiB: the C library then keeps what is freed for the next E-step.

    Arrays of a few MiB otherwise go back to the system, and page faults take a third of the time. The GNU C library
    learns from the largest array it sees freed (mallopt(3), M_MMAP_THRESHOLD); elsewhere this does nothing.
    """
    np.empty(2**25 - 2**16, dtype=np.uint8)


def _products(matrices: FloatArray) -> FloatArray:
    """Return the products of the first b + 1 of B matrices (K, K, B), each up to a factor, by doubling."""
    products, span = matrices, 1
    while span < matrices.shape[2]:
        longer = np.einsum("ijb,jkb->ikb", products[:, :, :-span], products[:, :, span:])
        longer /= np.maximum(longer.sum(axis=(0, 1)), TINY)
        products = np.concatenate([products[:, :, :span], longer], axis=2)
        span *= 2
    return products


def _close(one: FloatArray, other: FloatArray, rtol: float) -> BoolArray:
    """Whether the columns of two (K, B) arrays agree, entry by entry."""
    return np.asarray((np.abs(one - other) <= rtol * np.abs(other) + SMALLEST).all(axis=0))


def _nothing_lost(
    chain: _Chain, filtered: FloatArray, increments: FloatArray, allowed: BoolArray, first: BoolArray
) -> BoolArray:
    """Whether a filter is positive, and not too small, wherever the zeros of the model let it be."""
    positive = filtered > 0
    reached = np.empty_like(positive)
    reached[1:] = positive[:-1].astype(np.float64) @ (chain.transitions > 0) > 0
    reached[first] = chain.initial[:, 0] > 0
    small = filtered * increments[:, None] < SMALLEST
    complete: BoolArray = (positive == (reached & allowed)).all(axis=1)
    return complete & ~(positive & small).any(axis=1) & positive.any(axis=1)

"""Forward and backward through long or many sequences at once: exact, and free of a Python step per row.

A recursion over T rows is T small steps, and in NumPy each costs microseconds whatever it computes. So the rows are
cut into B blocks of length L, and all blocks take their l-th step together: L steps on arrays with B columns.
What a block needs to begin is the filter at the end of the block before, which is found first:

1. **Transfer.** The recursion is linear up to its normalisation, so a whole block acts on the filter as one K x K
   matrix, the product of ``A diag(p(x_t | .))`` over its rows. All B matrices are multiplied up in lock-step.
2. **Scan.** Their products from the left give the filter at the begin of every block, those from the right what the
   rows behind every block say, in log2(B) rounds of doubling.
3. **Fill in.** All blocks run the plain recursions from there, forward, then backward.

Several sequences are one chain: at the first row of a sequence the transition matrix is ``1 pi^T``, which forgets the
state before. Emissions are scaled by the largest of their row, filters to sum to one.

Numbers that leave the range of floating point are noticed, not repaired: each row is returned with a flag that says
whether its numbers are to be trusted. They are, where either all transitions are so far from zero that what
underflows cannot matter later, or nothing has underflowed at all; and where both ends of each cut agree.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    peak = log_emissions.max(axis=1)
    peak = np.where(np.isfinite(peak), peak, 0.0)
    chain = _Chain(initial, transitions, np.exp(log_emissions - peak[:, None]), first)
    begins, ends = chain.seams()
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that are not to be trusted may overflow
        filtered, increments = chain.forward(begins)
        beta, ratios = chain.backward(ends, increments)
        smoothed = filtered * beta
        trusted = np.isfinite(smoothed).all(axis=1) & chain.seams_agree(begins, ends, filtered, ratios)
    filtered, increments, trusted = (chain.in_rows(blocks) for blocks in (filtered, increments, trusted))
    if transitions.min() >= SAFE:
        trusted &= increments >= SAFE
    else:
        trusted &= _nothing_lost(chain, filtered, increments, log_emissions > -np.inf, first)
    return Smoothing(
        log_increments=np.log(increments) + peak,
        filtered=filtered,
        smoothed=chain.in_rows(smoothed),
        ratios=chain.in_rows(ratios),
        trusted=trusted,
    )


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
        Found by timing: a step costs about as much as the scan of 20 blocks.
    """
    return max(4, round((n * n_states) ** 0.5 / 10))


class _Chain:
    """All sequences as one chain, cut into blocks; arrays are (L, K, B), the l-th row of block b at [l, :, b].

    Rows are filled up to L B by a sequence of their own, in which every emission is 1.
    """

    def __init__(self, initial: FloatArray, transitions: FloatArray, emissions: FloatArray, first: BoolArray) -> None:
        self.initial, self.transitions = initial[:, None], transitions
        self.n, self.n_states = emissions.shape
        self.length = block_length(self.n, self.n_states)
        self.n_blocks = -(-self.n // self.length)
        n_padding = self.length * self.n_blocks - self.n
        self.emissions = self._in_blocks(np.concatenate([emissions, np.ones((n_padding, self.n_states))]))
        self.first = self._starts(np.concatenate([first, np.arange(n_padding) == 0]))

    def _in_blocks(self, rows: FloatArray) -> FloatArray:
        cut = rows.reshape(self.n_blocks, self.length, self.n_states)
        return np.ascontiguousarray(cut.transpose(1, 2, 0))

    def in_rows(self, blocks: Any) -> Any:
        """Return an array (L, K, B) or (L, B) as (n, K) or (n,), in the order of the rows."""
        turned = np.moveaxis(blocks, -1, 0)
        return turned.reshape(-1, *turned.shape[2:])[: self.n]

    def _starts(self, first: BoolArray) -> list[IntArray]:
        """Return for each l the blocks in which a sequence begins at the l-th row."""
        where = first.reshape(self.n_blocks, self.length)
        return [np.flatnonzero(where[:, step]) for step in range(self.length)]

    def seams(self) -> tuple[FloatArray, FloatArray]:
        """Return the filter before each block and beta at its last row, both (K, B)."""
        products = self._transfer().transpose(2, 1, 0)  # (B, K, K): from the state before a block to its last one
        from_left, from_right = _products(products), _products(products[::-1].swapaxes(1, 2))[::-1]
        begins = np.tile(self.initial, (1, self.n_blocks))  # the first block begins with a sequence: not read
        behind = from_left.sum(axis=1).T[:, :-1]
        begins[:, 1:] = behind / np.maximum(behind.sum(axis=0), TINY)
        ends = np.ones((self.n_states, self.n_blocks))
        ahead = from_right.sum(axis=1).T[:, 1:]
        ends[:, :-1] = ahead / np.maximum((begins[:, 1:] * ahead).sum(axis=0), TINY)
        return begins, ends

    def _transfer(self) -> FloatArray:
        """Return the product of the steps of each block, (K to, K from, B), up to a factor a block."""
        shape = (self.n_states, self.n_states, self.n_blocks)
        product = np.zeros(shape)
        product[np.arange(self.n_states), np.arange(self.n_states)] = 1.0
        for emissions, begin in zip(self.emissions, self.first, strict=True):
            mass = product[:, :, begin].sum(axis=0)
            product = (self.transitions.T @ product.reshape(self.n_states, -1)).reshape(shape)
            product[:, :, begin] = self.initial[:, :, None] * mass
            product *= emissions[:, None, :]
            product /= np.maximum(product.sum(axis=(0, 1)), TINY)
        return product

    def forward(self, begins: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the filters (L, K, B) and the increments (L, B) of all blocks."""
        filtered = np.empty_like(self.emissions)
        increments = np.empty((self.length, self.n_blocks))
        state = begins
        for step, begin in enumerate(self.first):
            state = np.matmul(self.transitions.T, state, out=filtered[step])
            state[:, begin] = self.initial
            state *= self.emissions[step]
            total = np.maximum(state.sum(axis=0), TINY, out=increments[step])
            state /= total
        return filtered, increments

    def backward(self, ends: FloatArray, increments: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return beta and the ratios of all blocks, both (L, K, B)."""
        beta = np.empty_like(self.emissions)
        ratios = self.emissions / increments[:, None, :]
        beta[-1] = ends
        for step in range(self.length - 1, 0, -1):
            ratios[step] *= beta[step]
            np.matmul(self.transitions, ratios[step], out=beta[step - 1])
            beta[step - 1][:, self.first[step]] = 1.0
        ratios[0] *= beta[0]
        return beta, ratios

    def seams_agree(self, begins: FloatArray, ends: FloatArray, filtered: FloatArray, ratios: FloatArray) -> BoolArray:
        """Return for each row (L, B) whether the recursions arrive at the values with which the next block began."""
        agree = np.ones((self.length, self.n_blocks), dtype=np.bool_)
        inside = np.ones(self.n_blocks - 1, dtype=np.bool_)
        begin = self.first[0]
        inside[begin[begin > 0] - 1] = False  # where a sequence begins, nothing passes
        agree[0, 1:] = _close(begins[:, 1:], filtered[-1][:, :-1]) | ~inside
        agree[-1, :-1] = _close(ends[:, :-1], self.transitions @ ratios[0][:, 1:]) | ~inside
        return agree


def _products(matrices: FloatArray) -> FloatArray:
    """Return the products of the first b + 1 of (B, K, K) matrices, each up to a factor, by doubling."""
    products, span = matrices, 1
    while span < len(products):
        products = np.concatenate([products[:span], products[:-span] @ products[span:]])
        products /= np.maximum(products.sum(axis=(1, 2), keepdims=True), TINY)
        span *= 2
    return products


def _close(one: FloatArray, other: FloatArray) -> BoolArray:
    """Whether the columns of two (K, B) arrays agree to rounding, entry by entry."""
    close: BoolArray = (np.abs(one - other) <= SEAM * np.abs(other) + SMALLEST).all(axis=0)
    return close


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

"""What can go wrong in an EM run, as exceptions that say what, where and what to do."""

from __future__ import annotations


class LikelihoodDecreased(ArithmeticError):
    """The traced objective fell by more than rounding: the E-step or the M-step is wrong.

    Exact EM never lowers its objective (note, section 2; Dempster, Laird and Rubin 1977, theorem 1),
    so this is a bug in the model, not convergence.

    Attributes
    ----------
    iteration : int
        The iteration after which the objective was lower.
    before, after : float
        The objective (log-likelihood plus log prior) before and after that iteration, in nats.
    rounding : float
        The largest fall that rounding could explain.
    theta : object
        The parameters before the fall, so that a long run is not lost.
    """

    def __init__(self, iteration: int, before: float, after: float, rounding: float, theta: object) -> None:
        self.iteration, self.before, self.after, self.rounding = iteration, before, after, rounding
        self.theta = theta
        super().__init__(iteration, before, after, rounding, theta)

    def __str__(self) -> str:
        return (
            f"iteration {self.iteration} lowered the objective from {self.before!r} to {self.after!r}, "
            f"by {self.before - self.after:.3g}; rounding explains at most {self.rounding:.3g}. "
            "Exact EM cannot do this: check that m_step maximises Q and that e_step returns the "
            "log-likelihood of the parameters it was given."
        )


class DegenerateComponent(ValueError):
    """One component of a mixture has no valid parameters any more.

    Attributes
    ----------
    component : int
        Index of the component, counted from 0.
    reason : str
        What happened to it.
    advice : str
        What the user can do.
    row : int or None
        The row of the data on which the component collapsed, once it has been looked up.
    """

    def __init__(self, component: int, reason: str, advice: str, row: int | None = None) -> None:
        self.component, self.reason, self.advice, self.row = component, reason, advice, row
        super().__init__(component, reason, advice, row)

    def __str__(self) -> str:
        where = "" if self.row is None else f" (nearest row of the data: {self.row})"
        return f"component {self.component} {self.reason}{where}. {self.advice}"

    def at_row(self, row: int | None) -> DegenerateComponent:
        """Return the same error with the row of the data filled in.

        Parameters
        ----------
        row : int or None
            Where the component collapsed, counted from 0.

        Returns
        -------
        DegenerateComponent
            A new error; this one stays as it is.
        """
        return DegenerateComponent(self.component, self.reason, self.advice, row)


class DegenerateFitWarning(RuntimeWarning):
    """A fit ended because a component degenerated; its parameters are the last valid ones."""


class ConvergenceWarning(RuntimeWarning):
    """A fit stopped before it converged."""


class NotAMaximum(ValueError):
    """The parameters are no interior maximum of the objective, so that curvature there gives no standard errors.

    Attributes
    ----------
    reason : str
        What is wrong, where, and what to do.
    direction : dict of str to float
        How named parameters change along the offending direction; empty where there is none to name.
    """

    def __init__(self, reason: str, direction: dict[str, float]) -> None:
        self.reason, self.direction = reason, direction
        super().__init__(reason, direction)

    def __str__(self) -> str:
        if not self.direction:
            return self.reason
        moves = ", ".join(f"{name} by {change:+.3g}" for name, change in self.direction.items())
        return f"{self.reason} The direction changes {moves}."

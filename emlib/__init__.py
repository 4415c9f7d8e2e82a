"""The EM algorithm with every equals sign executed: proofs, checks and the code they prove."""

__version__ = "0.1.0"

"""Families of densities for mixtures: one file a family."""

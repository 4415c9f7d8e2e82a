"""Everything that implements :class:`emlib.em.EMModel`: one file a model."""

"""Matrix expressions of symbolic size as sums of words: algebra, traces, determinants and derivatives."""

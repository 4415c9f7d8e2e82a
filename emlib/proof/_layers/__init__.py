"""The four layers of evidence behind `emlib.proof.verify`; they share the parsed formula and nothing else."""

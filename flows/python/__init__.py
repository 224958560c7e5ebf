"""Winnow from Python: `curate` and `judge`, which `flows.curate` has, and what they give back (docs/python.md)."""

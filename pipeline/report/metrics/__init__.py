"""What metrics.json holds: counts, limits, changes, checks and examples of a run."""

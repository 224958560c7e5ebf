"""The metrics of a generation: counts, limits, changes, checks and examples, as metrics.json and samples/ hold them."""

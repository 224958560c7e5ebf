"""Statistics from measured losses to a compute multiplier and its interval."""

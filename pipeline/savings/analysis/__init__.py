"""From measured losses to a saving and its interval."""

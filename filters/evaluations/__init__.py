"""Evaluation sets: read, turned into words and grams, kept as a file."""

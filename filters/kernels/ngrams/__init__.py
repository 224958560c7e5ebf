"""Kernels that count repeated word n-grams, in small and in large texts."""

"""Kernels of dedup: signatures, bit sets, sorting, and the pass over verified pairs."""

"""Kernels that cut texts into words and tokens, and measure them."""

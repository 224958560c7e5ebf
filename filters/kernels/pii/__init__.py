"""Kernels that find e-mail and IP addresses."""

"""Kernels that find fields and records in raw bytes: JSON lines and CSV."""

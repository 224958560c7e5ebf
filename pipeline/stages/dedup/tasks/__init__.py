"""Dedup's corpus-wide steps as tasks for workers of a cluster, by range of hashes and by block of pairs.

Invariant: they find what the same steps find in one process.
"""

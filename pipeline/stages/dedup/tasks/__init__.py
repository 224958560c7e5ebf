"""Dedup in tasks: its steps by hash range and pairs, for workers of a cluster."""

"""Storage behind one protocol: local folders and object stores, with their locks, checksums and keys.

Invariant: a file that is written appears whole under its name or not at all.
"""

"""Duplicates, exact and near, found by hashes and judged by exact similarity. `definition` says in plain Python what they are."""

"""Exact and near duplicates: candidates are found by hashes and verified by exact similarity of the texts.

`tests.text.definition` says in plain Python what a near duplicate is.
"""

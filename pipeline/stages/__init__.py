"""The stages of a run: over one unit of input, over the corpus (dedup, selection), and into shards.

Invariant: a stage reads and writes tables in the work directory, and what it writes follows from them and the recipe alone.
"""

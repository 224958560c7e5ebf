"""Questions to a finished output: why a document was dropped, lists, reviews, comparisons, other thresholds.

Invariant: read-only, except that a review appends to `reviews.jsonl`.
"""

"""One run from plan to commit: prepare the output and work directory, execute the stages, account for them, publish.

Invariant: the manifest is created last, so a run that ends at any point has published a whole generation or nothing.
"""

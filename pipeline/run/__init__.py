"""One run, from plan to commit."""

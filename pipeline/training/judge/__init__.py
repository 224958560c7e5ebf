"""A language model judges documents by our guide: what it is asked, what counts as an answer, and how it agrees with people."""

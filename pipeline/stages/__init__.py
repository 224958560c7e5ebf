"""What a run does to documents: a unit of input at a time, over the corpus, and into shards."""
